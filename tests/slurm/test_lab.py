"""slurm/lab: a real Slurm that starts, schedules, preempts, survives accidents, and leaves nothing behind."""

import os
import re
import shutil
import signal
import tempfile
from itertools import groupby
from pathlib import Path

import pytest
from lab import Lab, lab_command, require


def processes(folder: Path) -> dict[int, str]:
    """Living processes that have to do with a lab: by command line, environment or open files."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            dead = re.search(r"\) [ZX] ", (entry / "stat").read_text())
            files = [os.readlink(file) for file in (entry / "fd").iterdir()]
            text = " ".join([command, (entry / "environ").read_text(errors="replace"), *files])
        except OSError:
            continue
        if not dead and str(folder) in text:
            found[int(entry.name)] = command
    return found


def listening(pids: set[int]) -> set[str]:
    """Local addresses, as /proc/net/tcp writes them, on which these processes listen."""
    inodes = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").iterdir():
            inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(file)))
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(f"/proc/net/{name}")]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()[1:] if Path(path).exists() else []


def test_jobs_get_the_gpus_that_they_ask_for(lab: Lab, tmp_path):
    job = lab.sbatch(
        f"echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES > {tmp_path}/$SLURM_ARRAY_TASK_ID; sleep 2",
        *("--array=0-4", "--gpus-per-node=1"),
    )
    lab.wait(lambda: lab.states(job) == ["COMPLETED"] * 5, "five jobs on four GPUs")
    got = [(tmp_path / str(task)).read_text().split() for task in range(4)]
    assert sorted(got) == [["n1", "0"], ["n1", "1"], ["n2", "0"], ["n2", "1"]]


def test_stop_leaves_no_process_and_labs_do_not_disturb_each_other(lab: Lab, lab_with):
    other = lab_with(NODES=3, GPUS=0, MAX_ARRAY_SIZE=10)
    stubborn = "trap '' TERM USR2 INT; (trap '' TERM; sleep 600) & setsid sleep 601 & sleep 602"
    job = other.sbatch(f"srun bash -c {stubborn!r}", "--ntasks=1")
    other.wait(lambda: any("sleep 602" in name for name in processes(other.folder).values()), "the task")
    mine = lab.sbatch("sleep 600")
    assert other.states(job) == ["RUNNING"]
    assert other.ask("sinfo", "-h", "-p", "main", "-o", "%D %G") == "3 (null)"
    running = processes(other.folder)
    assert len([name for name in running.values() if name.startswith("sleep 60")]) == 3
    addresses = listening(set(running))
    assert addresses == {"0100007F"}  # 127.0.0.1, and nothing else.
    other.stop()
    assert processes(other.folder) == {}
    lab.wait(lambda: lab.states(mine) == ["RUNNING"], "the other lab's job to run")


def test_start_prints_a_line_for_the_shell_and_starting_again_the_same(lab: Lab):
    job = lab.sbatch("sleep 600")
    assert lab.start() == f"export SLURM_CONF={lab.conf}\n"
    lab.wait(lambda: lab.states(job) == ["RUNNING"], "the job to survive a second start")


def test_a_lab_starts_again_in_its_folder_with_an_empty_queue(lab_with):
    lab = lab_with(NODES=1)
    lab.sbatch("sleep 600")
    for pid in [pid for pid, name in processes(lab.folder).items() if name.startswith("slurm")]:
        os.kill(pid, signal.SIGKILL)
    lab.start()
    assert lab.ask("squeue", "-h", "-t", "all") == ""
    assert lab.ask("sinfo", "-h", "-p", "main", "-o", "%T %D") == "idle 1"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["{}/lab"], {"LAB_NODES": "none"}, "LAB_NODES: a whole number above 0 (got 'none')"),
        (["{}/lab"], {"LAB_GPUS": "-1"}, "LAB_GPUS: a whole number (got '-1')"),
        (["{}/" + 60 * "x"], {}, "too long for sockets"),
        (["{}/with space"], {}, "may hold only"),
        (["--quick"], {}, "usage: slurm/lab/start [--accounting] [DIR]"),
    ],
)
def test_start_refuses_what_cannot_work(tmp_path, arguments, environment, words):
    require("slurmctld", "slurmd", "munged")
    done = lab_command("start", *(argument.format(tmp_path) for argument in arguments), **environment)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "lab").exists()


def test_a_start_that_fails_shows_why_and_leaves_no_process(tmp_path):
    """Here the nodes' daemon fails, after munged and the controller have started."""
    require("slurmctld", "slurmd", "munged")
    (tmp_path / "slurmd").write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
    (tmp_path / "slurmd").chmod(0o755)
    folder = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    done = lab_command("start", folder, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "could not start" in done.stderr
    assert "no room" in done.stderr
    assert processes(folder) == {}
    shutil.rmtree(folder)


def test_start_refuses_ports_that_are_in_use(lab: Lab):
    port = re.findall(r"^SlurmctldPort=(\d+)$", lab.conf.read_text(), re.MULTILINE)[0]
    done = lab_command("start", "/tmp/lab-never", LAB_PORT=port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"slurm/lab: LAB_PORT: port {port} is in use\n"
    assert not Path("/tmp/lab-never").exists()


def test_install_says_nothing_where_all_is_installed():
    require("slurmctld", "slurmd", "sbatch", "munged")
    done = lab_command("install")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_daemon_refuses_unknown_nodes(lab: Lab):
    done = lab_command("daemon", "kill", "n9", lab.folder)
    assert done.returncode == 1
    assert "no node 'n9' (available: controller n1 n2)" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("partition", "ends"), [("low", "RUNNING"), ("low-cancel", "PREEMPTED")])
def test_preemption_warns_and_then_requeues_or_cancels(lab: Lab, tmp_path, partition, ends):
    """The warning is the signal that the job asked for; a requeued job runs again afterwards."""
    log = tmp_path / "log"
    script = f"trap 'echo warned >> {log}' USR2; echo started >> {log}; while sleep 1 || :; do :; done"
    job = lab.sbatch(
        script, f"--partition={partition}", "--signal=B:USR2@60", "--requeue", "--exclusive", "-wn1"
    )
    lab.wait(log.exists, "the job to start")
    lab.sbatch("sleep 1", "--partition=high", "--exclusive", "-wn1")
    words = ["started", "warned"] + (["started"] if ends == "RUNNING" else [])
    # A signal may come twice.
    lab.wait(lambda: [word for word, _ in groupby(log.read_text().split())] == words, str(words))
    lab.wait(lambda: lab.states(job) == [ends], ends)


@pytest.mark.slow
def test_a_crashed_node_loses_its_jobs_to_the_other(lab: Lab):
    job = lab.sbatch("srun sleep 600", "--array=0-1", "--exclusive", "--requeue")
    lab.wait(lambda: lab.states(job) == ["RUNNING"] * 2, "both nodes in use")
    lab.daemon("crash", "n1")
    left = [name for name in processes(lab.folder).values() if "slurmstepd" in name or "sleep 600" in name]
    assert left
    lab.wait(lambda: sorted(lab.states(job)) == ["PENDING", "RUNNING"], "the node to be missed")
    lab.ask("scancel", f"{job}_1" if lab.states(job)[0] == "PENDING" else f"{job}_0")
    lab.wait(lambda: "RUNNING" in lab.states(job) and "PENDING" not in lab.states(job), "the requeued task")
    lab.daemon("start", "n1")
    lab.wait(
        lambda: "idle" in lab.ask("sinfo", "-h", "-n", "n1", "-p", "main", "-o", "%T"), "the node to return"
    )


def test_running_jobs_survive_a_restart_of_the_controller(lab: Lab):
    job = lab.sbatch("sleep 600")
    lab.wait(lambda: lab.states(job) == ["RUNNING"], "the job")
    lab.daemon("stop", "controller")
    assert not lab.answers()
    lab.daemon("start", "controller")
    lab.wait(lab.answers, "the controller")
    assert lab.states(job) == ["RUNNING"]


@pytest.mark.slow
def test_with_accounting_sacct_answers(lab_with):
    require("slurmdbd", "mariadbd")
    lab = lab_with(accounting=True)
    job = lab.sbatch("exit 3")
    lab.wait(
        lambda: lab.ask("sacct", "-n", "-X", "-P", "-j", job, "-o", "State,ExitCode") == "FAILED|3:0", "sacct"
    )
    lab.stop()
    assert processes(lab.folder) == {}

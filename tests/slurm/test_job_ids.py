"""Which job is ours: ids out of what sbatch prints, states out of what squeue prints, and on which cluster."""

import json
import os
import shutil

import pytest
from checkout import QUICK
from cluster import SUBMIT, jobs, only, state
from golden_sbatch import golden_submission
from hypothesis import given
from hypothesis import strategies as st
from lab import Lab

from clopbench.results.records import Store
from clopbench.slurm import jobs as ids
from clopbench.slurm import sbatch, squeue
from clopbench.slurm.commands import NoAnswer, Refused
from clopbench.slurm.submission import Part, Submission, describe, write

HOLD = "slurm_additional_parameters={hold:true}"
ROW = "{id}|bench|{tasks}|{state}|None|19:59|2026-11-27T02:00:00|n1|0|0|{name}|"


def row(id: int | str = 45, tasks: str = "0-1", state: str = "RUNNING", name: str = "x") -> str:
    return ROW.format(id=id, tasks=tasks, state=state, name=name)


@pytest.fixture
def submission(tmp_path) -> Submission:
    about = golden_submission().about | {"tables": ["table7"]}
    submission = describe(Store(tmp_path / "results"), about, [Part(0, 0, 2, 2)], [])
    write(submission, [])
    return submission


def prints(program, name: str, text: str, tmp_path, then: str = "") -> None:
    """Make a command print a text, on stdout."""
    (tmp_path / f"{name}.txt").write_text(text)
    program(name, f"echo $* >> {tmp_path}/{name}.calls; cat {tmp_path}/{name}.txt; {then}")


@pytest.mark.parametrize(
    ("printed", "job"),
    [
        ("45\n", "45"),
        ("45;west\n", "45;west"),
        ("45;west-2.example\n", "45;west-2.example"),
        # Scripts of sites that print before, after and around.
        ("you have job 44 and 2 others\n45\n", "45"),
        ("Submitted batch job 44 yesterday\n45;west\nHave a nice day, job 43\n", "45;west"),
        ("  45  \n", "45"),
        ("sbatch: your quota is 80\n\n45\n", "45"),
        ("45\r\n", "45"),
        ("\x1b[1mNOTICE\x1b[0m 12 hours left\n45", "45"),
        # Not to be told from an id, or none at all: then the name decides.
        ("44\n45\n", "46"),
        ("Submitted batch job 44\n", "46"),
        ("", "46"),
        ("job 44 of 45;", "46"),
    ],
)
def test_the_id_is_the_one_of_our_array(program, tmp_path, submission, printed, job):
    part = submission.parts[0]
    prints(program, "sbatch", printed, tmp_path)
    named = row(46, "0-1", "PENDING", f"mine.{submission.job_name(part)}")
    prints(program, "squeue", "\n".join(["CLUSTER: lab", row(44, "0-1", "PENDING", "other"), named]), tmp_path)
    assert sbatch.submit(submission, part).job == job
    assert (tmp_path / "sbatch.calls").read_text().split()[0] == "--parsable"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=4), st.integers(0, 4))
def test_no_line_around_it_is_taken_for_the_id(lines, place):
    """Lines of any text, of which none is a number alone."""
    others = [line for line in " \n".join(lines).splitlines() if not sbatch.JOB_ID.fullmatch(line.strip())]
    printed = [*others[:place], "45;west", *others[place:]]
    assert [line for line in printed if sbatch.JOB_ID.fullmatch(line.strip())] == ["45;west"]


def test_without_any_id_nobody_knows(program, tmp_path, submission):
    prints(program, "sbatch", "thank you\x07\n", tmp_path)
    prints(program, "squeue", row(44, name="another"), tmp_path)
    with pytest.raises(NoAnswer, match=r"sbatch printed no job id that squeue knows \(thank you\\x07\)$"):
        sbatch.submit(submission, submission.parts[0])


def test_what_is_printed_besides_is_told(program, tmp_path, submission):
    prints(program, "sbatch", "2 hours left\n45\n", tmp_path, "echo 'sbatch: warning: slow' >&2")
    assert sbatch.submit(submission, submission.parts[0]).said == "warning: slow; 2 hours left"


@pytest.mark.parametrize(
    ("printed", "states"),
    [
        (row(), {"45_0": "RUNNING", "45_1": "RUNNING"}),
        (f"CLUSTER: west\n{row()}\n", {"45_0": "RUNNING", "45_1": "RUNNING"}),
        (f"Maintenance on 2026-12-01|all day|see|a|b|c|d|e|f|g\n\n{row(tasks='3')}\nbye", {"45_3": "RUNNING"}),
        (f"slurm_load_jobs: notice\r\n{row(tasks='N/A')}\r\n", {"45": "RUNNING"}),
        (row(tasks="1,5-9:2%4", state="PENDING"), {f"45_{n}": "PENDING" for n in (1, 5, 7, 9)}),
        (row(name="a|bench|b|"), {"45_0": "RUNNING", "45_1": "RUNNING"}),
        ("CLUSTER: west\n", {}),
        ("45|0|RUNNING|None\n", {}),
        ("", {}),
    ],
)
def test_lines_that_are_not_ours_are_passed_over(program, tmp_path, printed, states):
    prints(program, "squeue", printed, tmp_path)
    assert {job: found.state for job, found in squeue.queue(["45"]).items()} == states


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_no_text_is_taken_for_a_job(text):
    """Unless it begins as our rows do, which says that squeue has changed its form: that is not passed over."""
    if any(squeue.OURS.match(line) for line in text.splitlines()):
        return
    assert list(squeue._parsed(f"{text}\n{row(tasks='3')}\n{text}", None)) == list(
        squeue._parsed(row(tasks="3"), None)
    )


def test_a_row_of_ours_that_cannot_be_read_is_not_passed_over(program, tmp_path):
    prints(program, "squeue", "45|bench|0|RUNNING\x07|None\n", tmp_path)
    with pytest.raises(Refused, match=r"^squeue's answer cannot be read: 45\|bench\|0\|RUNNING\\x07\|None$"):
        squeue.queue(["45"])


def test_jobs_of_several_clusters_are_asked_for_where_they_are(program, tmp_path):
    for name in ("squeue", "scancel", "sacct", "scontrol"):
        program(name, f"echo {name} $* >> {tmp_path}/calls")
    asked = ["45_0", "45_1;west", "46;west", "45;east.2"]
    squeue.queue(asked)
    squeue.queue(cluster="west")
    squeue.history(asked)
    squeue.cancel(asked)
    with pytest.raises(Refused):
        squeue.max_array_size("west")
    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    where = [(words[0], [w for w in words if "clusters" in w], words[-1]) for words in calls]
    assert [(name, clusters) for name, clusters, _ in where] == [
        ("squeue", []), ("squeue", ["--clusters=west"]), ("squeue", ["--clusters=east.2"]),
        ("squeue", ["--clusters=west"]),
        ("sacct", []), ("sacct", ["--clusters=west"]), ("sacct", ["--clusters=east.2"]),
        ("scancel", []), ("scancel", ["--clusters=west"]), ("scancel", ["--clusters=west"]),
        ("scancel", ["--clusters=east.2"]),
        ("scontrol", ["--clusters=west"]),
    ]  # fmt: skip
    assert [last for name, _, last in where if name == "scancel"] == ["45_[0]", "46", "45_[1]", "45"]
    assert [last for name, _, last in where if name == "sacct"] == ["--jobs=45", "--jobs=45,46", "--jobs=45"]


def test_equal_numbers_on_two_clusters_are_two_jobs(program, tmp_path):
    program("squeue", f"case \"$*\" in *west*) echo '{row(state='PENDING')}';; *) echo '{row()}';; esac")
    found = squeue.queue(["45_0", "45_0;west"])
    assert {job: found[job].state for job in found} == {"45_0": "RUNNING", "45_0;west": "PENDING"}


@pytest.mark.parametrize("cluster", [None, "west", "west-2.example"])
def test_names_of_jobs(cluster):
    array = ids.joined("45", cluster)
    assert ids.array(ids.task(array, 7)) == array
    assert ids.split(ids.task(array, 7)) == ("45_7", cluster)
    assert ids.by_cluster([array]) == {cluster: ["45"]}


def test_a_profile_sends_its_tasks_to_another_cluster(bench, program, tmp_path, monkeypatch):
    """Submitted, looked at, cancelled: with the other cluster's name, and only its own jobs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    results = tmp_path / "results"
    program("scontrol", f"echo scontrol $* >> {tmp_path}/calls; echo MaxArraySize = 1001")
    sent = f"grep -h -- clusters= $2 >> {tmp_path}/calls; sed -n 's/.*--job-name=//p' $2 > {tmp_path}/name"
    program("sbatch", f"{sent}; echo '45;west'")
    template = row(tasks="0-1", state="PENDING", name="NAME")
    program("squeue", f"echo squeue $* >> {tmp_path}/calls; echo CLUSTER: west; test -e {tmp_path}/name && "
            f"echo '{template}' | sed s/NAME/$(cat {tmp_path}/name)/ || true")  # fmt: skip
    program("scancel", f"echo scancel $* >> {tmp_path}/calls")
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, "clusters=west")
    assert done.code == 0, done.err
    assert "array 45 on cluster west: 2 tasks" in done.out
    submission = only(results)
    assert submission.job(submission.parts[0]) == "45;west"
    assert "2 cells are in Slurm's queue already" in bench(*SUBMIT, "--seeds", "1", *QUICK, "clusters=west").out
    assert state(bench)["queued"] == 2
    assert "cancelled 2 tasks" in bench("cancel").out
    calls = (tmp_path / "calls").read_text().splitlines()
    assert all("--clusters=west" in call for call in calls if "squeue" not in call)
    assert any(call.startswith("scancel --quiet --clusters=west 45_[0,1]") for call in calls)
    assert "#SBATCH --clusters=west" in calls
    asked = [call for call in calls if call.startswith("squeue") and "--jobs=45" in call]
    assert asked
    assert all("--clusters=west" in call for call in asked)


@pytest.mark.parametrize("name", ["all", "west,east", "", "a b", "-M"])
def test_several_clusters_at_once_are_refused(bench, tmp_path, name):
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, f"clusters='{name}'", "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: override 'clusters': input should be the name of one cluster; submit once for each "
        f"(got '{name}')\n"
    )


def test_cancel_ends_no_job_of_another_submission(bench, lab: Lab, program, tmp_path):
    """The site's sbatch talks of another job before and after; and an old id belongs to a new job."""
    decoy = lab.sbatch("sleep 600", "--array=0-1", "--hold")
    real = shutil.which("sbatch", path=os.environ["PATH"].partition(":")[2])
    program("sbatch", f'echo you have job {decoy} and 2 others; {real} "$@"; echo see job {decoy}')
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, HOLD)
    assert f"Slurm says: you have job {decoy} and 2 others; see job {decoy}" in done.out
    (array,) = jobs(only(tmp_path / "results"))
    assert array != decoy
    assert "cancelled 2 tasks with 2 cells" in bench("cancel").out
    lab.wait(lambda: lab.states(array) == ["CANCELLED"], "our tasks to go")
    assert lab.states(decoy) == ["PENDING", "PENDING"]
    # As after a cluster was set up anew: the number that was ours is somebody else's.
    path = only(tmp_path / "results").folder / "jobs" / "0.json"
    path.write_text(json.dumps({"job": decoy, "unix": 0}))
    assert state(bench)["queued"] == 0
    assert bench("cancel").out == "nothing to cancel\n"
    assert lab.states(decoy) == ["PENDING", "PENDING"]

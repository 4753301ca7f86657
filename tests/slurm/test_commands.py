"""Slurm's commands are asked in an environment of our own, and their words reach the user as words."""

import ast
import os
import string
from pathlib import Path

import pytest
from checkout import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clopbench.slurm import commands
from clopbench.slurm.commands import NoAnswer, NotThere, QueueFull, Refused

HEEDED = [
    # From a job around us, a launcher, a module or a shell's start-up file.
    *("SLURM_NTASKS", "SLURM_MEM_PER_CPU", "SLURM_JOB_ID", "SLURM_CLUSTERS", "SLURM_EXPORT_ENV", "SLURM_HINT"),
    *("SLURM_CPU_BIND", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN", "SLURM_CONFIG", "SLURMD_NODENAME"),
    *("SBATCH_PARTITION", "SBATCH_TIMELIMIT", "SBATCH_JOB_NAME", "SBATCH_ARRAY_INX", "SBATCH_EXPORT"),
    *("SBATCH_REQUEUE", "SBATCH_WAIT", "SRUN_CPUS_PER_TASK", "SALLOC_ACCOUNT", "SINFO_FORMAT"),
    *("SQUEUE_FORMAT", "SQUEUE_STATES", "SCANCEL_STATE", "SCANCEL_VERBOSE", "SACCT_FORMAT", "SCONTROL_ALL"),
    *("PMI_RANK", "PMI2_SIZE", "PMIX_RANK", "SPANK_JOB_ENV", "_SLURM_SPANK_OPTION_pyxis_container"),
]
KEPT = ["SLURM_CONF", "PATH", "HOME", "BENCH_DATA", "MY_SLURM_NOTES", "OMP_NUM_THREADS", "LC_ALL"]
PREFIXES = ("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_", "SCANCEL_", "PMI_", "PMIX_")


@pytest.mark.parametrize("name", ["sbatch", "squeue", "scancel", "scontrol", "sacct"])
def test_the_environment_of_every_command_is_ours(program, monkeypatch, name):
    for variable in HEEDED:
        monkeypatch.setenv(variable, "theirs")
    for variable in KEPT:
        monkeypatch.setenv(variable, os.environ.get(variable) or "kept")
    program(name, "env")
    lines = [line.partition("=") for line in commands.client(name).out.splitlines()]
    seen = {key: value for key, _, value in lines}
    assert not seen.keys() & set(HEEDED)
    assert {variable: seen.get(variable) for variable in KEPT} == {v: os.environ[v] for v in KEPT}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.sampled_from(PREFIXES), st.text(string.ascii_uppercase + "_", min_size=1, max_size=12))
def test_whatever_slurm_may_heed_is_left_out(monkeypatch, prefix, rest):
    with monkeypatch.context() as outer:
        outer.setenv(prefix + rest, "theirs")
        assert (prefix + rest in commands.environment()) == (prefix + rest == "SLURM_CONF")


def test_commands_are_called_in_one_place():
    """No other file of the room starts a program, so that none of them sees another environment."""
    found = set()
    for path in [*(ROOT / "clopbench" / "slurm").glob("*.py"), *(ROOT / "clopbench" / "cli").glob("slurm*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if "subprocess" in names:
                found.add(path.name)
            if isinstance(node, ast.Attribute) and node.attr in ("_submit_command", "system", "popen"):
                found.add(path.name)
    assert found == {"commands.py"}


@pytest.mark.parametrize(
    ("out", "err", "words"),
    [
        ("", "sbatch: error: No partition\nsbatch: fatal: why", "No partition; why"),
        ("quota exceeded: ask the help desk", "", "quota exceeded: ask the help desk"),
        ("No hours left.", "sbatch: error: It failed", "It failed; No hours left."),
        ("", "sbatch: error: \x1b[31mred\x1b[0m \x07bell", r"\x1b[31mred\x1b[0m \x07bell"),
        ("[/red] <b> é 文", "", "[/red] <b> é 文"),
        ("a\rb\x0bc\x85d\u2028e", "", "a; b; c; d; e"),  # All of them break lines.
        ("", "", "status 3"),
    ],
)  # fmt: skip
def test_slurms_words_are_shown_wherever_they_came_and_as_words(program, out, err, words, tmp_path):
    (tmp_path / "out").write_text(out)
    (tmp_path / "err").write_text(err)
    program("sbatch", f"cat {tmp_path}/out; cat {tmp_path}/err >&2; exit 3")
    with pytest.raises(Refused) as refusal:
        commands.client("sbatch")
    assert str(refusal.value) == f"Slurm refused sbatch: {words}"
    assert str(refusal.value).isprintable()


def test_bytes_that_are_no_text_are_shown(program):
    program("sbatch", r"printf '\377\376 no\n' >&2; exit 1")
    with pytest.raises(Refused, match=r"^Slurm refused sbatch: \ufffd\ufffd no$"):
        commands.client("sbatch")


POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
FAILED = "sbatch: error: Batch job submission failed: "


@pytest.mark.parametrize(
    ("words", "kind", "certain"),
    [
        # As Slurm 22.05 says them, tried with sacctmgr.
        (f"sbatch: error: QOSMaxSubmitJobPerUserLimit\n{FAILED}{POLICY}", QueueFull, True),
        (f"sbatch: error: AssocMaxSubmitJobLimit\n{FAILED}{POLICY}", QueueFull, True),
        (f"sbatch: error: AssocGrpSubmitJobsLimit\n{FAILED}{POLICY}", QueueFull, True),
        (f"sbatch: error: QOSGrpSubmitJobsLimit\n{FAILED}{POLICY}", QueueFull, True),
        (f"sbatch: error: MaxSubmitJobsPerAccount\n{FAILED}{POLICY}", QueueFull, True),
        (f"{FAILED}Resource temporarily unavailable", QueueFull, True),
        (f"{FAILED}Slurm job queue full", QueueFull, True),
        # Older ones do not name the limit.
        (f"{FAILED}{POLICY}", QueueFull, False),
        # Limits that waiting does not help against.
        (f"sbatch: error: QOSMaxWallDurationPerJobLimit\n{FAILED}{POLICY}", Refused, None),
        (f"sbatch: error: QOSMaxCpuPerJobLimit\n{FAILED}{POLICY}", Refused, None),
        (f"sbatch: error: AssocMaxNodePerJobLimit\n{FAILED}{POLICY}", Refused, None),
        (f"{FAILED}Invalid account or account/partition combination specified", Refused, None),
        (f"{FAILED}Invalid job array specification", Refused, None),
        ("sbatch: error: Unable to contact slurm controller (connect failure)", NoAnswer, None),
    ],
)
def test_a_full_queue_is_told_from_other_refusals(program, words, kind, certain, tmp_path):
    (tmp_path / "words").write_text(words)
    program("sbatch", f"cat {tmp_path}/words >&2; exit 1")
    with pytest.raises(Refused) as refusal:
        commands.client("sbatch")
    assert type(refusal.value) is kind
    assert getattr(refusal.value, "certain", None) is certain


def test_sbatch_is_not_left_to_try_again_for_minutes(program, tmp_path, monkeypatch):
    """Where the queue is full it says so at once, and gives up after two minutes."""
    monkeypatch.setattr(commands, "FURTHER_TRIES_SECONDS", 0.2)
    words = "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying"
    program("sbatch", f"echo $$ > {tmp_path}/pid; echo '{words}' >&2; exec sleep 120")
    with pytest.raises(QueueFull, match=r"^Slurm temporarily unable to accept job") as full:
        commands.client("sbatch", seconds=60)
    assert full.value.cut_short
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/fd/0").exists()


def test_a_command_that_is_missing_has_done_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotThere, match=r"^Slurm's sbatch cannot be run: no such file or directory$"):
        commands.client("sbatch")

"""Settings that Slurm would refuse, or take for something else: one line of ours, before anything else."""

from pathlib import Path

import pytest
from checkout import QUICK, ROOT
from cluster import SUBMIT
from golden_sbatch import golden_submission

from clopbench.cli.orders import split_words
from clopbench.errors import UserError
from clopbench.results.records import Store
from clopbench.slurm import conflicts, options, sbatch
from clopbench.slurm.profiles import Profile, load_profile
from clopbench.slurm.submission import Part, Submission, all_submissions

ADDED = "slurm_additional_parameters"
MEMORY = "Slurm takes only one of mem, mem-per-cpu, mem-per-gpu, and {} is given too"
# What is typed behind `bench submit table7 --profile lab` → how the one line goes on, behind "error: ".
REFUSED = {
    ("mem_gb=4", "slurm_mem_per_cpu=500M"): "override 'slurm_mem_per_cpu': " + MEMORY.format("mem_gb"),
    ("slurm_mem=4G", "slurm_mem_per_gpu=1G"): "override 'slurm_mem_per_gpu': " + MEMORY.format("slurm_mem"),
    ("slurm_mem_per_gpu=1G", "slurm_mem_per_cpu=1G"): "override 'slurm_mem_per_gpu': "
    + MEMORY.format("slurm_mem_per_cpu"),
    ("mem_gb=4", ADDED + "={mem-per-cpu:500M}"): "override 'slurm_mem_per_cpu': " + MEMORY.format("mem_gb"),
    ("mem_gb=4", ADDED + "={mem_per_cpu:500M}"): "override 'slurm_mem_per_cpu': " + MEMORY.format("mem_gb"),
    ("slurm_cpus_per_gpu=2", "gpus_per_node=1"): "override 'slurm_cpus_per_gpu': Slurm takes only one of "
    "cpus-per-task, cpus-per-gpu, and cpus_per_task is given too (cpus_per_task=null takes it away)",
    ("slurm_exclusive=true", ADDED + "={oversubscribe:true}"): "override 'slurm_exclusive': "
    "Slurm takes only one of exclusive, oversubscribe, and slurm_additional_parameters.oversubscribe is given",
    ("slurm_gres='gpu:1'", "gpus_per_node=1"): "override 'slurm_gres': asks for GPUs besides those of "
    "gpus_per_node; keep one of them",
    ("slurm_gres='craynetwork:1,gpu:a100:2'", "slurm_gpus_per_task=1"): "override 'slurm_gres': asks for GPUs",
    ("slurm_gres='gpu'", ADDED + "={gpus:1}"): "override 'slurm_gres': asks for GPUs besides those of "
    "slurm_additional_parameters.gpus",
    ("slurm_num_gpus=2", "gpus_per_node=1"): "override 'slurm_num_gpus': says the same as gpus_per_node",
    ("slurm_time=30",): "override 'slurm_time': says the same as timeout_min; keep one of them "
    "(timeout_min=null takes it away)",
    (ADDED + "={time:30}",): "override 'slurm_time': says the same as timeout_min",
    ("slurm_nodes=2", "nodes=2"): "override 'slurm_nodes': says the same as nodes",
    ("name=a", "slurm_job_name=b"): "override 'slurm_job_name': says the same as name",
    ("requeue=false", ADDED + "={requeue:true}"): "override 'slurm_additional_parameters.requeue': says the",
    ("slurm_mem_per_gpu=1G",): "override 'slurm_mem_per_gpu': no GPU is asked for",
    ("cpus_per_task=null", "slurm_cpus_per_gpu=2"): "override 'slurm_cpus_per_gpu': no GPU is asked for",
    (ADDED + "={ntasks:4}",): "override 'slurm_additional_parameters.ntasks': a task has nodes × "
    "tasks_per_node = 1 processes, not 4",
    (ADDED + "={ntasks_per_gpu:1}",): "override 'slurm_additional_parameters.ntasks_per_gpu': cannot be set: ",
    ("slurm_use_srun=false", "nodes=2"): "override 'slurm_use_srun': goes not with nodes",
    ("slurm_use_srun=false", "slurm_srun_args=[--label]"): "override 'slurm_srun_args': goes not with slurm",
    # No time to work.
    ("timeout_min=1", "slurm_signal_delay_s=120"): "override 'slurm_signal_delay_s': no time to work: a turn "
    "has 60 s, and Slurm warns 120 s before its end (slurm_signal_delay_s), or up to 30 s earlier",
    ("slurm_signal_delay_s=1200",): "override 'slurm_signal_delay_s': no time to work: a turn has 1200 s",
    ("timeout_min=1", "slurm_signal_delay_s=null"): "override 'timeout_min': no time to work: a turn has 60 s, "
    "and Slurm warns 90 s before its end by default",
    ("timeout_min=null", "slurm_time='00:00:45'"): "override 'slurm_time': no time to work: a turn has 45 s",
    ("slurm_signal_delay_s=70000",): "override 'slurm_signal_delay_s': input should be less than or equal to",
    # What would break a line of the script, or leave its tasks' numbers, logs or signals to somebody else.
    ("slurm_comment='a\nb'",): r"override 'slurm_comment': text on one line (got 'a\nb')",
    ("slurm_account='a\x1b[0m'",): r"override 'slurm_account': text on one line (got 'a\x1b[0m')",
    ("export='A\nB'",): r"override 'export': input should be text on one line (got 'A\nB')",
    (ADDED + "={array:0-3}",): "override 'slurm_additional_parameters.array': cannot be set: tasks are",
    (ADDED + "={output:x}",): "override 'slurm_additional_parameters.output': cannot be set: `bench logs`",
    (ADDED + "={wait:true}",): "override 'slurm_additional_parameters.wait': cannot be set: submit returns",
    (ADDED + "={signal:USR1}",): "override 'slurm_additional_parameters.signal': cannot be set: write slurm_si",
    (ADDED + "={nice:[1]}",): "override 'slurm_additional_parameters.nice': text on one line, a number or true",
    (ADDED + "={a/b:1}",): "override 'slurm_additional_parameters.a/b': not the name of an option of sbatch",
    # The override is named, not the profile's file.
    ("timeout_mn=5",): "override 'timeout_mn': unknown field; did you mean 'timeout_min'?",
    ("timeout_min=soon",): "override 'timeout_min': input should be a valid integer",
    ("requeue=maybe",): "override 'requeue': input should be a valid boolean",
    ("timeout_min=null",): "override 'timeout_min': required, but not given",
    ("slurm_max_num_timeout=3",): "override 'slurm_max_num_timeout': here it is called 'requeues'",
    ("mem_gbs=null",): "override 'mem_gbs': unknown field; did you mean 'mem_gb'?",
}  # fmt: skip


def load(words: tuple[str, ...]) -> Profile:
    """The profile lab with words of a command line, as a submission would use it."""
    _, typed = split_words(words)
    profile = load_profile("lab", ROOT, typed)
    conflicts.check_use(profile.parameters, profile.blame, profile.overridden)
    return profile


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_conflicts_are_one_line_that_names_what_was_typed(words):
    with pytest.raises(UserError) as refusal:
        load(words)
    assert str(refusal.value).startswith(REFUSED[words])
    assert str(refusal.value).isprintable()
    assert "lab.yaml" not in str(refusal.value)


@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "real"])
@pytest.mark.parametrize("words", list(REFUSED)[:33:8], ids=" ".join)
def test_they_are_refused_before_slurm_is_asked(bench, program, tmp_path, words, dry):
    program("sbatch", f"touch {tmp_path}/asked; echo 1")
    program("squeue", "true")
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, *words, *dry)
    assert done.code == 2, done.out
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {REFUSED[words]}")
    assert "#SBATCH" not in done.out
    assert not (tmp_path / "asked").exists()
    assert all_submissions(Store(tmp_path / "results")) == []


def test_a_fault_of_the_file_names_the_file_whatever_is_overridden(tmp_path):
    (tmp_path / "slurm").mkdir()
    path = tmp_path / "slurm" / "mine.yaml"
    path.write_text("timeout_min: 20\nmem_gb: 4\nslurm_mem_per_cpu: 1G\n")
    with pytest.raises(UserError) as refusal:
        load_profile("mine", tmp_path, {"cpus_per_task": 2})
    assert str(refusal.value).startswith(f"{path}:3: slurm_mem_per_cpu: ")
    assert load_profile("mine", tmp_path, {"mem_gb": None}).parameters["slurm_mem_per_cpu"] == "1G"
    path.write_text("timeout_min: 20\nmem_gbs: 4\n")
    with pytest.raises(UserError, match=r"mine.yaml:2: mem_gbs: unknown field"):
        load_profile("mine", tmp_path, {"mem_gb": 2})


NOT_LOGS = ["100%", "%j", "a%%b", "back\\slash", "line\nbreak", "bell\x07", "a:b"]


@pytest.mark.parametrize("name", NOT_LOGS)
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "real"])
def test_a_results_folder_that_slurm_would_read_otherwise_is_refused(bench, program, tmp_path, name, dry):
    program("squeue", "true")
    folder = tmp_path / name
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, "--results", folder, *dry)
    assert done.code == 2, done.out
    (line,) = done.err.splitlines()
    assert line.startswith("error: results folder ")
    assert "choose a path without" in line
    assert all_submissions(Store(folder)) == []


def test_a_colon_is_only_in_the_way_of_a_snapshot(bench, tmp_path):
    done = bench(*SUBMIT, "--seeds", "1", *QUICK, "--results", tmp_path / "a:b", "--dry-run", "--live")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("words", "present", "absent"),
    [
        (["slurm_partition=null"], [], ["--partition"]),
        (["cpus_per_task=null"], [], ["--cpus-per-task"]),
        (["timeout_min=null", "slurm_time=30"], ["--time=30"], []),
        (["cells_per_task=null", "requeues=null", "tasks=null", "export=null"], ["--requeue"], ["--export"]),
        (["requeue=false"], ["--no-requeue"], ["--requeue"]),
        (["requeue=true"], ["--requeue"], ["--no-requeue"]),
        ([ADDED + "={requeue:false}"], ["--no-requeue"], ["--requeue"]),
        ([ADDED + "={no-requeue:true}"], ["--no-requeue"], ["--requeue"]),
        ([ADDED + "={no_requeue:false}"], ["--requeue"], ["--no-requeue"]),
        (["export=NONE"], ["--export=NONE"], []),
        ([ADDED + "={export:NONE,nice:3}"], ["--export=NONE", "--nice=3"], []),
        ([ADDED + "={clusters:west}"], ["--clusters=west"], []),
        ([ADDED + "={hold:false,nice:null,begin:now}"], ["--begin=now"], ["--hold", "--nice"]),
        ([ADDED + "={gpus_per_node:'a100:1'}"], ["--gpus-per-node=a100:1"], []),
        (["slurm_exclusive=false"], [], ["--exclusive"]),
        (["slurm_exclusive=user"], ["--exclusive=user"], []),
        (["mem_gb=4", "mem_gb=null", "slurm_mem_per_cpu=1G"], ["--mem-per-cpu=1G"], ["--mem"]),
        (["nodes=2", ADDED + "={ntasks:2}"], ["--ntasks=2", "--nodes=2"], []),
        (["slurm_gres='craynetwork:1'", "gpus_per_node=1"], ["--gres=craynetwork:1"], []),
        (["timeout_min=2"], ["--time=2", "--signal=USR2@30"], []),
        (["slurm_signal_delay_s=0", "timeout_min=1"], ["--signal=USR2@0"], []),
    ],
)  # fmt: skip
def test_what_can_be_said(tmp_path, words, present, absent):
    about = golden_submission().about | {"profile": load(tuple(words)).as_dict()}
    text = sbatch.text(Submission(tmp_path, about | {"name": "x"}), Part(0, 0, 2, 2))
    lines = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert set(present) <= set(lines)
    assert not {line.partition("=")[0] for line in lines} & set(absent)


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [
        ({"timeout_min": 20}, 1200), ({"slurm_time": 20}, 1200), ({"slurm_time": "20"}, 1200),
        ({"slurm_time": "20:30"}, 1230), ({"slurm_time": "1:00:30"}, 3630), ({"slurm_time": "1-12"}, 129600),
        ({"slurm_time": "1-12:30"}, 131400), ({"slurm_time": "1-12:30:05"}, 131405),
        ({"slurm_time": "UNLIMITED"}, None), ({"slurm_time": "0"}, None), ({}, None),
    ],
)  # fmt: skip
def test_time_limits_as_slurm_reads_them(parameters, seconds):
    assert options.time_limit(parameters) == seconds


@pytest.mark.parametrize("path", sorted((ROOT / "slurm").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_profiles_have_no_conflicts(bench, path: Path):
    done = bench("submit", "table7", "--profile", path.stem, "--seeds", "1", *QUICK, "--dry-run")
    assert done.code == 0, done.err

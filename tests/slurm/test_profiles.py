"""Profiles: submitit's own keys and three of ours, checked when read; the user's own come first."""

from pathlib import Path

import pytest
from checkout import ROOT
from submitit import AutoExecutor
from submitit.slurm.slurm import SlurmExecutor

from clopbench.errors import UserError
from clopbench.slurm.profiles import Profile, load_profile, profile_names, user_profiles

SHIPPED = ["a100", "cpu", "h200", "lab"]


@pytest.fixture
def write(tmp_path):
    """Write slurm/NAME.yaml below a suite's folder, or a profile of the user's own."""

    def put(content: str, name: str = "mine", own: bool = False) -> Path:
        folder = user_profiles() if own else tmp_path / "slurm"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(content)
        return tmp_path

    return put


@pytest.fixture
def own_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


def sbatch_lines(profile: Profile, folder: Path, monkeypatch) -> list[str]:
    """What submitit itself makes of a profile's parameters."""
    monkeypatch.setattr(
        SlurmExecutor, "affinity", classmethod(lambda _: 2)
    )  # Also where no Slurm is installed.
    executor = AutoExecutor(folder, cluster="slurm")
    executor.update_parameters(**profile.parameters)
    assert isinstance(executor._executor, SlurmExecutor)
    text = executor._executor._make_submission_file_text("true", "")
    return [line for line in text.splitlines() if line.startswith("#SBATCH")]


def test_the_four_profiles_are_there():
    assert profile_names(ROOT) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_submitit_takes_every_shipped_profile(name, tmp_path, monkeypatch):
    profile = load_profile(name, ROOT)
    lines = sbatch_lines(profile, tmp_path, monkeypatch)
    assert f"#SBATCH --partition={profile.parameters['slurm_partition']}" in lines
    assert f"#SBATCH --time={profile.parameters['timeout_min']}" in lines
    header = (ROOT / "slurm" / f"{name}.yaml").read_text().partition("\n\n")[0]
    assert header.startswith(f"# Profile {name}: ")
    assert f"--profile {name}" in header
    assert "# Edit" in header


def test_keys_are_passed_on_as_submitit_spells_them(write, tmp_path, monkeypatch):
    root = write(
        "timeout_min: 90\nmem_gb: 12\ngpus_per_node: 2\ntasks_per_node: 2\nslurm_partition: dev\n"
        "slurm_setup: [module load x]\nslurm_additional_parameters: {nice: 100}\nslurm_account: null\n"
        "cells_per_task: 3\ntasks: 7\nrequeues: 0\n"
    )
    profile = load_profile("mine", root)
    assert (profile.cells_per_task, profile.tasks, profile.requeues) == (3, 7, 0)
    assert profile.name == "mine"
    assert profile.path == tmp_path / "slurm" / "mine.yaml"
    assert not {"cells_per_task", "tasks", "requeues", "slurm_account"} & profile.parameters.keys()
    lines = sbatch_lines(profile, tmp_path, monkeypatch)
    for option in ("time=90", "mem=12GB", "gpus-per-node=2", "ntasks-per-node=2", "partition=dev", "nice=100"):
        assert f"#SBATCH --{option}" in lines
    assert not [line for line in lines if "account" in line]


def test_every_parameter_of_submitit_is_known(write):
    """By submitit's own lists, with values of the kinds that its signature names."""
    values = {"setup": "[a]", "teardown": "[a]", "srun_args": "[--x]", "additional_parameters": "{a: 1}"}
    texts = {"use_srun", "stderr_to_stdout", "exclusive"}
    text = {"job_name", "partition", "qos", "mem", "mem_per_gpu", "mem_per_cpu", "comment", "constraint"}
    text |= {"exclude", "account", "gres", "mail_type", "mail_user", "nodelist", "dependency", "wckey"}
    for name in SlurmExecutor._valid_parameters():
        value = values.get(name, "true" if name in texts else "word" if name in text else "1")
        time = "" if name == "time" else "timeout_min: 20\n"
        assert f"slurm_{name}" in load_profile("mine", write(f"{time}slurm_{name}: {value}\n")).parameters
    for name, kind in AutoExecutor._typed_parameters().items():
        value = "true" if kind is bool else "word" if kind is str else "1"
        time = "" if name == "timeout_min" else "timeout_min: 20\n"
        assert name in load_profile("mine", write(f"{time}{name}: {value}\n")).parameters


def test_own_profiles_come_first(write, own_configuration, tmp_path):
    root = write("timeout_min: 20\nslurm_partition: shipped\n", "a100")
    write("timeout_min: 20\nslurm_partition: own\n", "a100", own=True)
    write("timeout_min: 20\n", "home", own=True)
    assert user_profiles() == tmp_path / "configuration" / "clop-bench" / "slurm"
    assert profile_names(root) == ["a100", "home"]
    profile = load_profile("a100", root)
    assert profile.parameters["slurm_partition"] == "own"
    assert profile.path == user_profiles() / "a100.yaml"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("slurm_partion: x", "slurm_partion: unknown field; did you mean 'slurm_partition'?"),
        ("partition: x", "partition: unknown field; did you mean 'slurm_partition'?"),
        ("cells_per_tasks: 2", "cells_per_tasks: unknown field; did you mean 'cells_per_task'?"),
        ("slurm_max_num_timeout: 2", "here it is called 'requeues'"),
        ("cells_per_task: 0", "cells_per_task: input should be greater than 0 (got 0)"),
        ("requeues: -1", "requeues: input should be greater than or equal to 0 (got -1)"),
        ("tasks: many", "tasks: input should be a valid integer"),
        ("timeout_min: 0", "timeout_min: input should be greater than 0 (got 0)"),
        ("timeout_min: 1.5", "timeout_min: input should be a valid integer"),
        ("slurm_account: 12", "slurm_account: input should be a valid string (got 12)"),
        ("slurm_setup: module load x", "slurm_setup: input should be a valid list"),
        ("slurm_gpus_per_node: [1]", "slurm_gpus_per_node: input should be a whole number, or text such as"),
        ("slurm_exclusive: 2", "slurm_exclusive: input should be true, or text such as 'user' (got 2)"),
        ("slurm_time: 20\ntimeout_min: 20", "slurm_time: says the same as timeout_min"),
        ("slurm_mem: 8GB\nmem_gb: 8\ntimeout_min: 20", "slurm_mem: says the same as mem_gb"),
        ("slurm_partition: x", "timeout_min: required, but not given"),
        ("timeout_min: 20\n\n# Two.\ntasks: many", "mine.yaml:4: tasks: input should be"),
        ("", "expected a mapping of keys"),
        ("[a, b]", "expected a mapping of keys"),
        ("1: 2", "mine.yaml:1: 1: unknown field"),
        ("a: [1", "mine.yaml:1: not valid YAML"),
        ("a: \x07", "cannot be read"),
    ],
)
def test_bad_profiles_are_refused_in_one_line(write, content, words):
    root = write(content)
    with pytest.raises(UserError) as refusal:
        load_profile("mine", root)
    assert words in str(refusal.value)
    assert str(root / "slurm" / "mine.yaml") in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["a10", "../slurm/a100", ""])
def test_unknown_profiles_are_refused_with_what_exists(name):
    with pytest.raises(UserError, match=r"unknown profile .*\(available: a100, cpu, h200, lab\)"):
        load_profile(name, ROOT)


def test_text_where_slurm_takes_text(write):
    content = "slurm_time: 1-12:00:00\nslurm_gpus_per_node: a100:1\nslurm_exclusive: user\n"
    assert load_profile("mine", write(content)).parameters == {
        "slurm_time": "1-12:00:00",
        "slurm_gpus_per_node": "a100:1",
        "slurm_exclusive": "user",
    }


def test_the_lab_takes_the_profile_lab(lab, tmp_path, monkeypatch):
    lines = sbatch_lines(load_profile("lab", ROOT), tmp_path, monkeypatch)
    script = tmp_path / "job.sh"
    script.write_text("\n".join(["#!/bin/bash", *lines, "true", ""]))
    lab.ask("sbatch", "--test-only", script)

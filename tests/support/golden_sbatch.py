"""The submission whose sbatch script is kept as golden text."""

from pathlib import Path

from checkout import ROOT

from clopbench.slurm.submission import Submission

GOLDEN = ROOT / "tests" / "slurm" / "sbatch.golden.sh"


def golden_submission() -> Submission:
    """A submission that is the same on every machine."""
    parameters = {
        "slurm_partition": "gpu", "gpus_per_node": 1, "cpus_per_task": 8, "mem_gb": 48.5, "timeout_min": 720,
        "slurm_array_parallelism": 16, "slurm_signal_delay_s": 120, "slurm_setup": ["module load cuda"],
        "slurm_account": "my project",
    }  # fmt: skip
    about = {
        "profile": {"name": "a100", "parameters": parameters},
        "environment": {"python": "/shared/my envs/bench/bin/python"},
        "live": False,
    }
    return Submission(Path("/shared/results/submissions/20261124-030000-table7-abcd"), about)

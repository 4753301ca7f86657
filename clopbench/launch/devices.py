"""Which GPUs this machine offers to cells, found without importing torch; and how many cells run at once."""

import os
import subprocess
from collections.abc import Sequence

from clopbench.errors import UserError


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; an empty list without any."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() not in ("", "-1")]
    listing = ask_driver()
    if listing is None or listing.returncode:
        return []
    # Lines of MIG instances are indented; the GPUs themselves are not.
    return [str(number) for number, _ in enumerate(_gpu_lines(listing.stdout))]


def ask_driver() -> subprocess.CompletedProcess[str] | None:
    """What `nvidia-smi -L` answers; None where it is not there or does not answer."""
    try:
        return subprocess.run(
            ["nvidia-smi", "-L"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None


def hides_gpus() -> bool:
    """Whether CUDA_VISIBLE_DEVICES is set, and names none."""
    return "CUDA_VISIBLE_DEVICES" in os.environ and not visible_gpus()


def _gpu_lines(listing: str) -> list[str]:
    return [line for line in listing.splitlines() if line.startswith("GPU ")]


def slots(
    device: str,
    workers: int | None,
    per_gpu: int,
    threads: int,
    each: int = 1,
    known: Sequence[str] | None = None,
) -> list[str | None]:
    """One entry per cell that may run at once: the GPU it gets, or None for the CPU.

    On GPUs: `per_gpu` cells on each; on a CPU: as many as fit the cores with `threads` each; `workers`
    overrides both numbers. each: devices of one cell; where it is above 1, GPUs come in groups with commas
    between them. known: the GPUs to be used, where somebody has looked at them. Raises UserError where device
    'cuda' is asked for and no GPU is visible, or too few are.
    """
    gpus = [] if device == "cpu" else visible_gpus() if known is None else list(known)
    if device == "cuda" and not gpus:
        raise UserError("--device cuda: no GPU is visible (nvidia-smi, CUDA_VISIBLE_DEVICES)")
    if not gpus:
        return [None] * (workers or max(1, _cores() // (threads * each)))
    if each > len(gpus):
        raise UserError(f"training.devices: {each} GPUs are needed for a cell, {len(gpus)} are visible")
    gpus = [",".join(gpus[first : first + each]) for first in range(0, len(gpus) - each + 1, each)]
    return [gpus[number % len(gpus)] for number in range(workers or len(gpus) * per_gpu)]


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Setting up the process of a cell: its device, threads, memory, and reproducible algorithms."""

import ctypes
import os
import sys

import torch

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def choose_device(name: str) -> torch.device:
    """'auto' is the first GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def configure(threads: int) -> None:
    """Set this process up for bit-reproducible training on `threads` CPU threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # Needed for determinism on CUDA.
    torch.set_num_threads(threads)
    # The same as use_deterministic_algorithms(True), which would import the compiler, for 2 s.
    torch.set_deterministic_debug_mode("error")
    # Filling fresh tensors guards against reading uninitialised memory; nothing here does, and it costs 8 %.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc reuse large blocks, which it gives back to the system when they are freed.

    A training step frees and asks for the same hundreds of megabytes; getting them back page by page, zeroed by
    the kernel, was 20 % of its time on a CPU. A cell's process ends soon enough to return them.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, -1)
        mallopt(_M_MMAP_MAX, 0)

"""Setting up the process of a cell: its device, threads, memory, and reproducible algorithms."""

import ctypes
import json
import os
import sys
import warnings

import torch

from clopbench.errors import in_words
from clopbench.launch.outcomes import DeviceFailed

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def choose_device(name: str) -> torch.device:
    """'auto' is the first GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def start(device: torch.device) -> None:
    """Make sure that a device works before anything is computed on it.

    Raises DeviceFailed with the driver's words, and OutOfMemoryError where others have all of its memory.
    """
    if device.type != "cuda":
        return
    try:
        torch.zeros(1, device=device)
        torch.cuda.synchronize(device)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # RuntimeError, AssertionError, and what else torch has for it.
        words = in_words(error)
        if "out of memory" in words:  # No room for the driver's own context: no allocation of torch's.
            raise torch.OutOfMemoryError(words) from error
        shown = os.environ.get("CUDA_VISIBLE_DEVICES")
        name = "the GPU" if device.index is None and shown is None else f"GPU {shown or device.index}"
        raise DeviceFailed(f"{name} does not start: {words}") from error


def probe() -> None:
    """Print for each GPU that torch sees null, or why it does not start; and why it sees none."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = [_problem(f"cuda:{number}") for number in range(torch.cuda.device_count())]
        problem = None if found else _problem("cuda")
    if not found and problem is None:
        problem = "; ".join(" ".join(str(one.message).split()) for one in heard) or None
    print(json.dumps({"devices": found, "problem": problem}))


def _problem(name: str) -> str | None:
    try:
        start(torch.device(name))
    except torch.OutOfMemoryError:  # It works, for others.
        return None
    except DeviceFailed as error:
        return in_words(error.__cause__ or error)
    return None


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

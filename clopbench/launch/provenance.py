"""Where a record's numbers come from: versions, hardware, cost."""

import os
import platform
import resource
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
import torch

import clopbench


def describe_run(device: torch.device, started: float) -> dict[str, Any]:
    """Versions, device, host, Slurm job, start (UTC), seconds and peak memory of the current process."""
    return {
        "clopbench": clopbench.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "device": _device_name(device),
        "threads": torch.get_num_threads(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "ended_unix": time.time(),
        "seconds": round(time.time() - started, 3),
        "peak_memory_bytes": _peak_memory(device),
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return (
            torch.cuda.get_device_name(device) if torch.cuda.is_initialized() else "cuda, which did not start"
        )
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return f"CPU {line.partition(':')[2].strip()}"
    except OSError:
        pass
    return f"CPU {platform.processor() or platform.machine()}"


def _peak_memory(device: torch.device) -> int:
    """Device memory on a GPU; resident memory of the process on a CPU (macOS counts in bytes)."""
    if device.type == "cuda" and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

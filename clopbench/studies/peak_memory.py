"""Peak memory of a piece of work, beyond what existed before it.

On the CPU torch's profiler reports each allocation and release, with the bytes that are live since the profile
began. This is exact and the same in every run. The peak of the process (ru_maxrss) is neither: what was
released before is used again unseen, and the imports may have peaked higher than the work. A GPU's allocator
keeps count itself.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


def peak_bytes(work: Callable[[], object], device: torch.device = torch.device("cpu")) -> int:
    """The most bytes that tensors made by `work` held at any moment; what existed before does not count."""
    return _on_cuda(work, device) if device.type == "cuda" else _on_cpu(work)


def _on_cuda(work: Callable[[], object], device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _on_cpu(work: Callable[[], object]) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted((e for e in events if e["name"] == "[memory]"), key=lambda event: event["ts"])
    # The count goes on from one profile to the next: blocks that an earlier one saw, and that live still.
    before = changes[0]["args"]["Total Allocated"] - changes[0]["args"]["Bytes"]
    return max(event["args"]["Total Allocated"] for event in changes) - before

"""Peak memory of a piece of work on the CPU.

Torch's profiler reports each allocation and release, with the bytes that are live since the profile began. This
is exact and the same in every run. The peak of the process (ru_maxrss) is neither: what was released before is
used again unseen, and the imports may have peaked higher than the work.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch.profiler import ProfilerActivity, profile


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes that tensors made by `work` held at any moment; what existed before does not count."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    return max(event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]")

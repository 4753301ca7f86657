"""What `--device auto` takes on this machine, and why it leaves GPUs alone that are there and do not work.

Whether a GPU works only the driver knows, and only torch asks it as a cell would: in a process of its own,
which is started where anything looks like a GPU.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clopbench.errors import UserError
from clopbench.launch.devices import ask_driver, hides_gpus, visible_gpus

PROBE_SECONDS = 180.0
PROBE = "from clopbench.launch.process import probe; probe()"
SIGNS = ("dev/nvidia[0-9]*", "dev/nvidiactl", "proc/driver/nvidia")
"""What a driver leaves in the file system, below its root."""


@dataclass(frozen=True)
class Taken:
    """device: cpu or cuda. gpus: those that work, as CUDA_VISIBLE_DEVICES names them. words: for people.

    broken: something is there that does not work.
    """

    device: str
    gpus: tuple[str, ...]
    words: str
    broken: bool = False


def resolve(device: str) -> Taken:
    """What a device stands for on this machine. Raises UserError where 'cuda' is asked for and none is there.

    A GPU that was named is not tried: a cell says what is wrong with it, and records it.
    """
    if device == "auto":
        return take()
    if device == "cpu":
        return Taken(device, (), device)
    gpus = tuple(visible_gpus())
    if not gpus:
        found = take()  # Torch may see one that nvidia-smi does not list.
        gpus = found.gpus
        if not gpus:
            why = found.words.removeprefix("the CPU, as ")
            raise UserError(f"--device cuda: no GPU is visible (nvidia-smi, CUDA_VISIBLE_DEVICES): {why}")
    return Taken(device, gpus, device)


def take(root: Path = Path("/")) -> Taken:
    """The GPUs that work, else the CPU. root: of the file system."""
    named = visible_gpus()
    if hides_gpus():
        return Taken("cpu", (), "the CPU, as CUDA_VISIBLE_DEVICES names no GPU")
    if not named and not _looks_like_gpus(root):
        return Taken("cpu", (), "the CPU, as there is no GPU")
    answer = ask_torch()
    # Without nvidia-smi, as in many containers, torch alone knows how many there are.
    names = named or [str(number) for number in range(len(answer["devices"]))]
    wrong = dict(zip(names, answer["devices"], strict=False))
    wrong |= {name: answer["problem"] or "torch does not see it" for name in names[len(wrong) :]}
    working = tuple(name for name, why in wrong.items() if why is None)
    broken = {name: why for name, why in wrong.items() if why is not None}
    if working:
        aside = "".join(f"; not GPU {name}, which does not work: {why}" for name, why in broken.items())
        return Taken("cuda", working, f"GPU {', '.join(working)}{aside}", bool(broken))
    if broken:
        why = next(iter(broken.values()))
        return Taken("cpu", (), f"the CPU, as GPU {', '.join(broken)} does not work: {why}", True)
    return Taken("cpu", (), f"the CPU, as no GPU works: {_driver_says() or answer['problem']}", True)


def ask_torch() -> dict[str, Any]:
    """devices: for each GPU that torch sees None, or why it does not start; problem: why it sees none."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PROBE_SECONDS,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"devices": [], "problem": f"torch has not started it within {PROBE_SECONDS:.0f} s"}
    except subprocess.CalledProcessError as error:  # Libraries of a driver may end the process.
        last = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
        return {"devices": [], "problem": f"torch ended while it started it ({last})"}


def _looks_like_gpus(root: Path) -> bool:
    return shutil.which("nvidia-smi") is not None or any(any(root.glob(sign)) for sign in SIGNS)


def _driver_says() -> str | None:
    """The words of an nvidia-smi that fails."""
    done = ask_driver()
    if done is None:
        return None
    words = " ".join(f"{done.stdout} {done.stderr}".split())
    return f"nvidia-smi: {words}" if words and (done.returncode or "GPU " not in done.stdout) else None

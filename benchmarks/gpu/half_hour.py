"""Use a GPU that is at hand for half an hour, on a bare machine without internet.

    python benchmarks/gpu/half_hour.py --out OUT [--minutes 9] [--step NAME …] [--import FILE] [--tiny]

Pieces of work in this order: the tests that need CUDA; a cell that is killed and goes on, twice; the speed of
training; the paper's tables at scale gpu_short. Each piece is written down in OUT/pieces.json as soon as it is
done and never done again, so a second call goes on where the first one ended. No piece is begun that would
hardly end within --minutes, and the tables stop by then with their checkpoints saved. OUT/SCALE.parquet has all
cells so far: `bench import` takes it home, and --import brings it to the next machine.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interrupted
import paper_tables
import throughput
from commands import ROOT, run

Found = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """Something to do. seconds: what it takes at most, so that it is not begun in vain."""

    name: str
    seconds: float
    do: Callable[[float], Found | None]
    """Gets the moment (time.monotonic) by which to end; None: not finished, to be gone on with."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--step", nargs="+", choices=list(STEPS), default=list(STEPS), metavar="NAME")
    parser.add_argument("--import", dest="given", type=Path, help="cells of an earlier call")
    parser.add_argument("--tiny", action="store_true", help="minutes on a CPU: whether all of this works")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    journal = options.out / "pieces.json"
    done: dict[str, Found] = json.loads(journal.read_text()) if journal.exists() else {}
    work = Path("/tmp/half_hour") if not options.tiny else options.out / "work"
    if options.given is not None:
        run(["import", str(options.given), "--results", str(work / "tables")], deadline)
    for piece in [piece for name in options.step for piece in STEPS[name](options.out, work, options.tiny)]:
        if piece.name in done:
            continue
        left = deadline - time.monotonic()
        if left < piece.seconds:
            print(f"{piece.name}: takes {piece.seconds:.0f} s, {left:.0f} s are left")
            continue
        start = time.monotonic()
        print(f"{piece.name} …", flush=True)
        found = piece.do(deadline)
        if found is None:
            print(f"{piece.name}: not finished")
            continue
        done[piece.name] = found | {"seconds": round(time.monotonic() - start, 1)}
        journal.write_text(json.dumps(done, indent=1))
        print(f"{piece.name}: {json.dumps(done[piece.name])}", flush=True)
    return 0 if all(found.get("right", True) for found in done.values()) else 1


def tests(_out: Path, _work: Path, _tiny: bool) -> list[Piece]:
    """The tests that are skipped where there is no GPU."""

    def pytest(deadline: float) -> Found | None:
        words = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", str(ROOT / "tests")]
        done = run(words, deadline, bench=False)
        if done is None:
            return None
        return {"right": done.code == 0, "said": done.out.strip().splitlines()[-12:]}

    return [Piece("tests", 60, pytest)]


def resume(_out: Path, work: Path, tiny: bool) -> list[Piece]:
    """One cell undisturbed, and twice killed in the middle: all three must have the same bits."""
    folders = {name: work / "resume" / name for name in ("undisturbed", "killed once", "killed again")}
    seconds = 10 if tiny else 90

    def piece(name: str, folder: Path) -> Piece:
        kills = 0 if name == "undisturbed" else 1
        return Piece(
            f"resume: {name}", seconds, lambda deadline: interrupted.train(folder, kills, tiny, deadline)
        )

    return [
        *(piece(name, folder) for name, folder in folders.items()),
        Piece("resume: the same bits", 0, lambda _: interrupted.compare(folders)),
    ]


def speed(_out: Path, _work: Path, tiny: bool) -> list[Piece]:
    """Views per second, and which part that is of what the device can do."""
    return [
        Piece(one.name, 5 if tiny else 40, lambda deadline, one=one: throughput.measured(one, deadline))
        for one in throughput.settings(tiny)
    ]


def tables(out: Path, work: Path, tiny: bool) -> list[Piece]:
    """The paper's tables, in order of importance; they take all the time that is left."""
    scale = paper_tables.TINY_SCALE if tiny else paper_tables.SCALE
    return [
        Piece(
            f"table: {name}", 20,
            lambda deadline, words=words: paper_tables.train(words, scale, work / "tables", out, deadline),
        )
        for name, words in paper_tables.tables(tiny).items()
    ]  # fmt: skip


STEPS = {"tests": tests, "resume": resume, "speed": speed, "tables": tables}

if __name__ == "__main__":
    if shutil.which("git") is None:
        print("no git here: records will not say which commit they are of", file=sys.stderr)
    sys.exit(main())

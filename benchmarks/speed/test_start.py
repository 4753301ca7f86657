"""The start of a cell: CPU time from the start of its process to its first step, with its data prepared.

`fresh` is a new interpreter, which imports everything itself (a spawned worker). `forked` comes from the fork
server of `bench run` on Linux, which has imported it all. The benchmark's own times are by the clock (`forked`
includes the start of the server); the CPU time is in extra_info.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import engine
import pytest

from clopbench.data.store import read_meta
from clopbench.launch.local import LocalLauncher
from clopbench.results.plan import make_plan
from clopbench.results.records import Store

PROGRAM = Path(__file__).with_name("first_step.py")
SCALES = {"digits": "laptop", "cifar100": "cpu"}
ROUNDS = 8


def make_task(declared, results):
    """What the launcher sends to the worker of a benchmark's first cell."""
    store = Store(results)
    launcher = LocalLauncher(store, [engine.ROOT / "methods"], [None], "cpu", {})
    return launcher._task(make_plan([declared], [0], store).cells[0])


@pytest.mark.parametrize("mode", ["fresh", "forked"])
@pytest.mark.parametrize("data", SCALES)
def test_start(benchmark, rounds, tmp_path, threads, data, mode):
    if data != "digits" and read_meta(data) is None:
        pytest.skip(f"{data} is not prepared: bench data prepare {data} (and $BENCH_DATA, where it lies)")
    declared = engine.benchmark("clop", SCALES[data], f"launch.threads={threads}")
    answer, seconds = tmp_path / "answer.json", []
    # Compiled modules may be kept, as they are for every user after the first run.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def new_results():
        number = len(list(tmp_path.glob("task*")))
        path = tmp_path / f"task{number}.json"
        path.write_text(json.dumps(make_task(declared, tmp_path / f"results{number}")))
        return (path,), {}

    def start(path):
        command = [sys.executable, str(PROGRAM), mode, str(path), str(answer)]
        subprocess.run(command, check=True, env=environment)
        seconds.append(json.loads(answer.read_text()))
        answer.unlink()

    count = rounds(ROUNDS)
    benchmark.pedantic(start, setup=new_results, rounds=count, warmup_rounds=1)
    benchmark.extra_info.update(
        work="start",
        contender=f"{data}, {mode}",
        begins=[each["begins"] for each in seconds[-count:]],
        done=[each["done"] for each in seconds[-count:]],
    )

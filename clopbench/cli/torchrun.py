"""`bench` under torchrun.

`torchrun --nproc-per-node 2 -m clopbench.cli.torchrun run table7 training.devices=2`.

The first process is `bench`, with the arguments given; the others train their share of its cells. Use it where
a cluster starts jobs by torchrun anyway: `bench run` and `bench submit` start a cell's processes themselves.
"""

import os
import sys
from collections.abc import Sequence
from datetime import timedelta

from clopbench.cli.main import main as bench
from clopbench.cli.terminal import EXIT_USAGE, warn
from clopbench.errors import UserError, print_anything
from clopbench.launch.local import LocalLauncher
from clopbench.launch.team import START_SECONDS, Missing, Seat, follow, lead


def main(arguments: Sequence[str]) -> int:
    """Lead, or follow; returns or raises (SystemExit) the exit status of `bench`. Raises UserError."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        raise UserError(
            "clopbench.cli.torchrun is started by torchrun only: torchrun -m clopbench.cli.torchrun run …"
        )
    import torch.distributed as dist

    seat = Seat(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = dist.TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=not hosted and seat.number == 0,
        timeout=timedelta(seconds=START_SECONDS),
    )
    # torchrun may start all processes again, and the store remembers the first time.
    key = f"clop-bench {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    try:
        if seat.number > 0:
            return follow(seat, lambda: store.get(key).decode())
        LocalLauncher.followers = lead(seat, lambda text: store.set(key, text), lambda: False)
    except Missing as missing:
        raise UserError(str(missing)) from None
    bench(list(arguments))
    return 0


if __name__ == "__main__":
    print_anything()
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        for problem in error.problems:
            warn(f"error: {problem}")
        sys.exit(EXIT_USAGE)

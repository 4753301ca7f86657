"""Checkpoints: saved between two steps, so that a run that ends at any moment can go on to the same bits."""

import io
import time
from pathlib import Path

import torch

from clopbench.results.records import write_atomic
from clopbench.training.loop import Trainer
from clopbench.training.place import PeerLost
from clopbench.training.stop import Stopped, StopRequest

# Short epochs would otherwise spend their time on saving: this share of `seconds` must have passed.
SHARE_BETWEEN_EPOCHS = 1 / 60


class Checkpointer:
    """Saves a Trainer: at the end of epochs, every `seconds` in between, and when asked to stop."""

    def __init__(self, path: Path, seconds: float, stop: StopRequest):
        self.path, self.seconds, self.stop = path, seconds, stop
        self.last = time.monotonic()

    def restore(self, trainer: Trainer) -> bool:
        """Put `trainer` where the checkpoint left off; False where there is none that can be read.

        A checkpoint that is read but does not fit, say after a change of the code, is removed and its error
        raised: by then `trainer` may be half restored, and must not train on.
        """
        try:
            state = trainer.load(self.path)
        except FileNotFoundError:
            return False
        except PeerLost:
            raise
        except Exception as error:  # Junk makes the unpickler raise almost anything.
            print(f"checkpoint not used: {error}", flush=True)
            return False
        try:
            trainer.restore(state)
        except Exception:
            self.path.unlink(missing_ok=True)
            raise
        if trainer.writes:
            print(f"resuming at epoch {trainer.epoch + 1}, step {trainer.step + 1}", flush=True)
        return True

    def after_step(self, trainer: Trainer) -> None:
        """Save where it is time to. Raises Stopped after saving where a stop was requested."""
        waited = time.monotonic() - self.last
        due = self.seconds * SHARE_BETWEEN_EPOCHS if trainer.step == 0 else self.seconds
        stopping = trainer.anywhere(self.stop.requested)
        if trainer.writes and (stopping or waited >= due):
            self.save(trainer)
        if stopping:
            raise Stopped

    def save(self, trainer: Trainer) -> None:
        """Write the checkpoint atomically. A full disk costs the checkpoint, not the run."""
        buffer = io.BytesIO()
        torch.save(trainer.state(), buffer)
        try:
            write_atomic(self.path, buffer.getvalue())
        except OSError as error:
            print(f"checkpoint not saved: {error}", flush=True)
        self.last = time.monotonic()

"""Where the checkout is, and overrides that make a cell take under a second."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUICK = ["training.epochs=1", "training.warmup_epochs=0", "encoder.width=4", "evaluation.collapse_rank=0"]

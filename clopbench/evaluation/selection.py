"""The epoch that is best on held-out images: chosen while a cell trains, never by its test set.

Shapes: N training images that are not held out, M held-out images, F features.
"""

import copy

import torch

from clopbench.evaluation import probe
from clopbench.evaluation.measure import Frozen, Metrics, measure
from clopbench.geometry import NotFiniteError
from clopbench.training.feed import Images
from clopbench.training.loop import Row, Trainer

CHOSEN = ("probe_top1", "probe_top5", "probe_all_top1", "knn_top1", "effective_rank")
"""Metrics that are also recorded for the best epoch, with `_best` after their names."""


class Selection:
    """Judges each epoch by a kNN vote of the labelled training images on the held-out ones, and keeps the best.

    What it keeps is in the trainer's `best`, and so in its checkpoints. images: the first N of the trainer's,
    those that an evaluation may see.
    """

    def __init__(self, trainer: Trainer, images: Images, held: Images, y_M: torch.Tensor, num_classes: int):
        self.trainer, self.images, self.held = trainer, images, held
        self.y_M, self.num_classes = y_M, num_classes

    def after_epoch(self, row: Row) -> None:
        """Put `validation_top1` into the epoch's row; of equal epochs the first counts."""
        trainer = self.trainer
        encoder, y_N = trainer.model.encoder, trainer.labels[: len(self.images)]
        train_NF = probe.extract(encoder, self.images)[y_N >= 0]
        held_MF = probe.extract(encoder, self.held)
        k = trainer.cell.evaluation.knn
        [accuracy] = probe.nearest_neighbours(
            train_NF, y_N[y_N >= 0], held_MF, self.y_M, (k,), self.num_classes
        )
        row["validation_top1"] = accuracy[0]
        if trainer.best is None or accuracy[0] > trainer.best["validation_top1"]:
            modules = {"encoder": encoder, "head": trainer.model.head}
            trainer.best = {
                "epoch": len(trainer.history),
                "validation_top1": accuracy[0],
                "modules": {name: copy.deepcopy(module.state_dict()) for name, module in modules.items()},
            }

    def measure_best(self, frozen: Frozen) -> Metrics:
        """Metrics of the best epoch, whose weights the model then has; of the last one what is held out says.

        Nothing where no epoch was finished.
        """
        best = self.trainer.best
        if best is None:
            return {}
        self.trainer.model.encoder.load_state_dict(best["modules"]["encoder"])
        self.trainer.model.head.load_state_dict(best["modules"]["head"])
        try:
            found, _ = measure(frozen)
        except NotFiniteError:
            found = dict.fromkeys(CHOSEN)
        chosen = {f"{name}_best": found[name] for name in CHOSEN if name in found}
        return chosen | {
            "epoch_best": float(best["epoch"]),
            "validation_top1": self.trainer.history[-1]["validation_top1"],
            "validation_top1_best": best["validation_top1"],
        }

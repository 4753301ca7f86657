"""The linear probe trained by SGD or LARS on augmented images: the protocol of SimCLR and of the authors' code.

The encoder is frozen and in evaluation mode; each epoch sees each labelled image once, newly augmented.
Shapes: B images, M test images, F features, K classes.
"""

import hashlib
import io
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clopbench import seeds
from clopbench.cell import Cell, TrainingConfig
from clopbench.data.augment import recipe, to_float
from clopbench.evaluation.probe import BATCH, TOP, Accuracy, top_k
from clopbench.results.files import plain
from clopbench.results.records import write_atomic
from clopbench.training.feed import Images, in_order
from clopbench.training.loop import draw_views
from clopbench.training.model import Model
from clopbench.training.optim import build_optimizer, learning_rate, set_learning_rate

MOMENTUM = 0.9


class ProbeTraining:
    """Trains probes on one frozen encoder. Each finished epoch is saved to `path` once `seconds` have passed.

    Weights start at zero: the problem is convex, so no start is better than another. The rate follows half a
    cosine to zero. As everything random belongs to (seed, epoch, step), a probe that is resumed ends in the
    same bits.
    """

    def __init__(self, cell: Cell, model: Model, images: Images, num_classes: int, path: Path, seconds: float):
        self.cell, self.model, self.images = cell, model, images
        self.num_classes, self.path, self.seconds = num_classes, path, seconds
        self.saved = time.monotonic()

    def accuracy(self, protocol: str, y_N: Tensor, test: Images, y_M: Tensor) -> Accuracy:
        """Top-1 and top-5 on the test images after training on the images with a label that is not −1.

        NaN where the probe has diverged: its scores rank nothing.
        protocol: the name under which this probe is saved.
        """
        linear = self._train(protocol, y_N)
        batches = test.batches(in_order(len(test), BATCH))
        with torch.no_grad():
            score_MK = torch.cat([linear(self._features(to_float(image_BCHW))) for image_BCHW in batches])
        if not score_MK.isfinite().all():
            return (math.nan,) * len(TOP)
        return top_k(score_MK, torch.arange(self.num_classes, device=score_MK.device), y_M)

    def schedule(self) -> TrainingConfig:
        """The probe's settings in the form that optimiser and schedule understand."""
        config = self.cell.evaluation
        assert config.probe != "lbfgs" and config.probe_learning_rate is not None
        return TrainingConfig(
            epochs=config.probe_epochs,
            batch_size=config.probe_batch_size,
            learning_rate=config.probe_learning_rate,
            momentum=MOMENTUM,
            weight_decay=config.probe_weight_decay,
            warmup_epochs=0,
            optimizer=config.probe,
        )

    def _train(self, protocol: str, y_N: Tensor) -> nn.Linear:
        config, device = self.schedule(), self.images.device
        labelled = y_N.cpu().numpy() >= 0
        linear = self._linear()
        optimizer = build_optimizer(linear.parameters(), config)
        saved = self._load()
        begin = 0
        if protocol in saved:
            begin = saved[protocol]["epoch"]
            linear.load_state_dict(saved[protocol]["linear"])
            optimizer.load_state_dict(saved[protocol]["optimizer"])
        for epoch in range(begin, config.epochs):
            generator = seeds.numpy_generator(self.cell.seed_of("probe"), "probe", epoch)
            order = generator.permutation(np.flatnonzero(labelled))
            chosen = [order[part] for part in in_order(len(order), config.batch_size)]
            for step, feature_BF in enumerate(self._epoch(chosen, epoch)):
                y_B = y_N[torch.from_numpy(chosen[step]).to(device)]
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(linear(feature_BF), y_B).backward()
                set_learning_rate(optimizer, learning_rate(epoch * len(chosen) + step, len(chosen), config))
                optimizer.step()
            state = {"linear": linear.state_dict(), "optimizer": optimizer.state_dict()}
            saved[protocol] = {"epoch": epoch + 1} | state
            self._save(saved, last=epoch + 1 == config.epochs)
        return linear

    def _linear(self) -> nn.Linear:
        """A layer [F → K] of zeros; the number of features is asked of the encoder."""
        image_BCHW = next(iter(self.images.batches([np.arange(1)])))
        features = self._features(to_float(image_BCHW)).shape[1]
        linear = nn.Linear(features, self.num_classes, device=self.images.device)
        for parameter in linear.parameters():
            nn.init.zeros_(parameter)
        return linear

    def _epoch(self, chosen: list[np.ndarray], epoch: int) -> Iterator[Tensor]:
        """Features [B, F] of one augmented view of each batch."""
        name = self.cell.evaluation.probe_augmentation or self.cell.augmentation.name
        for step, image_BCHW in enumerate(self.images.batches(chosen)):
            seed = self.cell.seed_of("probe")
            (view_BCHW,) = draw_views(image_BCHW, [recipe(name)], seed, epoch, step, "probe")
            yield self._features(view_BCHW)

    @torch.no_grad()
    def _features(self, image_BCHW: Tensor) -> Tensor:
        feature_BF = self.model.features(image_BCHW).float()
        return F.normalize(feature_BF) if self.cell.evaluation.probe_normalised else feature_BF

    def _save(self, protocols: dict[str, Any], last: bool) -> None:
        if not last and time.monotonic() - self.saved < self.seconds:
            return
        buffer = io.BytesIO()
        torch.save({"frozen": self._frozen(), "protocols": protocols}, buffer)
        try:
            write_atomic(self.path, buffer.getvalue())
        except OSError as error:
            print(f"probe not saved: {error}", flush=True)
        self.saved = time.monotonic()

    def _load(self) -> dict[str, Any]:
        """What was saved of probes of this very encoder; nothing where there is none that can be read."""
        try:
            state = torch.load(plain(self.path), map_location=self.images.device, weights_only=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # Junk makes the unpickler raise almost anything.
            print(f"saved probe not used: {error}", flush=True)
            return {}
        return state["protocols"] if state.get("frozen") == self._frozen() else {}

    def _frozen(self) -> str:
        """The cell and a hash of the encoder's weights: a probe belongs to both."""
        state = hashlib.sha256(self.cell.id.encode())
        for tensor in self.model.encoder.state_dict().values():
            state.update(tensor.cpu().numpy().tobytes())
        return state.hexdigest()

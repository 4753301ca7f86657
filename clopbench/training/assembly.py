"""From a cell to a trainer before its first step: data, subset, model, images on the device."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.data import sources
from clopbench.data.dataset import UNLABELLED, DataSet
from clopbench.data.subsets import Subset, choose_subset, hold_out
from clopbench.suite.declarations import LaunchConfig
from clopbench.suite.plugins import Plugins
from clopbench.training.encoders import has_narrow_shortcut
from clopbench.training.feed import Images, feed, leading
from clopbench.training.loop import Row, Trainer
from clopbench.training.model import build_model
from clopbench.training.place import Place
from clopbench.training.stop import StopRequest


@dataclass(frozen=True)
class Hooks:
    """What the surroundings of a cell want to know, and where its checkpoint lies."""

    on_epoch: Callable[[Row, Trainer], None]
    checkpoint: Path
    launch: LaunchConfig
    stop: StopRequest
    place: Place | None = None
    """This process among those of a cell on several devices."""

    @property
    def saved(self) -> tuple[Path, Path]:
        """Where training and the evaluation's probe are saved while they run."""
        return self.checkpoint, self.checkpoint.with_name("probe.pt")


@dataclass(frozen=True)
class Prepared:
    """A cell that is ready to be trained. pairing: hashes of what paired cells must share.

    The trainer has the images of the subset, then those of the data set that have no label at all.
    """

    trainer: Trainer
    data: DataSet
    subset: Subset
    pairing: dict[str, str]
    compiled: bool

    @property
    def labelled(self) -> Images:
        """The training images that an evaluation may see: the subset, also where its labels are not shown."""
        return leading(self.trainer.images, len(self.subset.kept))

    @property
    def unlabelled(self) -> int:
        """How many training images have no label at all."""
        return len(self.trainer.images) - len(self.subset.kept)


def prepare(cell: Cell, plugins: Plugins, device: torch.device, hooks: Hooks) -> Prepared:
    """Build everything that a cell trains with, from its seed's streams."""
    data = sources.load(cell.data.name)
    subset = subset_of(cell, data)
    model = build_model(cell, plugins, data.train.shape[0], data.num_classes)
    pairing = {
        "subset": hashlib.sha256(subset.kept.tobytes() + subset.shown.tobytes()).hexdigest(),
        "init": _weights_sha256([model.encoder, model.head]),
    }
    for module in model.modules().values():
        module.to(device)
    if device.type == "cuda" or not has_narrow_shortcut(model.encoder):
        # Convolutions over few channels are 1.4 times as fast this way on a CPU (8×8 digits, width 16).
        model.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    compiled = hooks.launch.compile == "on" or (hooks.launch.compile == "auto" and device.type == "cuda")
    compiled = compiled and hooks.place is None  # Exchanges between ranks would cut the network into pieces.
    if compiled:
        model.compile()
    images = feed(data.train, device, hooks.launch.loader_workers, subset.kept, data.unlabelled)
    unlabelled = np.full(len(images) - len(subset.kept), UNLABELLED)
    labels = torch.from_numpy(np.concatenate([subset.shown, unlabelled])).to(device)
    if hooks.place is None:
        trainer = Trainer(cell, model, images, labels)
    else:
        from clopbench.training.distributed import join_training  # A second that other cells need not wait for.

        common = "".join([data.sha256, *pairing.values()])
        trainer = join_training(hooks.place, common, cell, model, images, labels)
    return Prepared(trainer, data, subset, pairing, compiled)


def subset_of(cell: Cell, data: DataSet) -> Subset:
    """Which images the cell trains on, and which of their labels it sees."""
    generator = seeds.numpy_generator(cell.seed_of("subset"), "subset")
    subset = choose_subset(data.train.labels, data.num_classes, cell.data, generator)
    if cell.evaluation.validation == 0:
        return subset
    generator = seeds.numpy_generator(cell.seed_of("validation"), "validation")
    return hold_out(subset, cell.evaluation.validation, generator)


def _weights_sha256(modules: list[nn.Module]) -> str:
    state = hashlib.sha256()
    for module in modules:
        for name, tensor in module.state_dict().items():
            state.update(name.encode())
            state.update(tensor.numpy().tobytes())
    return state.hexdigest()

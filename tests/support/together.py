"""What tests of several ranks run in processes of their own, over gloo; each leaves its answer in a file."""

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from batches import PLUGINS
from checkout import ROOT, pixels_of
from torch import Tensor, nn

from clopbench.cell import Cell
from clopbench.method import Embedded, Method
from clopbench.suite.suite import Suite
from clopbench.training.feed import Resident
from clopbench.training.loop import Trainer, draw_views
from clopbench.training.model import build_model
from clopbench.training.place import Place

IMAGES = 60
METHODS: dict[str, dict[str, Any]] = {
    name: {"name": name, "parameters": PLUGINS.get(name).resolve({})} for name in PLUGINS.names()
} | {
    "supcon in": {"name": "supcon", "parameters": {"temperature": 0.3, "variant": "in"}},
    "clop": {
        "name": "clop",
        "parameters": {
            "base": "supcon", "prototypes": "orthonormal", "similarity": "cosine", "weight": 1.0,
            "temperature": 0.2,
        },
    },
}  # fmt: skip


class Learned(Method):
    """Weights of its own, features and a moving average: everything that a loss may reach."""

    name, version, teacher_momentum = "learned", 1, 0.9

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Linear(16, 10)

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        assert batch.teacher is not None
        labelled_B = batch.y_B >= 0
        score_NK = self.classify(batch.h_VBF[:, labelled_B]).flatten(0, 1)
        fit = nn.functional.cross_entropy(score_NK, batch.y_B[labelled_B].repeat(2))
        return {"total": fit + (batch.z_VBD - batch.teacher.z_VBD.flip(0)).square().mean()}


def cell_for(method: str = "simclr", **training: Any) -> Cell:
    """Batches of 12 images of digits, a narrow encoder, a head with batch norm."""
    config = Suite(ROOT).benchmark("table7").entries[0].cell(0).config()
    config["encoder"]["width"] = 4
    config["projection"] = {"hidden": 8, "dim": 12, "batch_norm": True}
    config["training"] |= {"batch_size": 12, "epochs": 2, "warmup_epochs": 0, "learning_rate": 0.05} | training
    config["method"] = {"version": 1} | METHODS.get(method, METHODS["simclr"])
    return Cell.from_config(config)


def trainer_for(method: str, ranks: Any = None, **training: Any) -> Trainer:
    """The trainer of a cell, or one rank's. Of ten digits three are labelled."""
    cell = cell_for(method, **training)
    data = pixels_of("digits").train
    model = build_model(cell, PLUGINS, 1, 10)
    if method == "learned":
        torch.manual_seed(0)
        model.method = Learned()
    labels = torch.from_numpy(data.labels[:IMAGES].copy())
    labels[labels > 2] = -1
    images = Resident(torch.from_numpy(data.images[:IMAGES].copy()))
    if ranks is None:
        return Trainer(cell, model, images, labels)
    from clopbench.training.distributed import SharedTrainer

    return SharedTrainer(cell, model, images, labels, ranks)


def gradients(method: str, ranks: Any = None) -> dict[str, Tensor]:
    """Loss, gradients and running statistics of one batch, in float64."""
    trainer = trainer_for(method, ranks)
    modules = trainer.model.modules() | trainer.teacher.modules()
    for module in modules.values():
        module.double()
    index = torch.arange(5, 17)
    image = next(trainer.images.batches([index.numpy()]))
    views = draw_views(image, trainer.recipes, 0, 0, 0).double()
    batch = trainer._embed(views, index)
    total = trainer.model.method.loss(batch)["total"]
    trainer._backward(batch, views, total)
    found = {"loss": total.detach()}
    for part, module in modules.items():
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                found[f"{part}.{name} gradient"] = parameter.grad
        found |= {f"{part}.{name}": buffer.double() for name, buffer in module.named_buffers()}
    return found


def all_gradients(ranks: Any) -> dict[str, dict[str, Tensor]]:
    return {method: gradients(method, ranks) for method in (*METHODS, "learned")}


def normalised_inputs(ranks: Any) -> dict[str, Tensor]:
    """One rank's part through a synchronised batch norm: outputs, gradients, statistics."""
    from clopbench.training.syncnorm import synchronised

    found = {}
    for name, norm, inputs, slope in norm_cases():
        new = synchronised(norm)
        own = inputs[ranks.part(len(inputs))].clone().requires_grad_()
        output = new(own)
        output.backward(slope[ranks.part(len(inputs))])
        found |= {f"{name} output": output.detach(), f"{name} gradient": own.grad}
        found |= {f"{name} {key}": p.grad for key, p in new.named_parameters()}
        found |= {f"{name} {key}": buffer for key, buffer in new.named_buffers()}
        found[f"{name} evaluated"] = new.eval()(inputs).detach()
    return found


def norm_cases() -> Iterator[tuple[str, nn.Module, Tensor, Tensor]]:
    """Norms with inputs [12, …] far from zero, and gradients of the outputs."""
    torch.manual_seed(3)
    for name, norm, shape in [
        ("flat", nn.BatchNorm1d(5), (12, 5)),
        ("images", nn.BatchNorm2d(5), (12, 5, 3, 2)),
        ("plain", nn.BatchNorm2d(5, affine=False, momentum=None), (12, 5, 2, 2)),
    ]:
        for parameter in norm.parameters():
            nn.init.uniform_(parameter)
        yield name, norm.double(), torch.randn(shape).double() * 2 + 30, torch.randn(shape).double()


def trained(ranks: Any) -> dict[str, Any]:
    """Weights and history after two epochs, in float32."""
    trainer = trainer_for("clop", ranks, optimizer="lars", learning_rate=0.5)
    trainer.run(lambda _: None, lambda _: None)
    weights = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
    return {"weights": weights, "history": trainer.history}


def shared_bytes(ranks: Any) -> list[Any]:
    """What rank 0 has reaches all, as does any rank's flag."""
    given = b"from rank 0" if ranks.rank == 0 else None
    return [ranks.share(given), ranks.share(None), ranks.any(ranks.rank == 1), ranks.any(False)]


def disagreeing(ranks: Any) -> str:
    """What is said where the last rank has other weights."""
    ranks.agree(b"same")
    try:
        ranks.agree(b"same" if ranks.rank < ranks.size - 1 else b"else")
    except RuntimeError as error:
        return str(error)
    return "no error"


def run_together(folder: Path, size: int, *functions: Callable[[Any], Any]) -> list[list[Any]]:
    """The answers of each function, by rank; processes of a fork server with torch preloaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["clopbench.launch.preload"])
    folder.mkdir()
    processes = [context.Process(target=_one, args=(folder, rank, size, functions)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * size
    answers = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]
    return [list(answer) for answer in zip(*answers, strict=True)]


def _one(folder: Path, rank: int, size: int, functions: tuple[Callable[[Any], Any], ...]) -> None:
    from clopbench.training.distributed import join

    torch.set_num_threads(1)
    ranks = join(Place(rank, size, (folder / "store").as_uri()), torch.device("cpu"))
    torch.save([function(ranks) for function in functions], folder / f"{rank}.pt")
    ranks.leave()

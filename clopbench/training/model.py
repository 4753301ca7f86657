"""What is trained: encoder, projection head and method; and the moving average that a method may ask for.

Shapes: V views, B images, N = V·B, C channels, H × W pixels, F features, D embedding dimensions.
"""

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clopbench import seeds
from clopbench.cell import Cell
from clopbench.errors import UserError, in_words
from clopbench.method import Embedded, Method
from clopbench.suite.plugins import Plugins
from clopbench.training.encoders import build_encoder, build_head


@dataclass
class Model:
    """Encoder [N, C, H, W] → [N, F], head [N, F] → [N, D], and the method with its loss."""

    encoder: nn.Module
    head: nn.Module
    method: Method
    generator: torch.Generator
    """The `prototypes` stream, which a method may go on drawing from."""
    autocast: torch.dtype | None = None
    """Compute encoder and head in this type (weights and losses stay float32)."""
    network: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    """Encoder and head compiled into one, for training; None: not compiled."""

    def compile(self) -> None:
        """Compile encoder and head as training calls them. Weights and their names stay as they are."""
        self.network = torch.compile(self._through)

    def modules(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "head": self.head, "method": self.method}

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for module in self.modules().values() for parameter in module.parameters()]

    def embed(self, view_VBCHW: Tensor, y_B: Tensor, index_B: Tensor) -> Embedded:
        """All views in one pass, so that batch norm sees them together (as SimCLR does)."""
        views, images = view_VBCHW.shape[:2]
        with self._precision(view_VBCHW.device):
            h_NF, z_ND = (self.network or self._through)(view_VBCHW.flatten(0, 1))
        return Embedded(z_ND.unflatten(0, (views, images)), h_NF.unflatten(0, (views, images)), y_B, index_B)

    def features(self, image_NCHW: Tensor) -> Tensor:
        """The encoder's features [N, F] in evaluation mode and the precision of training."""
        self.encoder.eval()
        with self._precision(image_NCHW.device):
            return self.encoder(image_NCHW)

    def _through(self, view_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        h_NF = self.encoder(view_NCHW)
        return h_NF, self.head(h_NF)

    def _precision(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, self.autocast, enabled=self.autocast is not None)


def build_model(cell: Cell, plugins: Plugins, channels: int, num_classes: int, device: str = "cpu") -> Model:
    """Encoder and head from the `init` stream, method from the `prototypes` stream.

    device "meta" builds encoder and head without memory, to see whether they can be built.

    Raises UserError where the method cannot be loaded, is of another version, or refuses its parameters.
    """
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(seeds.integer(cell.seed_of("init"), "init"))
        encoder, features = build_encoder(cell.encoder, channels)
        head = build_head(cell.projection, features)
    generator = torch.Generator()
    generator.manual_seed(seeds.integer(cell.seed_of("prototypes"), "prototypes"))
    plugin = plugins.get(cell.method.name)
    if plugin.signature.version != cell.method.version:
        raise UserError(
            f"method {cell.method.name}: version {cell.method.version} was asked for, "
            f"{plugin.path} holds version {plugin.signature.version}"
        )
    method_class = plugin.load()
    sizes = {"dim": cell.projection.dim, "num_classes": num_classes, "features": features}
    wanted = inspect.signature(method_class).parameters
    given = {name: size for name, size in sizes.items() if name in wanted}
    try:
        method = method_class(**given, generator=generator, **cell.method.parameters)  # pyright: ignore[reportCallIssue]
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"method {cell.method.name} refuses its parameters: {in_words(error)}") from error
    autocast = torch.bfloat16 if cell.training.precision == "bf16" else None
    return Model(encoder, head, method, generator, autocast)


def backward_in_chunks(model: Model, batch: Embedded, view_VBCHW: Tensor, total: Tensor, size: int) -> None:
    """Gradients of a loss over cached embeddings: backpropagate to them, then chunk by chunk through the model.

    `batch` comes from `embed_in_chunks`. The result is the whole batch's gradient, exactly, but for batch
    norm, which sees a chunk at a time (Gao et al. 2021, 'gradient cache').
    """
    total.backward()
    for part in torch.arange(view_VBCHW.shape[1], device=view_VBCHW.device).split(size):
        again = model.embed(view_VBCHW[:, part], batch.y_B[part], batch.index_B[part])
        pairs = [(again.z_VBD, batch.z_VBD.grad), (again.h_VBF, batch.h_VBF.grad)]
        used = [(output, gradient[:, part]) for output, gradient in pairs if gradient is not None]
        torch.autograd.backward([output for output, _ in used], [gradient for _, gradient in used])


@torch.no_grad()
def embed_in_chunks(model: Model, view_VBCHW: Tensor, y_B: Tensor, index_B: Tensor, size: int) -> Embedded:
    """The whole batch's embeddings, `size` images at a time, as leaves that collect a gradient."""
    with _running_statistics_frozen(model):
        parts = [
            model.embed(view_VBCHW[:, part], y_B[part], index_B[part])
            for part in torch.arange(len(y_B), device=y_B.device).split(size)
        ]
    z_VBD = torch.cat([part.z_VBD for part in parts], 1).requires_grad_()
    h_VBF = torch.cat([part.h_VBF for part in parts], 1).requires_grad_()
    return Embedded(z_VBD, h_VBF, y_B, index_B)


@contextlib.contextmanager
def _running_statistics_frozen(model: Model) -> Iterator[None]:
    """Batch norm normalises as in training, but does not count this pass: the second pass will."""
    norms = [
        module
        for part in model.modules().values()
        for module in part.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


class Teacher:
    """The exponential moving average of encoder and head; a no-op for methods without `teacher_momentum`."""

    def __init__(self, model: Model):
        self.momentum = model.method.teacher_momentum
        self.copy: Model | None = None
        if self.momentum is not None:
            encoder, head = copy.deepcopy(model.encoder), copy.deepcopy(model.head)
            self.copy = Model(encoder, head, model.method, model.generator, model.autocast)

    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint must hold."""
        if self.copy is None:
            return {}
        return {"teacher_encoder": self.copy.encoder, "teacher_head": self.copy.head}

    @torch.no_grad()
    def embed(self, view_VBCHW: Tensor, batch: Embedded) -> Embedded | None:
        """The same views through the average, without gradient; None where there is none."""
        if self.copy is None:
            return None
        return self.copy.embed(view_VBCHW, batch.y_B, batch.index_B)

    @torch.no_grad()
    def update(self, model: Model) -> None:
        """One step of the average; its batch norm keeps statistics of its own."""
        if self.copy is None or self.momentum is None:
            return
        for ours, theirs in ((self.copy.encoder, model.encoder), (self.copy.head, model.head)):
            for average, current in zip(ours.parameters(), theirs.parameters(), strict=True):
                average.lerp_(current, 1 - self.momentum)

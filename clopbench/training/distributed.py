"""A cell on several processes: each embeds its part of a batch, and all compute the loss of the whole batch.

Every rank draws the whole batch's views, keeps its own images, embeds them with batch norm over all ranks
(clopbench.training.syncnorm), and gathers the embeddings of the others. The loss over all of them is the same
on every rank, so its gradient with respect to a rank's own embeddings needs no communication; what each
rank's images contribute to the gradient of the weights is then summed. Only rounding differs from one process.

Imported only where a cell has several devices: torch.distributed costs a second.
Shapes: V views, B images of the whole batch, X features of an embedding.
"""

import contextlib
import io
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
import torch.distributed as dist
from torch import Tensor, nn

from clopbench.cell import Cell
from clopbench.method import Embedded
from clopbench.results.files import Unreadable, plain
from clopbench.training.collectives import gathered, peers
from clopbench.training.feed import Images
from clopbench.training.loop import Trainer
from clopbench.training.model import Model
from clopbench.training.place import Place
from clopbench.training.syncnorm import synchronised

MEETING = timedelta(minutes=5)
"""All ranks must have come by then."""
PATIENCE = timedelta(minutes=30)
"""A rank that lives may be this late: it may be writing a checkpoint. The death of one is seen at once."""
BUCKET = 1 << 24
"""Numbers of gradients that are sent at a time, at most, where they belong to several tensors."""


class Ranks:
    """Our process among those of its cell, once all have met."""

    def __init__(self, place: Place, store: dist.Store):
        self.rank, self.size = place.rank, place.size
        self._store = store

    def part(self, images: int) -> slice:
        """Which images of a batch belong to this rank: equal shares, in the order of the batch."""
        share = images // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def gather(self, own_VBX: Tensor) -> Tensor:
        """The embeddings of all ranks [V, B, X], in the order of the batch; gradients reach the own ones."""
        return _Gathered.apply(own_VBX, self)

    def any(self, flag: bool) -> bool:
        """Whether any rank says so; the answer is the same on all."""
        flags = torch.tensor([flag], dtype=torch.int32)
        with peers():
            dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags.item())

    def share(self, content: bytes | None) -> bytes | None:
        """What rank 0 has, on every rank."""
        size = torch.tensor([-1 if content is None else len(content)])
        with peers():
            dist.broadcast(size, 0)
            if size.item() < 0:
                return None
            data = torch.empty(int(size.item()), dtype=torch.uint8)
            if self.rank == 0 and content is not None:
                data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            dist.broadcast(data, 0)
        return data.numpy().tobytes()

    def agree(self, fingerprint: bytes) -> None:
        """Raise RuntimeError on every rank where one begins from something else than rank 0 does."""
        data = torch.frombuffer(bytearray(fingerprint), dtype=torch.uint8)
        found = gathered(data)
        others = [rank for rank, theirs in enumerate(found) if not theirs.equal(found[0])]
        if others:
            raise RuntimeError(f"rank {others[0]} has other data or initial weights than rank 0")

    def sum_gradients(self, parameters: Iterable[nn.Parameter], divided_by: int = 1) -> None:
        """Replace gradients by their sum over the ranks. All ranks must have a gradient for the same ones."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            with peers():
                dist.all_reduce(flat)
            parts = flat.div_(divided_by).split([gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def leave(self) -> None:
        """Part once all ranks have come here: a connection that closes early would disturb a slower one."""
        names = [f"left {rank}" for rank in range(self.size)]
        with contextlib.suppress(RuntimeError):  # Rank 0, which may hold the store, is through and gone.
            self._store.set(names[self.rank], "")
            self._store.wait(names, PATIENCE)
        dist.destroy_process_group()


class SharedTrainer(Trainer):
    """A Trainer of which each rank has one, at the same position and with the same weights."""

    def __init__(self, cell: Cell, model: Model, images: Images, labels: Tensor, ranks: Ranks):
        self.ranks = ranks
        self.writes = ranks.rank == 0
        model.encoder, model.head = synchronised(model.encoder), synchronised(model.head)
        super().__init__(cell, model, images, labels)

    def anywhere(self, flag: bool) -> bool:
        return self.ranks.any(flag)

    def leave(self) -> None:
        self.ranks.leave()

    def load(self, path: Path) -> dict[str, Any]:
        """Rank 0's checkpoint: another node may not see the file yet, or an older one."""
        content = None
        if self.writes:
            with contextlib.suppress(OSError, Unreadable):
                content = plain(path).read_bytes()
        content = self.ranks.share(content)
        if content is None:
            raise FileNotFoundError(path)
        return torch.load(io.BytesIO(content), map_location=self.images.device, weights_only=True)

    def _embed(self, view_VBCHW: Tensor, index_B: Tensor) -> Embedded:
        own, y_B = self.ranks.part(len(index_B)), self.labels[index_B]
        view_VBCHW = view_VBCHW[:, own]
        ours = self.model.embed(view_VBCHW, y_B[own], index_B[own])
        batch = self._gathered(ours, y_B, index_B)
        teacher = self.teacher.embed(view_VBCHW, ours)
        batch.teacher = None if teacher is None else self._gathered(teacher, y_B, index_B)
        return batch

    def _gathered(self, own: Embedded, y_B: Tensor, index_B: Tensor) -> Embedded:
        return Embedded(self.ranks.gather(own.z_VBD), self.ranks.gather(own.h_VBF), y_B, index_B)

    def _backward(self, batch: Embedded, view_VBCHW: Tensor, total: Tensor) -> None:
        total.backward()
        model = self.model
        self.ranks.sum_gradients([*model.encoder.parameters(), *model.head.parameters()])
        # The method sees the whole batch on every rank, so that each has all of its gradient already.
        self.ranks.sum_gradients(model.method.parameters(), divided_by=self.ranks.size)


def join_training(
    place: Place, common: str, cell: Cell, model: Model, images: Images, labels: Tensor
) -> SharedTrainer:
    """The trainer of one rank, once all have met. Raises RuntimeError where `common` is not the same on all."""
    ranks = join(place, images.device)
    ranks.agree(common.encode())
    return SharedTrainer(cell, model, images, labels, ranks)


def join(place: Place, device: torch.device) -> Ranks:
    """Meet the other ranks: over gloo on a CPU, and over NCCL besides where tensors are on a GPU.

    Raises PeerLost where one does not come in time.
    """
    where = urlsplit(place.store)
    with peers():
        if where.scheme == "file":
            store: dist.Store = dist.FileStore(where.path, place.size)
        else:
            assert where.hostname is not None and where.port is not None
            store = dist.TCPStore(
                where.hostname, where.port, place.size, place.first, MEETING, wait_for_workers=False
            )
        store.set(f"here {place.rank}", "")
        store.wait([f"here {rank}" for rank in range(place.size)], MEETING)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.size, timeout=PATIENCE)
    return Ranks(place, store)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own_VBX: Tensor, ranks: Ranks) -> Tensor:
        ctx.part = ranks.part(own_VBX.shape[1] * ranks.size)
        return torch.cat(gathered(own_VBX), 1)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad_VBX: Tensor
    ) -> tuple[Tensor, None]:
        return grad_VBX[:, ctx.part], None


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive tensors of one type, BUCKET numbers at most unless one alone has more."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        full = sum(map(Tensor.numel, bucket)) + gradient.numel() > BUCKET
        if bucket and (full or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket

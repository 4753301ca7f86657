"""CLOP: a contrastive loss plus a pull of labelled embeddings to fixed prototypes (arXiv 2512.07880)."""

from typing import Literal

import torch
from torch import Tensor

from clopbench import prototypes as prototype_kinds
from clopbench.contrastive import Similarity, info_nce, normalised, prototype_pull, supcon
from clopbench.method import Embedded, Method, NonNegative, Positive


class CLOP(Method):
    """base + weight · mean over labelled embeddings of (1 - similarity to their class prototype).

    base: the contrastive loss underneath. prototypes: orthonormal (the paper's), or random directions
    (its ablation, Table 7); random_25 to equal_75 degrade them step by step, simplex is where neural collapse
    leads, simplex_authors what the authors' code makes of it. similarity: of the pull (Table 8b);
    euclidean and manhattan are distances.
    weight: λ, stable in 0.1–1.5 by the paper's Table 8a.
    assignment: which class gets which prototype: at random (the paper's), or "similar", matched with the class
    means of the first batch that shows labels (asked for by the paper's reviewers).
    """

    name, version = "clop", 1
    added = ("assignment",)
    prototype_KD: Tensor
    assigned: Tensor

    def __init__(
        self,
        dim: int,
        num_classes: int,
        *,
        base: Literal["simclr", "supcon"] = "simclr",
        prototypes: Literal[
            "orthonormal",
            "random_25",
            "random_50",
            "random_75",
            "random",
            "equal_25",
            "equal_50",
            "equal_75",
            "equal",
            "simplex",
            "simplex_authors",
        ] = "orthonormal",
        similarity: Literal["cosine", "euclidean", "manhattan"] = "cosine",
        weight: NonNegative = 1.0,
        temperature: Positive = 0.2,
        assignment: Literal["random", "similar"] = "random",
        generator: torch.Generator,
    ):
        super().__init__()
        self.base = base
        self.similarity: Similarity = similarity
        self.weight = weight
        self.temperature = temperature
        self.assignment = assignment
        self.register_buffer("prototype_KD", prototype_kinds.make(prototypes, num_classes, dim, generator))
        if assignment == "similar":
            self.register_buffer("assigned", torch.tensor(False))

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        if self.assignment == "similar" and not self.assigned and (batch.y_B >= 0).any():
            z_VBD = normalised(batch.z_VBD)
            self.prototype_KD.copy_(prototype_kinds.assigned(self.prototype_KD, z_VBD, batch.y_B))
            self.assigned.fill_(True)
        if self.base == "simclr":
            contrast = info_nce(batch.z_VBD, self.temperature)
        else:
            contrast = supcon(batch.z_VBD, batch.y_B, self.temperature)
        pull = prototype_pull(batch.z_VBD, batch.y_B, self.prototype_KD, self.similarity)
        return {"total": contrast + self.weight * pull, "contrast": contrast, "pull": pull}

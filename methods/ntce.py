"""NTCE: learnt prototypes, each contrasted with all embeddings of the batch (Koromilas et al. 2026)."""

import torch
from torch import Tensor, nn

from clopbench.contrastive import normalised
from clopbench.method import Embedded, Method, Positive


class NTCE(Method):
    """Mean over labelled embeddings z of -log (exp(w_y·z/τ) / Σ exp(w_y·z'/τ)), z' all labelled embeddings.

    w_y: the prototype of class y, of unit length like z. A cross-entropy whose softmax runs over embeddings
    instead of classes: as many negatives as there are embeddings. Koromilas et al. 2026 (arXiv 2605.20302),
    formula of the authors' code, whose positives of the anchor's own class stand in the sum too. They take
    encoder features, here it takes embeddings, as all losses here do. temperature: 0.1 in their example.
    A batch without labels costs nothing; unlabelled images are not used.
    """

    name, version = "ntce", 1

    def __init__(self, dim: int, num_classes: int, *, temperature: Positive = 0.1, generator: torch.Generator):
        super().__init__()
        self.temperature = temperature
        self.weight_KD = nn.Parameter(torch.randn(num_classes, dim, generator=generator) * dim**-0.5)

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        labelled_B = batch.y_B >= 0
        z_ND = normalised(batch.z_VBD[:, labelled_B].flatten(0, 1))
        y_N = batch.y_B[labelled_B].repeat(len(batch.z_VBD))
        cosine_KN = normalised(self.weight_KD).to(z_ND.dtype) @ z_ND.T
        log_share_KN = (cosine_KN / self.temperature).log_softmax(1)
        own_N = log_share_KN.gather(0, y_N[None])[0]
        # A sum, so that a batch without labels costs nothing instead of NaN.
        return {"total": -own_N.sum() / max(1, len(own_N))}

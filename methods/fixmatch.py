"""FixMatch: what is sure of a weak view is the label of the strong one (Sohn et al. 2020)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clopbench.contrastive import at_least_float32
from clopbench.method import Embedded, Fraction, Method, NonNegative


class FixMatch(Method):
    """Cross-entropy of labelled images' weak views + weight · consistency, of a linear classifier on features.

    consistency: cross-entropy of the strong view with the class that the weak view is given, where the softmax
    gives it `threshold` or more; a mean over all images, zero where it is not sure. Labels are not looked at
    there, so labelled images count too. Sohn et al. 2020, equations 3 and 4; threshold τ and weight λ_u are
    theirs. A batch is as much labelled as the data are, where theirs has seven unlabelled images for a labelled
    one. The projection head gets no gradient, as in `supervised`.
    """

    name, version = "fixmatch", 1
    views = ("weak", "strong")

    def __init__(
        self,
        dim: int,
        num_classes: int,
        features: int,
        *,
        threshold: Fraction = 0.95,
        weight: NonNegative = 1.0,
        generator: torch.Generator,
    ):
        super().__init__()
        self.threshold = threshold
        self.weight = weight
        bound = features**-0.5  # As in `supervised`.
        weight_KF = torch.empty(num_classes, features).uniform_(-bound, bound, generator=generator)
        self.weight_KF = nn.Parameter(weight_KF)
        self.bias_K = nn.Parameter(torch.zeros(num_classes))

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        weak_BK, strong_BK = F.linear(at_least_float32(batch.h_VBF), self.weight_KF, self.bias_K)
        labelled_B = batch.y_B >= 0
        labelled = F.cross_entropy(weak_BK[labelled_B], batch.y_B[labelled_B], reduction="sum")
        labelled = labelled / labelled_B.sum().clamp_min(1)
        share_B, guess_B = weak_BK.detach().softmax(-1).max(-1)
        sure_B = share_B >= self.threshold
        consistency = (F.cross_entropy(strong_BK, guess_B, reduction="none") * sure_B).mean()
        total = labelled + self.weight * consistency
        return {"total": total, "labelled": labelled, "consistency": consistency}

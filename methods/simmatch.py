"""SimMatch: a teacher's similarities to classes and to labelled images are matched (Zheng et al. 2022)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clopbench.contrastive import at_least_float32, normalised
from clopbench.method import Embedded, Fraction, Method, Momentum, NonNegative, Positive


class SimMatch(Method):
    """Cross-entropy of labelled weak views + weight · class matching + instance_weight · instance matching.

    The teacher sees the weak view of an image. p: its classes; q: a softmax over the similarities (/τ) of its z
    to the teacher's z of the labelled images. Each corrects the other: q′ ∝ q · p of the instance's class, and
    p′ = share · p + (1 - share) · the sum of q over each class. The student's strong view is to have p′ (where
    its maximum is `threshold` or more) and q′. Zheng et al. 2022, section 3.3, constants of the authors' code.
    Not theirs: the labelled images are this batch's, where they keep a bank of all; the classifier has no
    average of its own; class distributions are not aligned.
    """

    name, version = "simmatch", 1
    views = ("weak", "strong")

    def __init__(
        self,
        dim: int,
        num_classes: int,
        features: int,
        *,
        threshold: Fraction = 0.95,
        weight: NonNegative = 1.0,
        instance_weight: NonNegative = 1.0,
        share: Fraction = 0.9,
        temperature: Positive = 0.1,
        momentum: Momentum = 0.99,
        generator: torch.Generator,
    ):
        super().__init__()
        self.teacher_momentum = momentum
        self.threshold, self.share, self.temperature = threshold, share, temperature
        self.weight, self.instance_weight = weight, instance_weight
        bound = features**-0.5  # As in `supervised`.
        weight_KF = torch.empty(num_classes, features).uniform_(-bound, bound, generator=generator)
        self.weight_KF = nn.Parameter(weight_KF)
        self.bias_K = nn.Parameter(torch.zeros(num_classes))

    def scores(self, h_BF: Tensor) -> Tensor:
        """The classifier's, [B, K]."""
        return F.linear(at_least_float32(h_BF), self.weight_KF, self.bias_K)

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        assert batch.teacher is not None
        weak, strong = 0, 1
        labelled_B = batch.y_B >= 0
        y_L = batch.y_B[labelled_B]  # L labelled images.
        labelled = F.cross_entropy(self.scores(batch.h_VBF[weak])[labelled_B], y_L, reduction="sum")
        labelled = labelled / max(1, len(y_L))
        with torch.no_grad():
            teacher_BD = normalised(batch.teacher.z_VBD[weak])
            bank_LD = teacher_BD[labelled_B]
            p_BK = self.scores(batch.teacher.h_VBF[weak]).softmax(-1)
            q_BL = (teacher_BD @ bank_LD.T / self.temperature).softmax(-1)
            unfolded_BL = F.normalize(q_BL * p_BK[:, y_L], p=1, dim=-1)
            aggregated_BK = torch.zeros_like(p_BK).index_add_(1, y_L, q_BL)
            share = self.share if len(y_L) else 1.0
            target_BK = share * p_BK + (1 - share) * aggregated_BK
            sure_B = target_BK.amax(-1) >= self.threshold
        log_p_BK = self.scores(batch.h_VBF[strong]).log_softmax(-1)
        classes = (-(target_BK * log_p_BK).sum(-1) * sure_B).mean()
        student_BL = normalised(batch.z_VBD[strong]) @ bank_LD.T / self.temperature
        instances = -(unfolded_BL * student_BL.log_softmax(-1)).sum(-1).mean()
        total = labelled + self.weight * classes + self.instance_weight * instances
        return {"total": total, "labelled": labelled, "classes": classes, "instances": instances}

"""TSC: SupCon towards fixed targets that are spread evenly over the sphere (Li et al. 2022)."""

import torch
from torch import Tensor

from clopbench import prototypes
from clopbench.contrastive import label_groups, normalised
from clopbench.method import Embedded, Method, Positive


class TSC(Method):
    """SupCon over the batch and one target for each class: a positive of its class, a negative of all others.

    Targets are no anchors, and nothing moves them. Li et al. 2022, section 3, with all positives of the batch
    instead of a sample of them, and without the reassignment of targets to classes during training: here it is
    fixed. Where there are no more classes than dimensions the even spread that they search for is a simplex.
    An unlabelled image is pulled to its own views only, as in `supcon`.
    """

    name, version = "tsc", 1
    prototype_KD: Tensor

    def __init__(self, dim: int, num_classes: int, *, temperature: Positive = 0.2, generator: torch.Generator):
        super().__init__()
        self.temperature = temperature
        self.register_buffer("prototype_KD", prototypes.simplex(num_classes, dim, generator))

    def loss(self, batch: Embedded) -> dict[str, Tensor]:
        # N anchors, M = N + K embeddings and targets.
        z_ND = normalised(batch.z_VBD.flatten(0, 1))
        all_MD = torch.cat([z_ND, self.prototype_KD.to(z_ND.dtype)])
        classes = len(self.prototype_KD)
        # No unlabelled image may have a target's number.
        group_B = label_groups(batch.y_B) + classes * (batch.y_B < 0)
        group_N = group_B.repeat(len(batch.z_VBD))
        group_M = torch.cat([group_N, torch.arange(classes, device=group_N.device)])
        itself_NM = torch.eye(len(z_ND), len(all_MD), dtype=torch.bool, device=group_N.device)
        positive_NM = (group_N[:, None] == group_M) & ~itself_NM
        logit_NM = (z_ND @ all_MD.T / self.temperature).masked_fill(itself_NM, -torch.inf)
        log_share_NM = logit_NM - logit_NM.logsumexp(1, keepdim=True)
        pulled_N = log_share_NM.masked_fill(~positive_NM, 0).sum(1) / positive_NM.sum(1).clamp_min(1)
        return {"total": -pulled_N.mean()}

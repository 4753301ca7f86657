"""Contrastive losses with an analytic gradient, computed in blocks of rows.

Every loss here is one softmax over all other embeddings, contrasted with a set of positives that is
given by a group number per embedding: same group, positive pair. InfoNCE groups the views of an image;
SupCon groups the images of a class. The gradient is formed beside the loss, block by block: time is O(N²·D),
memory O(N·D) plus blocks of at most BLOCK_FLOATS numbers, however large N is.

Shapes: V views, B images, N = V·B embeddings (view-major), D embedding dimensions, G groups, K classes,
R rows of the current block, M columns of it.
"""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Variant = Literal["out", "in"]
Similarity = Literal["cosine", "euclidean", "manhattan"]

# Floats in one block of similarities: 16 MB, small enough to stay near the cache on a CPU.
BLOCK_FLOATS = 1 << 22
# A GPU is only busy with larger blocks: 1 GB.
BLOCK_FLOATS_CUDA = 1 << 28
# Rows of a block of the symmetric matrix: few, so that little is computed twice; a GPU wants larger products.
ROWS, ROWS_CUDA = 256, 2048
# exp(-80) and its reciprocal are well within float32.
SPAN = 80.0


def info_nce(z_VBD: Tensor, temperature: float) -> Tensor:
    """InfoNCE (NT-Xent) over all views: the positives of an embedding are its image's other views.

    Returns the mean over the N anchors of -log softmax (paper, section 3; the paper writes the sum, which
    is N times this). Embeddings are L2-normalised here. Inputs in half precision are computed in float32.
    """
    views, images, _ = z_VBD.shape
    group_N = torch.arange(images, device=z_VBD.device).repeat(views)
    return grouped_contrast(z_VBD.flatten(0, 1), group_N, temperature)


def supcon(z_VBD: Tensor, y_B: Tensor, temperature: float, variant: Variant = "out") -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, equations 2 and 3) with partial labels.

    y_B holds class numbers, -1 where unlabelled; an unlabelled image has only its own views as positives.
    variant "out" is the mean of logarithms (L_out), "in" the logarithm of the mean (L_in).
    Returns the mean over the N anchors.
    """
    group_N = label_groups(y_B).repeat(z_VBD.shape[0])
    return grouped_contrast(z_VBD.flatten(0, 1), group_N, temperature, variant)


def prototype_pull(
    z_VBD: Tensor,
    y_B: Tensor,
    prototype_KD: Tensor,
    similarity: Similarity = "cosine",
) -> Tensor:
    """Mean distance of the labelled embeddings, of all views, to the prototype of their class.

    cosine: 1 - z·c (paper, equation of CLOP). euclidean, manhattan: plain L2 and L1 norms of z - c, not
    squared (authors' code, commit 115deee). Zero, with a zero gradient, where no image is labelled.
    """
    labelled_B = y_B >= 0
    z_ND = normalised(z_VBD[:, labelled_B].flatten(0, 1))
    target_ND = prototype_KD.to(z_ND.dtype)[y_B[labelled_B]].repeat(z_VBD.shape[0], 1)
    if similarity == "cosine":
        distance_N = 1 - (z_ND * target_ND).sum(-1)
    else:
        order = 2 if similarity == "euclidean" else 1
        distance_N = torch.linalg.vector_norm(z_ND - target_ND, ord=order, dim=-1)
    return distance_N.sum() / max(1, distance_N.numel())


def label_groups(y_B: Tensor) -> Tensor:
    """Group numbers: the class where labelled, and a number of its own for each unlabelled image."""
    own_B = torch.arange(len(y_B), device=y_B.device) + y_B.max().clamp_min(-1) + 1
    return torch.where(y_B >= 0, y_B, own_B)


def normalised(z: Tensor) -> Tensor:
    """L2-normalised embeddings, in float32 at least."""
    return F.normalize(at_least_float32(z), dim=-1)


def at_least_float32(x: Tensor) -> Tensor:
    """The same numbers in float32, or in float64 where they are: half precision is for networks, not losses."""
    return x if x.dtype == torch.float64 else x.float()


def grouped_contrast(z_ND: Tensor, group_N: Tensor, temperature: float, variant: Variant = "out") -> Tensor:
    """Mean softmax contrast of each embedding with the others of its group.

    Anchors that are alone in their group have no positive: they serve as negatives only.
    """
    return contrast_of_normalised(normalised(z_ND), group_N, temperature, variant)


def contrast_of_normalised(
    z_ND: Tensor, group_N: Tensor, temperature: float, variant: Variant = "out"
) -> Tensor:
    """The same for embeddings that are normalised already.

    Its gradient is the formula's own, with a part along each embedding that a normalisation would take away.
    """
    # A half-precision autocast would reach the matrix products inside the function.
    with torch.autocast(z_ND.device.type, enabled=False):
        return _GroupedContrast.apply(z_ND, group_N, temperature, variant)


class _GroupedContrast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z_ND: Tensor, group_N: Tensor, temperature: float, variant: Variant) -> Tensor:
        needs_gradient = ctx.needs_input_grad[0]
        loss, grad_ND = _loss_and_gradient(z_ND, group_N, temperature, variant, needs_gradient)
        if grad_ND is not None:
            ctx.save_for_backward(grad_ND)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor, None, None, None]:
        (grad_ND,) = ctx.saved_tensors
        return grad_ND * grad_outputs[0], None, None, None


def _loss_and_gradient(
    z_ND: Tensor, group_N: Tensor, temperature: float, variant: Variant, needs_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Loss and gradient for normalised embeddings.

    With s = z zᵀ/τ, p the row softmax and q the target distribution over an anchor's positives,
    d loss/d s = w (p - q), w being 1/(number of anchors that have a positive).
    """
    _, group_N, size_G = torch.unique(group_N, return_inverse=True, return_counts=True)
    positives_N = size_G[group_N] - 1
    weight_N = (positives_N > 0).to(z_ND.dtype)
    weight_N = weight_N / weight_N.sum().clamp_min(1)
    if variant == "in":
        total, grad_ND = _row_blocks(z_ND, weight_N, temperature, needs_gradient, (group_N, positives_N))
    else:
        # Similarities lie within ±1/τ: where that span is small no row needs a peak of its own.
        contrast = _symmetric_blocks if 2 / temperature <= SPAN else _row_blocks
        total, grad_ND = contrast(z_ND, weight_N, temperature, needs_gradient)
        mean_positive_ND = _mean_positive(z_ND, group_N, len(size_G), positives_N)
        total = total - (weight_N * (z_ND * mean_positive_ND).sum(-1)).sum() / temperature
        if grad_ND is not None:
            # Positives are mutual and groups are uniform, so row and column terms are equal.
            grad_ND -= 2 * weight_N[:, None] * mean_positive_ND
    return total, None if grad_ND is None else grad_ND / temperature


def _symmetric_blocks(
    z_ND: Tensor, weight_N: Tensor, temperature: float, needs_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Σ w · log-sum-exp over the other embeddings, and τ times its gradient, from half of the matrix.

    E = exp(s - 1/τ) is symmetric. With row sums t, the gradient is (E ∘ (w/t + (w/t)ᵀ)) z: half of the work
    that it is row by row. Blocks that are too many to be kept are computed twice.
    """
    count, shift = len(z_ND), 1 / temperature
    rows = ROWS_CUDA if z_ND.is_cuda else ROWS
    budget = BLOCK_FLOATS_CUDA if z_ND.is_cuda else BLOCK_FLOATS
    keep = needs_gradient and count * (count + rows) // 2 <= budget
    scaled_ND = z_ND / temperature

    def block(start: int) -> Tensor:
        """Rows from `start`, and the columns from there on."""
        exp_RM = (scaled_ND[start : start + rows] @ z_ND[start:].T).sub_(shift).exp_()
        exp_RM.diagonal().zero_()
        return exp_RM

    kept: dict[int, Tensor] = {}
    sum_N = z_ND.new_zeros(count)
    for start in range(0, count, rows):
        exp_RM = block(start)
        sum_N[start : start + rows] += exp_RM.sum(1)
        sum_N[start + rows :] += exp_RM[:, rows:].sum(0)
        if keep:
            kept[start] = exp_RM
    sum_N.clamp_min_(math.exp(-SPAN))  # Nothing else than an embedding without others is below.
    total = (weight_N * (sum_N.log() + shift)).sum()
    if not needs_gradient:
        return total, None
    grad_ND, share_N = torch.zeros_like(z_ND), weight_N / sum_N
    for start in range(0, count, rows):
        exp_RM = kept.pop(start) if keep else block(start)
        exp_RM.mul_(share_N[start : start + rows, None] + share_N[start:])
        grad_ND[start : start + rows].addmm_(exp_RM, z_ND[start:])
        grad_ND[start + rows :].addmm_(exp_RM[:, rows:].T, z_ND[start : start + rows])
    return total, grad_ND


def _row_blocks(
    z_ND: Tensor,
    weight_N: Tensor,
    temperature: float,
    needs_gradient: bool,
    positives: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor | None]:
    """The same for any temperature: whole rows at a time, each shifted by its own peak.

    positives: groups and numbers of positives [N], for the logarithm of the mean over them (L_in).
    """
    total = z_ND.new_zeros(())
    grad_ND = torch.zeros_like(z_ND) if needs_gradient else None
    budget = BLOCK_FLOATS_CUDA if z_ND.is_cuda else BLOCK_FLOATS
    for rows in torch.arange(len(z_ND), device=z_ND.device).split(max(1, budget // len(z_ND))):
        sim_RN = (z_ND[rows] / temperature) @ z_ND.T
        sim_RN[torch.arange(len(rows), device=rows.device), rows] = -torch.inf
        pulled_R, target_RN = 0.0, None
        if positives is not None:
            group_N, positives_N = positives
            target_RN, pulled_R = _positive_softmax(sim_RN, group_N[rows], group_N, positives_N[rows])
        slope_RN, lse_R = _softmax_(sim_RN)
        total = total + (weight_N[rows] * (lse_R - pulled_R)).sum()
        if grad_ND is not None:
            if target_RN is not None:
                slope_RN.sub_(target_RN)
            slope_RN.mul_(weight_N[rows, None])
            grad_ND[rows] += slope_RN @ z_ND
            grad_ND.addmm_(slope_RN.T, z_ND[rows])
    return total, grad_ND


def _softmax_(sim_RN: Tensor) -> tuple[Tensor, Tensor]:
    """Row softmax, in place, and the log-sum-exp of each row."""
    peak_R1 = sim_RN.amax(1, keepdim=True)
    sim_RN.sub_(peak_R1).exp_()
    sum_R1 = sim_RN.sum(1, keepdim=True)
    return sim_RN.div_(sum_R1), (peak_R1 + sum_R1.log()).squeeze(1)


def _positive_softmax(
    sim_RN: Tensor, group_R: Tensor, group_N: Tensor, positives_R: Tensor
) -> tuple[Tensor, Tensor]:
    """Softmax over the positives of each row alone, and the logarithm of their mean exponential.

    It has its own peak: at a small temperature the positives may be far below the nearest negative, and
    would all vanish after subtracting the row's peak. Both are zero in rows that have no positive.
    """
    positive_RN = sim_RN.masked_fill(group_R[:, None] != group_N, -torch.inf)
    lse_R = torch.logsumexp(positive_RN, 1)
    lse_R = torch.where(positives_R > 0, lse_R, 0)
    return positive_RN.sub_(lse_R[:, None]).exp_(), lse_R - positives_R.clamp_min(1).to(lse_R.dtype).log()


def _mean_positive(z_ND: Tensor, group_N: Tensor, groups: int, positives_N: Tensor) -> Tensor:
    """Mean of each embedding's positives, from the sums of the groups: no mask of pairs is needed."""
    sum_GD = z_ND.new_zeros(groups, z_ND.shape[1]).index_add_(0, group_N, z_ND)
    return (sum_GD[group_N] - z_ND) / positives_N.clamp_min(1)[:, None]

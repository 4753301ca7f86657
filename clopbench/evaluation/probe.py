"""Accuracy of frozen features: linear probe by L-BFGS, and nearest neighbours, on the features' device.

Shapes: N training images, M test images, F features, K classes, k neighbours.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from clopbench.data.colour import to_float
from clopbench.training.feed import Images, in_order

BATCH = 512
KNN_TEMPERATURE = 0.1
KNN_ROWS = 1024
PROBE_TOLERANCE = 1e-5
PROBE_ITERATIONS = 2000
TOP = (1, 5)

Accuracy = tuple[float, ...]
"""Share of images whose class is among the best 1, and the best 5."""


@torch.no_grad()
def extract(network: nn.Module, images: Images) -> Tensor:
    """The network's output for images without augmentation, in evaluation mode [N, F]."""
    was_training = network.training
    network.eval()
    batches = images.batches(in_order(len(images), BATCH))
    outputs = torch.cat([network(to_float(image_BCHW)) for image_BCHW in batches])
    network.train(was_training)
    return outputs


def linear_probe(train_NF: Tensor, y_N: Tensor, test_MF: Tensor, y_M: Tensor, inverse_l2: float) -> Accuracy:
    """Top-1 and top-5 of `probe_scores`."""
    score_MK, classes = probe_scores(train_NF, y_N, test_MF, inverse_l2)
    return top_k(score_MK, classes, y_M)


def probe_scores(train_NF: Tensor, y_N: Tensor, test_MF: Tensor, inverse_l2: float) -> tuple[Tensor, Tensor]:
    """Scores of multinomial logistic regression on standardised frozen features [M, K], and the K classes.

    Training images with label -1 are left out. `inverse_l2` is scikit-learn's C: the objective is the sum of
    cross-entropies plus ‖W‖²/(2C), the intercept free. Computed in float64.
    """
    labelled = y_N >= 0
    x_NF, y_N = train_NF[labelled].double(), y_N[labelled]
    centre_F, scale_F = x_NF.mean(0), x_NF.std(0, correction=0)
    scale_F = torch.where(scale_F > 0, scale_F, 1)
    x_NF = (x_NF - centre_F) / scale_F
    classes, target_N = y_N.unique(return_inverse=True)
    weight_FK, bias_K = _fit(x_NF, target_N, len(classes), inverse_l2)
    return ((test_MF.double() - centre_F) / scale_F) @ weight_FK + bias_K, classes


def _fit(x_NF: Tensor, target_N: Tensor, classes: int, inverse_l2: float) -> tuple[Tensor, Tensor]:
    """Weights [F, K] and biases [K] at the minimum, by scipy's L-BFGS with the objective on the device."""
    features = x_NF.shape[1]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = torch.from_numpy(flat).to(x_NF.device).view(features + 1, classes)
        logits_NK = torch.addmm(parameters[-1], x_NF, parameters[:-1])
        log_p_NK = logits_NK.log_softmax(1)
        penalty = parameters[:-1].square().sum() / (2 * inverse_l2 * len(x_NF))
        loss = -log_p_NK.gather(1, target_N[:, None]).mean() + penalty
        slope_NK = log_p_NK.exp_().div_(len(x_NF))
        slope_NK[torch.arange(len(x_NF), device=x_NF.device), target_N] -= 1 / len(x_NF)
        gradient = torch.empty_like(parameters)
        gradient[:-1] = x_NF.T @ slope_NK + parameters[:-1] / (inverse_l2 * len(x_NF))
        gradient[-1] = slope_NK.sum(0)
        return loss.item(), gradient.flatten().cpu().numpy()

    from scipy.optimize import minimize  # Half a second that the start of a cell need not wait for.

    start = np.zeros((features + 1) * classes)
    options = {"maxiter": PROBE_ITERATIONS, "gtol": PROBE_TOLERANCE, "ftol": 0.0}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
    parameters = torch.from_numpy(found).to(x_NF.device).view(features + 1, classes)
    return parameters[:-1], parameters[-1]


def nearest_neighbours(
    train_NF: Tensor, y_N: Tensor, test_MF: Tensor, y_M: Tensor, ks: Sequence[int], num_classes: int
) -> list[Accuracy]:
    """Top-1 and top-5 of a kNN vote weighted by exp(cosine / 0.1), for several k (Wu et al. 2018)."""
    train_NF = nn.functional.normalize(train_NF, dim=1)
    test_MF = nn.functional.normalize(test_MF, dim=1)
    most = min(max(ks), len(train_NF))
    parts = [(rows @ train_NF.T).topk(most, dim=1) for rows in test_MF.split(KNN_ROWS)]
    weight_Mk = (torch.cat([part.values for part in parts]) / KNN_TEMPERATURE).exp()
    label_Mk = y_N[torch.cat([part.indices for part in parts])]
    classes = torch.arange(num_classes, device=y_M.device)
    accuracies = []
    for k in ks:
        vote_MK = torch.zeros(len(test_MF), num_classes, device=test_MF.device)
        vote_MK.scatter_add_(1, label_Mk[:, :k], weight_Mk[:, :k])
        accuracies.append(top_k(vote_MK, classes, y_M))
    return accuracies


def top_k(score_MK: Tensor, classes: Tensor, y_M: Tensor, ks: Sequence[int] = TOP) -> Accuracy:
    """Share of images whose class is among the k best scored, for each k; ties go to the lower class."""
    ranked_MK = classes[score_MK.argsort(dim=1, descending=True, stable=True)]
    hit_MK = ranked_MK == y_M[:, None]
    return tuple(hit_MK[:, :k].any(1).double().mean().item() for k in ks)

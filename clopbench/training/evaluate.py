"""Accuracy of frozen features: linear probe and nearest neighbours.

Shapes: N training images, M test images, F features, K classes.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from clopbench.data.augment import to_float

BATCH = 512
KNN_TEMPERATURE = 0.1


@torch.no_grad()
def extract(network: nn.Module, images: Tensor) -> Tensor:
    """The network's output for uint8 images, without augmentation, in evaluation mode [N, F]."""
    was_training = network.training
    network.eval()
    outputs = torch.cat([network(to_float(batch)) for batch in images.split(BATCH)])
    network.train(was_training)
    return outputs


def linear_probe(
    train_NF: Tensor, y_N: Tensor, test_MF: Tensor, y_M: Tensor, inverse_l2: float
) -> tuple[float, float]:
    """Top-1 and top-5 accuracy of multinomial logistic regression on standardised frozen features.

    Training images with label -1 are left out. `inverse_l2` is scikit-learn's C.
    """
    labelled = (y_N >= 0).cpu().numpy()
    features, labels = train_NF.cpu().double().numpy()[labelled], y_N.cpu().numpy()[labelled]
    scaler = StandardScaler().fit(features)
    probe = LogisticRegression(C=inverse_l2, max_iter=2000)
    probe.fit(scaler.transform(features), labels)
    score_MK = probe.decision_function(scaler.transform(test_MF.cpu().double().numpy()))
    return top_k(score_MK, probe.classes_, y_M.cpu().numpy(), (1, 5))


def top_k(
    score_MK: np.ndarray, classes: np.ndarray, y_M: np.ndarray, ks: tuple[int, int]
) -> tuple[float, float]:
    """Share of images whose class is among the k best scored, for two values of k."""
    if score_MK.ndim == 1:
        score_MK = np.stack([-score_MK, score_MK], 1)
    ranked = classes[np.argsort(-score_MK, axis=1, kind="stable")]
    first, second = ((ranked[:, :k] == y_M[:, None]).any(1).mean() for k in ks)
    return float(first), float(second)


def nearest_neighbours(
    train_NF: Tensor, y_N: Tensor, test_MF: Tensor, y_M: Tensor, k: int, num_classes: int
) -> float:
    """Top-1 of a kNN vote weighted by exp(cosine / 0.1), over all training labels (Wu et al. 2018)."""
    train_NF = nn.functional.normalize(train_NF, dim=1)
    test_MF = nn.functional.normalize(test_MF, dim=1)
    similarity_Mk, index_Mk = (test_MF @ train_NF.T).topk(min(k, len(train_NF)), dim=1)
    weight_Mk = (similarity_Mk / KNN_TEMPERATURE).exp()
    vote_MK = torch.zeros(len(test_MF), num_classes, device=test_MF.device)
    vote_MK.scatter_add_(1, y_N[index_Mk], weight_Mk)
    return (vote_MK.argmax(1) == y_M).double().mean().item()

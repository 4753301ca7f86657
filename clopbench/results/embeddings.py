"""embeddings.npz: a few embeddings of a cell, beside its record and no part of it.

Shapes: N test images, D embedding dimensions, K classes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clopbench.results.arrays import read_npz
from clopbench.results.files import Unreadable

FILE = "embeddings.npz"
MOST_BYTES = 2**26
"""Five hundred images in a thousand dimensions, with prototypes for a thousand classes, take four."""


@dataclass(frozen=True)
class Embeddings:
    """L2-normalised embeddings of test images, their classes, and the method's prototypes if it has any."""

    z_ND: np.ndarray
    y_N: np.ndarray
    prototype_KD: np.ndarray | None


def read_embeddings(path: Path) -> Embeddings:
    """The arrays of an embeddings.npz, as float64. Raises FileNotFoundError, Unreadable where it is none."""
    arrays = read_npz(path, MOST_BYTES, ("z_ND", "y_N", "prototype_KD"))
    for name in ("z_ND", "y_N"):
        if name not in arrays:
            raise Unreadable(f"holds no {name}")
    kinds = {name: array.dtype.kind for name, array in arrays.items()}
    if kinds["y_N"] not in "iu" or any(kind != "f" for name, kind in kinds.items() if name != "y_N"):
        raise Unreadable("z_ND and prototype_KD must be floating-point numbers, y_N whole ones")
    z_ND, y_N = arrays["z_ND"].astype(np.float64), arrays["y_N"].astype(np.int64)
    if z_ND.ndim != 2 or y_N.shape != z_ND.shape[:1] or not z_ND.size or not np.isfinite(z_ND).all():
        raise Unreadable(f"z_ND must be finite [N, D] and y_N [N], not {z_ND.shape} and {y_N.shape}")
    if (y_N < 0).any():
        raise Unreadable("y_N must be classes, from 0")
    prototype_KD = arrays.get("prototype_KD")
    if prototype_KD is not None:
        prototype_KD = prototype_KD.astype(np.float64)
        if (
            prototype_KD.ndim != 2
            or prototype_KD.shape[1] != z_ND.shape[1]
            or not np.isfinite(prototype_KD).all()
        ):
            raise Unreadable(f"prototype_KD must be finite [K, {z_ND.shape[1]}], not {prototype_KD.shape}")
    return Embeddings(z_ND, y_N, prototype_KD)


def problem(path: Path) -> str | None:
    """Why a file cannot be used; None for a sound one, or where there is none."""
    try:
        read_embeddings(path)
    except FileNotFoundError:
        pass
    except Unreadable as damage:
        return str(damage)
    return None

"""A few embeddings of a trained cell, kept beside its record for figures. They are not part of the record.

Shapes: M test images, of which N are kept, D embedding dimensions, K classes.
"""

import io
from pathlib import Path

import numpy as np
import torch
from torch import nn

from clopbench.contrastive import normalised
from clopbench.data.colour import to_float
from clopbench.results.embeddings import FILE
from clopbench.results.records import write_atomic
from clopbench.training.feed import Images
from clopbench.training.model import Model

SEED = 0
"""Cells of this seed keep theirs: a figure shows one run, and a thousand would fill a disk."""
IMAGES = 500


@torch.no_grad()
def keep_embeddings(model: Model, test: Images, y_M: torch.Tensor, folder: Path) -> None:
    """Write embeddings.npz: z_ND (float16, normalised), y_N, and prototype_KD where the method has some.

    The images are spread evenly over the test set, which may be sorted by class. A disk that does not take the
    file must not cost the record.
    """
    chosen = np.linspace(0, len(y_M) - 1, min(IMAGES, len(y_M))).round().astype(np.int64)
    network = nn.Sequential(model.encoder, model.head).eval()
    z_ND = normalised(network(to_float(next(iter(test.batches([chosen]))))))
    arrays = {"z_ND": z_ND.cpu().numpy().astype(np.float16), "y_N": y_M.cpu().numpy()[chosen]}
    prototype_KD = getattr(model.method, "prototype_KD", None)
    if prototype_KD is not None:
        arrays["prototype_KD"] = prototype_KD.float().cpu().numpy()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    try:
        write_atomic(folder / FILE, buffer.getvalue())
    except OSError as error:
        print(f"{FILE} not written: {error}", flush=True)

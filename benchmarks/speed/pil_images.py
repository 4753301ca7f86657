"""Images as torchvision's and lightly's users load them: one PIL image at a time, in two worker processes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

WORKERS = 2


class PilImages(Dataset[Any]):
    """uint8 [N, H, W, 3] as a map-style data set; what `transform` makes of a PIL image is the item."""

    def __init__(self, pixels: np.ndarray, transform: Callable[[Image.Image], Any]):
        self.pixels, self.transform = pixels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Any:
        return self.transform(Image.fromarray(self.pixels[index]))


def loader(pixels: np.ndarray, transform: Callable[[Image.Image], Any], batch_size: int) -> DataLoader[Any]:
    """Shuffled full batches. The workers persist, so that a pass does not pay for starting them."""
    return DataLoader(
        PilImages(pixels, transform),
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )

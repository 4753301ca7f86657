"""One image file as pixels: uint8 [3, H, W], by Pillow. Shapes: C = 3 channels, H × W pixels."""

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from clopbench.data.walking import shown
from clopbench.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF", "GIF")
"""What Pillow may take a file for, whatever its name: of other formats it starts programs to read them."""
BITS_PER_SAMPLE = 258  # A tag of TIFF.
BATCH = 512  # Images decoded ahead of the one that is written.


def decode(path: Path, image_size: int | None = None) -> np.ndarray:
    """One image as uint8 [3, H, W].

    Palettes, greys and CMYK become RGB. EXIF orientation is not applied, and alpha is dropped. For image_size
    see `fitted`. Raises UserError where the file is no 8-bit image.
    """
    if not path.is_file():
        raise UserError(f"{shown(path)}: is no file")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if deep := _deep_mode(image):
                raise UserError(f"{shown(path)}: has pixels of mode {deep}, only 8-bit images can be used")
            # By way of RGBA: of a palette whose colours are transparent Pillow warns otherwise.
            rgb = (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")
    except UserError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything where a file is junk.
        reason = getattr(error, "strerror", None) or shown(str(error)) or type(error).__name__
        raise UserError(f"{shown(path)}: is no image that can be decoded ({reason})") from None
    return fitted(rgb, image_size)


def fitted(rgb: Image.Image, image_size: int | None) -> np.ndarray:
    """An image as uint8 [3, H, W].

    With image_size S it is resized to cover S × S (bicubic, antialiased, by Pillow) and the middle is kept, as
    torchvision's Resize(S) and CenterCrop(S) do.
    """
    if image_size is not None:
        rgb = ImageOps.fit(rgb, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))


def _deep_mode(image: Image.Image) -> str | None:
    """The mode of an image that is not loaded yet, where a channel has more than 8 bits, else None.

    Pillow has modes of one channel for it (I, F); of several it cuts the lower bits off without a word, and
    only the decoder that it means to use tells.
    """
    if image.mode.startswith(("I", "F")):
        return image.mode
    many = f"{image.mode} with more than 8 bits a channel"
    if max(_tiff_bits(image), default=8) > 8:
        return many
    for tile in getattr(image, "tile", ()):
        raw, *more = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if isinstance(raw, str) and re.search(r";16[BLN]$", raw):
            return many
        if tile.codec_name.startswith("ppm") and more and more[0] > 255:  # The value of white.
            return many
    return None


def _tiff_bits(image: Image.Image) -> tuple[int, ...]:
    return getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())


def decode_all(
    paths: Iterable[Path], image_size: int | None, expected: tuple[int, int, int]
) -> Iterator[np.ndarray]:
    """Decode in order, a few threads ahead. Raises UserError for the first image of another shape."""
    rest = iter(paths)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        while batch := list(islice(rest, BATCH)):
            for path, image in zip(batch, pool.map(lambda p: decode(p, image_size), batch), strict=True):
                if image.shape != expected:
                    raise UserError(
                        f"{shown(path)}: is {image.shape[2]}×{image.shape[1]} pixels, others are "
                        f"{expected[2]}×{expected[1]}; --image-size N makes all of them N×N"
                    )
                yield image

"""Files as pixels: kinds of images whose pixels are known by their specification, and files that are junk."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagetree import pixels, png, tiff
from PIL import Image

from clopbench.data.decoding import decode
from clopbench.errors import UserError

RAMP = bytes(range(0, 240, 5))
"""48 samples: 4×4 pixels of three channels, or 16 of them of one."""


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def netpbm(magic: str, white: int, samples: bytes) -> bytes:
    return f"{magic} 4 4 {white}\n".encode() + samples


def palette(**options) -> bytes:
    """Indices 0 … 15, whose colours are (10 i, 255 − i, 7)."""
    image = Image.frombytes("P", (4, 4), bytes(range(16)))
    image.putpalette(bytes(value for i in range(16) for value in (10 * i, 255 - i, 7)))
    return saved(image, "PNG", **options)


COLOURED = np.array(list(RAMP)).reshape(4, 4, 3).transpose(2, 0, 1)
GREY = np.array(list(RAMP[:16])).reshape(1, 4, 4).repeat(3, 0)
INDEXED = np.stack([10 * np.arange(16), 255 - np.arange(16), np.full(16, 7)]).reshape(3, 4, 4)
WITH_ALPHA = bytes(value for i in range(16) for value in (*RAMP[3 * i : 3 * i + 3], 15 * i))
GREY_ALPHA = bytes(value for i in range(16) for value in (RAMP[i], 15 * i))
GREY_IMAGE = Image.frombytes("L", (4, 4), RAMP[:16])
BITS = np.array([[(0b1010 >> (3 - x)) & 1 for x in range(4)]] * 4).reshape(1, 4, 4).repeat(3, 0) * 255

RIGHT: dict[str, tuple[bytes, np.ndarray]] = {
    "PNG": (png(RAMP, 4, 4, 8, 2), COLOURED),
    "PNG grey": (png(RAMP[:16], 4, 4, 8, 0), GREY),
    "PNG with alpha": (png(WITH_ALPHA, 4, 4, 8, 6), COLOURED),
    "PNG grey with alpha": (png(GREY_ALPHA, 4, 4, 8, 4), GREY),
    "PNG of one bit": (png(bytes([0b10100000] * 4), 4, 4, 1, 0), BITS),
    "TIFF": (tiff(RAMP, 4, 4, 8, 3), COLOURED),
    "TIFF grey": (tiff(RAMP[:16], 4, 4, 8, 1), GREY),
    "PPM": (netpbm("P6", 255, RAMP), COLOURED),
    "PGM": (netpbm("P5", 255, RAMP[:16]), GREY),
    "palette": (palette(), INDEXED),
    "palette with one transparent colour": (palette(transparency=3), INDEXED),
    "palette with alpha": (palette(transparency=bytes(range(0, 240, 15))), INDEXED),
    "WebP": (saved(Image.frombytes("RGB", (4, 4), RAMP), "WEBP", lossless=True, exact=True), COLOURED),
    "GIF": (saved(GREY_IMAGE, "GIF"), GREY),
    "BMP": (saved(Image.frombytes("RGB", (4, 4), RAMP), "BMP"), COLOURED),
    "two pages": (
        saved(GREY_IMAGE, "TIFF", save_all=True, append_images=[Image.new("L", (9, 9))]), GREY
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT)
def test_pixels_are_those_of_the_file(tmp_path, kind):
    content, expected = RIGHT[kind]
    (tmp_path / "x.png").write_bytes(content)
    np.testing.assert_array_equal(decode(tmp_path / "x.png"), expected)


def test_cmyk_becomes_rgb(tmp_path):
    """(1 − c)(1 − k) in each channel, but for JPEG's own losses."""
    colour = (0, 128, 255, 64)
    (tmp_path / "x.jpg").write_bytes(saved(Image.new("CMYK", (8, 8), colour), "JPEG", quality=100))
    expected = [(255 - ink) * (255 - 64) / 255 for ink in colour[:3]]
    np.testing.assert_allclose(decode(tmp_path / "x.jpg")[:, 4, 4], expected, atol=3)


DEEP: dict[str, tuple[bytes, str]] = {
    "PNG": (png(RAMP * 2, 4, 4, 16, 2), "RGB with"),
    "PNG grey": (png(RAMP[:32], 4, 4, 16, 0), "I;16"),
    "PNG with alpha": (png(WITH_ALPHA * 2, 4, 4, 16, 6), "RGBA with"),
    "PNG grey with alpha": (png(GREY_ALPHA * 2, 4, 4, 16, 4), "RGBA with"),
    "TIFF": (tiff(RAMP * 2, 4, 4, 16, 3), "RGB with"),
    "TIFF grey": (tiff(RAMP[:32], 4, 4, 16, 1), "I;16"),
    "PPM of 16 bits": (netpbm("P6", 65535, RAMP * 2), "RGB with"),
    "PPM of 10 bits": (netpbm("P6", 1023, RAMP * 2), "RGB with"),
    "PPM as text": (b"P3 1 1 65535\n7 8 9\n", "RGB with"),
    "PGM": (netpbm("P5", 65535, RAMP[:32]), "I"),
    "floats": (saved(Image.new("F", (4, 4)), "TIFF"), "F"),
    "integers": (saved(Image.new("I", (4, 4)), "TIFF"), "I"),
}


@pytest.mark.parametrize("kind", DEEP)
def test_more_than_8_bits_are_refused_and_not_cut_off(tmp_path, kind):
    content, mode = DEEP[kind]
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(
        UserError, match=rf"x\.png: has pixels of mode {mode}.*, only 8-bit images can be used$"
    ):
        decode(tmp_path / "x.png")


KINDS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF", "GIF")
WHOLE = {kind: saved(Image.fromarray(pixels(1, 1, 16)), kind) for kind in KINDS}


@settings(max_examples=80)
@given(st.sampled_from(KINDS), st.data())
def test_files_that_are_cut_or_garbled_are_an_image_or_one_line(tmp_path_factory, kind, data):
    content = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "garbled\n.png"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        image = decode(path, 8)
    except UserError as error:
        line = str(error)
    else:
        assert image.shape == (3, 8, 8) and image.dtype == np.uint8
        return
    assert "garbled\\n.png: " in line
    assert line.isprintable()


@pytest.mark.parametrize("what", ["folder", "nothing"])
def test_what_is_no_file_is_refused(tmp_path, what):
    path: Path = tmp_path / "x.png"
    if what == "folder":
        path.mkdir()
    with pytest.raises(UserError, match=r"x\.png: is no file$"):
        decode(path)

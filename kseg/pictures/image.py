"""Class ids as colours, over their photo, right and wrong; and how a picture becomes a file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from kseg.base.arguments import refused
from kseg.base.atomic import replacing
from kseg.base.colors import NOT_SCORED
from kseg.base.types import Color, PathLike

CUT = 2  # percent of the pixels of a photo whose numbers are of a range of their own
WRONG, RIGHT = (220, 50, 47), (225, 240, 225)
# Of zlib. Level 6, what encoders take by themselves, takes twice the time for photos and for noise;
# a photo is 4 % smaller then, a mask 5 %.
PNG_LEVEL = 4


def colorize(labels: ArrayLike, colors: Sequence[Color], void: int = 255) -> np.ndarray:
    """Class ids `(H, W)` -> RGB uint8 `(H, W, 3)`; void and unknown ids are black."""
    table = np.zeros((len(colors) + 1, 3), np.uint8)
    table[:-1] = np.reshape(colors, (-1, 3))
    labels = np.asarray(labels)
    known = (labels >= 0) & (labels < len(colors)) & (labels != void)
    return table[np.where(known, labels, len(colors))]


def as_rgb(image, bands=None, value_range=None):
    """A photo of any channels to look at: grey repeated, or three of several.

    Args:
        image: `(H, W, channels)`.
        bands: Positions of red, green and blue, or one of grey; None for the first three.
        value_range: Of the photo's numbers; None for 0..255. Of another range its darkest and
            brightest 2 % become black and white: sensors seldom use all of it.

    Returns:
        uint8 `(H, W, 3)`.

    Example:

    >>> as_rgb(np.array([[[1, 2]], [[3, 4]]], "uint8")).tolist(), as_rgb(image).shape
    ([[[1, 1, 1]], [[3, 3, 3]]], (48, 64, 3))
    >>> as_rgb(np.array([[[1, 2, 3, 4, 5]]], "uint8"), bands=(4, 2, 0)).tolist()
    [[[5, 3, 1]]]
    """
    if bands is not None and max(bands) >= image.shape[-1]:
        expected = f"positions below {image.shape[-1]}, the bands of the photo"
        raise refused("bands", tuple(bands), expected)
    if bands is None:
        bands = (0, 1, 2) if image.shape[-1] >= 3 else (0,)
    chosen = image[..., list(bands)]
    if value_range is not None:
        chosen = stretched(chosen)
    return np.repeat(chosen, 3, axis=-1) if len(bands) == 1 else chosen


def stretched(image):
    """Numbers `(H, W, c)` of any range as uint8, the 2 % at both ends black and white.

    >>> stretched(np.arange(101).reshape(1, 101, 1))[0, ::25, 0].tolist()
    [0, 61, 128, 194, 255]
    """
    image = image.astype(np.float32)
    black, white = np.percentile(image, (CUT, 100 - CUT))
    levels = (image - black) * (255 / max(white - black, 1e-12))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def picture_of(source, sample):
    """The photo of a sample to look at, by the bands that its source shows: uint8 `(H, W, 3)`."""
    return as_rgb(sample["image"], source.bands, source.value_range)


def with_palette(labels, colors):
    """Class ids `(H, W)` below 256 as a Pillow image that keeps them and is seen in their colours.

    >>> picture = with_palette(np.array([[0, 1]]), [(9, 9, 9), (200, 0, 0)])
    >>> np.asarray(picture).tolist(), picture.convert("RGB").getpixel((1, 0))
    ([[0, 1]], (200, 0, 0))
    """
    picture = Image.fromarray(np.asarray(labels).astype(np.uint8)).convert("P")
    palette = np.zeros((256, 3), np.uint8)  # of fewer, Pillow packs a pixel into less than 8 bits
    palette[: len(colors)] = colors
    picture.putpalette(palette.tobytes())
    return picture


def overlay(
    image: np.ndarray,
    labels: ArrayLike,
    colors: Sequence[Color],
    *,
    opacity: float = 0.5,
    void: int = 255,
) -> np.ndarray:
    """Lays the colours of the classes over a photo.

    Args:
        image: uint8 `(H, W, 3)`.
        labels: Class ids `(H, W)`; void pixels show the bare photo. Or, where a pixel may have
            several classes, `(H, W, C)`, of each 1 where it is: a pixel of several gets the mean of
            their colours, and each class an outline in its own.
        colors: RGB of each class.
        opacity: Share of the colour, 0..1.
        void: Label id without a colour.

    Returns:
        uint8 `(H, W, 3)`.

    Raises:
        ValueError: `labels` are of another size than the image, or of more classes a pixel than
            there are colours.
    """
    image, labels = np.asarray(image), np.asarray(labels)
    if image.shape[:2] != labels.shape[:2]:
        expected = f"an array as high and wide as the image, {image.shape[:2]}"
        raise refused("labels.shape", labels.shape, expected)
    if labels.ndim == 3:
        return _several(image, labels == 1, np.reshape(colors, (-1, 3)), opacity)
    labels = labels.astype(np.intp, casting="same_kind", copy=False)
    shares = np.append(np.full(len(colors) + 1, opacity), 0.0)  # of classes, unknown ids and void
    shown = np.concatenate([np.reshape(colors, (-1, 3)), np.zeros((2, 3), int)])
    known = (labels >= 0) & (labels < len(colors))
    place = np.where(labels == void, len(colors) + 1, np.where(known, labels, len(colors)))

    def mixed(levels, place):
        share = shares[place][..., None]
        return np.round(levels * (1 - share) + shown[place] * share).astype(np.uint8)

    if image.dtype != np.uint8:
        return mixed(image, place)
    # there are fewer mixtures than pixels: each is computed once
    levels = np.repeat(np.arange(256)[:, None], 3, axis=1)  # (256, 3)
    table = np.stack([mixed(levels, np.full(256, each)) for each in range(len(shares))])
    place = place * 256
    channels = [table[..., c].ravel().take(place + image[..., c]) for c in range(3)]
    return np.stack(channels, axis=-1)


def _several(image, held, colors, opacity):
    """A photo `(H, W, 3)` under the classes that its pixels have, bool `(H, W, C)`."""
    if len(colors) < held.shape[-1]:
        expected = f"a colour for each of the {held.shape[-1]} classes of labels"
        raise refused("colors", colors.tolist(), expected)
    colors = colors[: held.shape[-1]]
    count = held.sum(axis=-1, keepdims=True)
    mixed = image * (1 - opacity) + (held @ colors) / np.maximum(count, 1) * opacity
    picture = np.round(np.where(count > 0, mixed, image)).astype(np.uint8)
    for mask, color in zip(np.moveaxis(held, -1, 0), colors):
        picture[outline(mask)] = color
    return picture


def outline(mask):
    """The pixels of a mask, bool `(H, W)`, that have a neighbour outside of it; beyond is inside.

    >>> outline(np.array([[1, 1, 1, 0]]) > 0).astype(int).tolist()
    [[0, 0, 1, 0]]
    """
    inner = mask.copy()
    for here, there in ((inner, mask), (inner.T, mask.T)):
        here[1:] &= there[:-1]
        here[:-1] &= there[1:]
    return mask & ~inner


def errors(labels: ArrayLike, predicted: ArrayLike, void: int = 255) -> np.ndarray:
    """Right pixels pale, wrong pixels red, void grey: uint8 `(H, W, 3)`."""
    table = np.array([RIGHT, WRONG, NOT_SCORED], np.uint8)
    kind = np.where(labels == void, 2, (np.asarray(labels) != predicted).astype(int))
    return table[kind]


def save(picture: np.ndarray | Image.Image, path: PathLike) -> None:
    """Writes a Pillow image or a uint8 array as PNG; the file appears whole or not at all."""
    from pathlib import Path

    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        picture.save(temporary, compress_level=PNG_LEVEL)


def data_uri(picture: np.ndarray, most: int) -> str:
    """A picture as a small JPEG in a data URI.

    Args:
        picture: uint8 `(H, W, 3)`.
        most: Pixels of its longer side; a larger one is made smaller.

    Example:

    >>> data_uri(image, 32)[:23]
    'data:image/jpeg;base64,'
    """
    image = Image.fromarray(picture)
    image.thumbnail((most, most))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def png_uri(picture: np.ndarray) -> str:
    """A picture with transparency as a PNG in a data URI, which keeps every pixel.

    Of at most 256 colours it is a palette PNG, a few kilobytes for the labels of a photo.

    Args:
        picture: uint8 `(H, W, 4)`: RGB and opacity.

    Example:

    >>> png_uri(np.zeros((2, 2, 4), "uint8"))[:22]
    'data:image/png;base64,'
    """
    packed = np.ascontiguousarray(picture).view(np.uint32)[..., 0]
    colors, ids = np.unique(packed, return_inverse=True)
    stream = io.BytesIO()
    if len(colors) <= 256:
        table = colors.view(np.uint8).reshape(-1, 4)
        image = with_palette(ids.reshape(packed.shape), table[:, :3])
        image.save(stream, "PNG", transparency=table[:, 3].tobytes(), optimize=True)
    else:
        Image.fromarray(picture).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def shrunk(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The first two axes of an array at another size, by nearest neighbour: ids stay ids.

    >>> shrunk(np.arange(16).reshape(4, 4), (2, 2)).tolist()
    [[5, 7], [13, 15]]
    """
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for old, new in zip(values.shape[:2], size)
    )
    return values[rows][:, columns]

"""A picture on a page: the photo, and what is drawn over it as layers that one can switch."""

import math
from typing import NamedTuple

from kseg.pictures.image import data_uri, png_uri

LARGEST, SMALLEST = 720, 200  # pixels of the longer side of a picture
BYTES_A_PIXEL = 0.4  # of a photo with its layers, about, as text
ROOM = 3_600_000  # bytes that all pictures of a page may take


class Layer(NamedTuple):
    """What is laid over a photo: its name, whose it is of two runs, and a data URI."""

    name: str
    pane: int
    uri: str


class Shot(NamedTuple):
    """A photo with its layers.

    Args:
        name: Of the sample.
        value: Its score, in words.
        photo: A data URI.
        layers: `Layer`s.
        caption: `Entry`s.
    """

    name: str
    value: str
    photo: str
    layers: tuple
    caption: tuple = ()


def side_for(count, layers=3):
    """Pixels of the longer side of each of so many pictures, that a page stays small enough."""
    room = ROOM / max(1, count) / (BYTES_A_PIXEL * (1 + layers / 6))
    return int(min(LARGEST, max(SMALLEST, math.sqrt(room * 4 / 3))))


def size_for(shape, side):
    """Height and width of a picture whose longer side has at most `side` pixels.

    >>> size_for((360, 480), 240), size_for((36, 48), 240)
    ((180, 240), (36, 48))
    """
    factor = min(1.0, side / max(shape[:2]))
    return tuple(max(1, round(length * factor)) for length in shape[:2])


def shot(name, value, photo, layers, side, caption=()):
    """A `Shot` of arrays.

    Args:
        name, value, caption: As of `Shot`.
        photo: uint8 `(H, W, 3)`.
        layers: Tuples of a name, a number of the run, and uint8 `(h, w, 4)`.
        side: Pixels of the longer side of the photo as it is stored.
    """
    uris = tuple(Layer(layer, pane, png_uri(picture)) for layer, pane, picture in layers)
    return Shot(name, value, data_uri(photo, side), uris, tuple(caption))

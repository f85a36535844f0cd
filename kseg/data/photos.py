"""How the photos of a set are read: as bytes of JPEG and PNG, or as all the numbers that there are.

The first photo that can be read says it for all. Colours of 0..255 stay bytes until a transform
says which part of them is wanted; several bands, or numbers of a range that the set has said, are
read as they are stored, and `kseg.data.images` decides what they mean. What is said of them is the
same for every reader of files: `Numbers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range
from kseg.data.converted import by_python, photo_numbers
from kseg.data.decode import read_photo
from kseg.data.files import is_stacked, read_bands
from kseg.data.source import check_bands
from kseg.data.values import check_value_range

TRIED = 10  # photos, of which one is to be readable


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What is said of the numbers of a set's photos, which nothing in their files says.

    Args:
        value_range, bits, bands: As of `kseg.data.Source`.
        clip: Whether numbers beyond the range become its ends, in place of an error.

    Raises:
        ValueError: one of them is something else, or there is no range to clip to.
    """

    value_range: Range | None = None
    bits: int | None = None
    bands: Sequence[int] | None = None
    clip: bool = False

    def __post_init__(self):
        check_bands(self.bands)
        if self.clip and check_value_range(self.value_range, self.bits) is None:
            expected = "False where no range is said: photos are of 0..255, which nothing is beyond"
            raise refused("clip", self.clip, expected, "Give value_range=(low, high), or bits=.")

    def photos(self, paths):
        """The `Photos` of these paths, one for each sample; of several files joined by newlines."""
        said = check_value_range(self.value_range, self.bits)
        readers = (photo_reader(path, said, self.clip) for path in paths[:TRIED])
        files = paths[0].count("\n") + 1 if len(paths) else 1
        read = next(filter(None, readers), PhotoReader(files if files > 1 else None))
        return Photos(read, said, check_bands(self.bands, read.bands or 3))


@dataclasses.dataclass(frozen=True)
class Photos:
    """Reads the photos of a set inside `tf.data`, and knows what its `Source` says of them."""

    read: PhotoReader
    value_range: Range | None
    bands: tuple[int, ...] | None

    def __call__(self, path):
        """Bytes of a file of colours, or `(H, W, bands)`, by its path, a string scalar."""
        return self.read(path)

    @property
    def said(self) -> dict:
        """The arguments of a `Source` about its photos."""
        return {"value_range": self.value_range, "bands": self.bands}

    def beside(self, decode: Callable) -> Callable:
        """The `decode` of a `Source`, of one that gives all of a row's sample but the photo."""
        return lambda row: {"image": self.read(row["image"]), **decode(row)}


@dataclasses.dataclass(frozen=True)
class PhotoReader:
    """Reads a photo of a set inside `tf.data`: path, a string scalar -> bytes, or `(H, W, bands)`.

    Args:
        bands: Of every photo; None for files of colours, as bytes.
        dtype: Of their numbers.
        within: `(low, high)` that numbers are held within; None to leave them.
    """

    bands: int | None = None
    dtype: str = "uint8"
    within: Range | None = None

    def __call__(self, path):
        if self.bands is None:
            return read_photo(path)
        kind = np.dtype(self.dtype)
        numbers = by_python(
            lambda names: photo_numbers(names, self.bands, kind, self.within),
            path,
            np.zeros((0, 0, self.bands), kind),
        )
        return tensorflow().ensure_shape(numbers, (None, None, self.bands))


def photo_reader(first, value_range=None, clip=False):
    """The `PhotoReader` for photos like this one; None if it cannot be read, as the check says.

    Args:
        first: Path of a photo, or paths of its bands, joined by newlines.
        value_range: `(low, high)` of a set that says it.
        clip: Whether numbers are held within it. Default False.
    """
    try:
        files = str(first).split("\n")
        if value_range is None and len(files) == 1 and not is_stacked(first):
            return PhotoReader()
        numbers = read_bands(files)
    except Exception:  # of damaged bytes, libraries raise whatever they run into
        return None
    kind = numbers.dtype.newbyteorder("=")
    name = "uint8" if kind.kind == "b" else kind.name
    return PhotoReader(numbers.shape[-1], name, value_range if clip else None)

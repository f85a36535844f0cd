"""How the photos of a set are read: as bytes of JPEG and PNG, or as all the numbers that there are.

The first photo says it for all. Colours of 0..255 stay bytes until a transform says which part of
them is wanted; several bands, or numbers of a range that the set has said, are read as they are
stored, and `kseg.data.images` decides what they mean.
"""

import dataclasses

import numpy as np

from kseg.base.tensorflow import tensorflow
from kseg.data.converted import by_python, photo_numbers
from kseg.data.decode import read_photo
from kseg.data.files import is_stacked, read_numbers


@dataclasses.dataclass(frozen=True)
class PhotoReader:
    """Reads a photo of a set inside `tf.data`: path, a string scalar -> bytes, or `(H, W, bands)`.

    Args:
        bands: Of every photo; None for files of colours, as bytes.
        dtype: Of their numbers.
    """

    bands: int | None = None
    dtype: str = "uint8"

    def __call__(self, path):
        if self.bands is None:
            return read_photo(path)
        kind = np.dtype(self.dtype)
        numbers = by_python(
            lambda name: photo_numbers(name, self.bands, kind),
            path,
            np.zeros((0, 0, self.bands), kind),
        )
        return tensorflow().ensure_shape(numbers, (None, None, self.bands))


def photo_reader(first, value_range=None):
    """The `PhotoReader` for photos like this one.

    Args:
        first: Path of a photo. One that cannot be read is taken for a file of colours; the check
            says what is wrong with it.
        value_range: `(low, high)` of a set that says it.
    """
    try:
        if value_range is None and not is_stacked(first):
            return PhotoReader()
        numbers = read_numbers(first)
    except Exception:  # of damaged bytes, libraries raise whatever they run into
        return PhotoReader()
    kind = numbers.dtype.newbyteorder("=")
    return PhotoReader(numbers.shape[-1], "uint8" if kind.kind == "b" else kind.name)

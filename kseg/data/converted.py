"""Files that TensorFlow's graph cannot decode, brought once into a form that it can.

Python reads them (`kseg.data.files`), and what comes out is kept in the folder of the cache, by a
name that changes with the file: PNG of what is a photo of 0..255, NumPy's `.npy` of more bands or
other numbers. The same functions look at a file that is cut off, so that its name is in the error.
"""

import hashlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np

from kseg.base.tensorflow import tensorflow
from kseg.data.embedded import embedded, is_embedded
from kseg.data.errors import DataError, own_words, require
from kseg.data.files import (
    is_stacked,
    load_mask,
    load_photo,
    read_bands,
    read_numbers,
    reading,
    start_of,
)
from kseg.data.listing import ARRAYS
from kseg.data.values import clipped

UNKNOWN_ID = (
    "Correct the mask; of a folder, values=(1, 2, 3) says the value of each class, in order."
)
VERSION = 1  # of what is kept; what reads otherwise raises it
OF_GRAPHS = (b"\xff\xd8\xff", b"\x89PNG")  # beginnings of what TensorFlow decodes as it is

_whole = set()  # files that end otherwise than their kind does, and can be decoded all the same


def cache_folder():
    """The folder of what is kept: `$KSEG_CACHE`, or `~/.cache/kseg`."""
    return Path(os.environ.get("KSEG_CACHE") or Path.home() / ".cache" / "kseg")


def by_python(function, path, like):
    """`function(path)` inside `tf.data`; a `DataError` stops the step with its fields.

    Args:
        function: Function of a path to bytes or to an array.
        path: String scalar.
        like: What it gives where there is nothing: it tells the type.

    Returns:
        String scalar, or a tensor.
    """
    tf = tensorflow()

    def called(path):
        name = os.fsdecode(np.asarray(path).item())
        try:
            return function(name), b"", b"", b"", b""
        except DataError as error:
            message = error.message.removeprefix(repr(error.subject)).lstrip(": ")
            said = (error.kind, os.fsencode(error.subject), message, error.remedy)
            return like, *(text if isinstance(text, bytes) else text.encode() for text in said)

    kind = tf.string if isinstance(like, bytes) else tf.as_dtype(like.dtype)
    result, *fault = tf.numpy_function(called, [path], [kind, *[tf.string] * 4], stateful=False)
    kind, subject, message, remedy = fault
    fine = require(kind == b"", kind, subject, message, remedy)
    with tf.control_dependencies([fine]):
        return tf.identity(result)


def photo_bytes(path):
    """A photo as a file that TensorFlow decodes to what `load_photo` gives: bytes.

    Raises:
        DataError: it cannot be read.
    """
    content = embedded(path) if is_embedded(path) else start_of(path)
    if content.startswith(OF_GRAPHS):
        return _decodable(path, content if is_embedded(path) else Path(path).read_bytes())
    with reading(path):
        bands = read_numbers(path).shape[-1] if is_stacked(path) else 3
    if bands not in (1, 3):
        message = f"{path!r} has {bands} bands, and photos of colours are expected here."
        remedy = "Leave it out; kseg.data.folder reads sets of which all photos have as many."
        raise DataError("unsuitable", path, message, remedy)
    return kept(path, ".png", lambda: load_photo(path), _png).read_bytes()


def _decodable(path, content):
    """The bytes of a JPEG or PNG that may be cut off, if it can be decoded all the same."""
    tf = tensorflow()
    key = (path, len(content), os.stat(path).st_mtime_ns)
    if key not in _whole:
        try:
            with tf.device("CPU"):
                tf.io.decode_image(content, channels=3)
        except tf.errors.OpError as error:
            message = f"{path!r} cannot be read ({own_words(error.message)})."
            raise DataError("unreadable", path, message, "Replace or remove the file.") from error
        _whole.add(key)
    return content


def photo_numbers(paths, channels, dtype, within=None):
    """The stored numbers of a photo of several bands: an array `(H, W, channels)` of this type.

    Args:
        paths: Of its file, or of its bands' files, joined by newlines.
        channels, dtype: Of the set's photos.
        within: `(low, high)` that numbers are held within; None to leave them.

    Raises:
        DataError: it cannot be read, or is of other bands, or of another type.
    """
    files = paths.split("\n")
    path, array = files[0], read_bands(files, _stored_numbers)
    if array.shape[-1] != channels:
        message = f"{path!r} has {array.shape[-1]} bands, and the first photo has {channels}."
        raise DataError("unsuitable", path, message, "Give photos of one kind.")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if not np.can_cast(array.dtype, dtype, "safe"):
        message = f"{path!r} holds numbers of {array.dtype}, and the first photo {dtype}."
        raise DataError("unsuitable", path, message, "Give photos of one kind.")
    if within is not None:
        array = clipped(array, within)
    return np.ascontiguousarray(array, dtype)


def _stored_numbers(path):
    """The numbers of a file, from the cache where it is not NumPy's own, which needs no copy."""
    with reading(path):
        if str(path).lower().endswith(ARRAYS[0]):
            return read_numbers(path)
        return np.load(kept(path, ".npy", lambda: read_numbers(path), _npy))


def mask_ids(path, wide, signed=False):
    """The ids of a mask that is no PNG: int32 or uint8 `(H, W)`.

    Args:
        path: Of the file.
        wide: Whether ids may be above 255.
        signed: Whether they may be below 0. Default False.

    Raises:
        DataError: it cannot be read, is of colours, or has ids above 255 that are not wanted.
    """
    mask = load_mask(path)
    if mask.ndim == 3:
        message = f"{path!r}: this is a colour mask, but ids were expected."
        remedy = "Give the colour of each class (palette=)."
        raise DataError("color_mask", path, message, remedy)
    if mask.size and not ((signed or 0 <= mask.min()) and (wide or mask.max() < 256)):
        value = mask.min() if mask.min() < 0 else mask.max()
        expected = "expected at least 0" if value < 0 else "expected at most 255"
        message = f"{path!r}: the mask holds the value {value}, which is no class: {expected}."
        raise DataError("unknown_id", path, message, UNKNOWN_ID)
    return mask.astype(np.int32 if wide else np.uint8)


def kept(path, ending, make, encode):
    """The file in which what was made of another is kept.

    Args:
        path: The other.
        ending: Of the name.
        make: Function that reads it.
        encode: Function of what was made to bytes.

    Returns:
        A path; or what reads alike, where nothing can be written.
    """
    status = os.stat(path)
    said = repr((VERSION, os.path.abspath(path), status.st_size, status.st_mtime_ns))
    name = hashlib.blake2b(said.encode(), digest_size=16).hexdigest() + ending
    file = cache_folder().expanduser() / "photos" / name
    if file.is_file():
        return file
    content = encode(make())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:  # threads may make the same
            Path(folder, name).write_bytes(content)
            os.replace(Path(folder, name), file)
    except OSError:  # a full disk, or no place to write: it is made each time
        return Unkept(content)
    return file


class Unkept(io.BytesIO):
    """What could not be kept, to be read as a file is."""

    def read_bytes(self):
        return self.getvalue()


def _png(array):
    """uint8 `(H, W, 3)` -> the bytes of a PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()

"""What files of photos and masks hold, read in Python.

What a file holds is decided here, for all. `load_photo` gives the same bytes as
`kseg.data.decode.decode_photo`, whatever the file: grey is repeated, a palette becomes its colours,
alpha is dropped, 16 bits are cut to the upper 8. Of TIFF and NumPy's files more than three bands
stay what they are; and with a `value_range` the numbers do. EXIF orientation is not applied, by
either: masks are drawn on the stored raster.
"""

import contextlib
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.colors import voc_colors
from kseg.base.optional import install
from kseg.base.tensorflow import tensorflow
from kseg.data.channels import with_channels
from kseg.data.embedded import embedded, is_embedded, opened
from kseg.data.errors import DataError, MissingData, own_words
from kseg.data.listing import ARRAYS
from kseg.data.tiff import CompressedTiff, band_axis, check_one_page, is_tiff, layout_of, read_tiff
from kseg.data.values import NotAPhoto, as_bytes, clipped, numbers

PALETTE = np.array(voc_colors(256), np.uint8).tobytes()  # for PNGs of ids, as Pascal VOC's


PNG_DEPTH = 24  # byte of a PNG's header, section 11.2.1 of its specification; then the colour type
ALPHA = ("LA", "PA", "RGBA", "La", "RGBa")  # Pillow's modes
HIDDEN = "{} pixels are transparent and hold a number other than 0."
NOT_TRANSPARENT = (
    "Save the mask without transparency, in grey: what was erased as 0, what has no label as 255."
)
ONE_PAGE = "Save each page as a file of its own."
SEVERAL = ("GIF", "WEBP")  # of which a second page is another photo; of a JPEG it is a preview


def load_photo(path, channels=3, value_range=None, clip=False):
    """Reads a photo: path -> `(H, W, channels)`.

    With three channels and no range, the same bytes as `kseg.data.decode.decode_photo`.

    Args:
        path: A photo, or an array in NumPy's `.npy` or `.npz`; or a tuple of files with some of its
            bands each.
        channels: Of the model; None for those of the file, without alpha.
        value_range: `(low, high)` of its numbers, which then stay what they are; None for 0..255.
        clip: Whether numbers beyond that become its ends, in place of an error. Default False.

    Returns:
        uint8; with a range uint8, uint16 or float32.

    Raises:
        DataError: the file is missing, is no readable image, holds several pages, or has other
            channels or numbers.
    """
    if isinstance(path, tuple):
        with reading(path[0]):
            return _ranged(read_bands(path, _read_alone), channels, value_range, clip)
    with reading(path):
        if value_range is None and not is_stacked(path):  # of 0..255, which nothing is beyond
            return _by_pillow(path, lambda image: photo_array(image, channels or 3))
        return _ranged(read_numbers(path, channels == 4), channels, value_range, clip)


def _ranged(array, channels, value_range, clip):
    """The numbers of a photo as a model takes them; arguments as of `load_photo`."""
    array = numbers(clipped(array, value_range) if clip else array, value_range)
    return array if channels is None else with_channels(array, channels)


def _read_alone(path):
    with reading(path):
        return read_numbers(path)


def read_numbers(path, alpha=False):
    """The numbers of a photo as they are stored, `(H, W, bands)`; a palette's are its colours.

    Args:
        path: The file.
        alpha: Whether a fourth channel that is alpha is one of the bands. Default False.
    """
    path = Path(path)
    if path.suffix.lower() in ARRAYS:
        return load_array(path)
    start = embedded(path)[:32] if is_embedded(path) else start_of(path)
    if is_tiff(start):
        return _tiff_numbers(path, alpha)
    if start[:4] == b"\x89PNG" and start[PNG_DEPTH : PNG_DEPTH + 1] == b"\x10":
        return _deep_png(path, alpha)
    return _by_pillow(path, lambda image: pillow_numbers(image, alpha))


def read_bands(files, read=read_numbers):
    """The numbers of a photo that has a file, or several with some of its bands each.

    Args:
        files: Their paths, in the order of the bands.
        read: What reads one. Default `read_numbers`.

    Raises:
        DataError: they are not of one size, or not of one type.
    """
    arrays = [read(file) for file in files]
    first = arrays[0]
    for file, array in zip(files, arrays):
        if array.shape[:2] != first.shape[:2]:
            sizes = f"{array.shape[:2]}, and {str(files[0])!r} of {first.shape[:2]}"
            message = f"{str(file)!r} is of {sizes} pixels (height, width): expected bands of one."
            raise DataError("size_mismatch", file, message, "Export them again, at one size.")
        if array.dtype != first.dtype:
            message = f"{str(file)!r} holds {array.dtype}, and {str(files[0])!r} {first.dtype}."
            raise DataError("unsuitable", file, message, "Write the bands of a photo alike.")
    return first if len(arrays) == 1 else np.concatenate(arrays, axis=-1)


def _tiff_numbers(path, alpha):
    """Of a TIFF; what Pillow alone can undo (palettes, CMYK, its compressions), by Pillow."""
    layout = layout_of(path)
    if layout.is_plain and layout.dtype in ("uint8", "bool"):
        return _by_pillow(path, lambda image: pillow_numbers(image, alpha))
    try:
        array = read_tiff(path)
    except CompressedTiff:
        if not (layout.is_plain and layout.bands == 1):
            raise
        return _by_pillow(path, pillow_numbers)  # it knows some compressions more
    drop = layout.has_alpha and not alpha and array.shape[-1] in (2, 4)
    return array[..., :-1] if drop else array


def pillow_numbers(image, alpha=False):
    """The numbers of a Pillow image, `(H, W, bands)`; see `read_numbers`."""
    if image.mode == "F" or image.mode.startswith("I"):
        return np.asarray(image)[:, :, None]
    grey = image.mode in ("1", "L", "LA", "La")
    mode = "L" if grey else "RGBA" if alpha and has_alpha(image) else "RGB"
    array = np.array(image.convert(mode))
    return array[:, :, None] if grey else array


def _deep_png(path, alpha):
    """A PNG of 16 bits, by TensorFlow: of colours Pillow knows but the upper 8."""
    tf = tensorflow()
    with tf.device("CPU"):
        content = embedded(path) if is_embedded(path) else path.read_bytes()
        array = tf.io.decode_png(content, dtype=tf.uint16).numpy()
    return array if array.shape[-1] in (1, 3) or alpha else array[..., :-1]


def is_stacked(path):
    """Whether a photo is in a file that Pillow does not read, or not all of it: many bands."""
    if Path(path).suffix.lower() in ARRAYS:
        return True
    if not is_tiff(start_of(path)):
        return False
    return not layout_of(path).is_plain


def start_of(path, count=32):
    """The first bytes of a file; none of one that is not there."""
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError:
        return b""


def photo_array(image, channels=3):
    """A Pillow image of any mode -> uint8 `(H, W, channels)`.

    One channel is its luminance, three are RGB without alpha, four are RGBA and want an alpha.

    Raises:
        NotAPhoto: the image has no alpha, or its numbers are not those of a photo.
    """
    deep = image.mode == "F" or image.mode.startswith("I")
    if deep and channels != 4:  # Pillow would clip it instead of scaling
        return np.repeat(_deep_grey(image)[:, :, None], channels, axis=2)
    if channels in (1, 3):
        array = np.array(image.convert("L" if channels == 1 else "RGB"))
        return array.reshape(image.height, image.width, channels)
    if channels == 4 and has_alpha(image):
        return np.array(image.convert("RGBA"))
    raise refused(
        "image.mode",
        image.mode,
        f"{channels} channels for this model",
        "Give an array (height, width, channels), or its file in NumPy's .npy, or a TIFF.",
        error=NotAPhoto,
    )


def has_alpha(image):
    """Whether a Pillow image says which of its pixels are seen."""
    return image.mode in ALPHA or "transparency" in image.info


def _deep_grey(image):
    """A grey Pillow image of 16 or 32 bits -> uint8 `(H, W)`."""
    array = np.asarray(image)
    if image.mode == "F":
        return as_bytes(array)
    if image.mode != "I":  # it says that it has 16 bits, however dark it is
        return (array >> 8).astype(np.uint8)
    whole = array.min() >= 0 and array.max() < 65536
    return as_bytes(array.astype(np.uint16) if whole else array)


def load_array(path):
    """The array in a file of NumPy's, `(H, W, bands)`; of an `.npz` the only one.

    Raises:
        NotAPhoto: it is of another shape, an `.npz` holds several, or bands come first.
    """
    array = np.load(path, allow_pickle=False)
    if hasattr(array, "files"):
        with array as several:
            if len(several.files) != 1:
                held = ", ".join(several.files)
                expected = f"one array in the file, which holds {held or 'none'}"
                raise refused("arrays", len(several.files), expected, error=NotAPhoto)
            array = several[several.files[0]]
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "buif":
        expected = "numbers of a shape (height, width) or (height, width, bands)"
        raise refused("array", array, expected, error=NotAPhoto)
    if band_axis(array.shape) == 0 and array.shape[-1] > 3:
        expected = "(height, width, bands)"
        remedy = (
            "Bands come last: np.moveaxis(array, 0, -1). Of a volume, save each slice by itself."
        )
        raise refused("array.shape", array.shape, expected, remedy, NotAPhoto)
    return array


def load_mask(path):
    """Reads a mask: ids `(H, W)`, int32, where it is grey or has a palette, else `(H, W, 3)`.

    Of PNG, BMP, GIF, TIFF, `.npy` or `.npz`. Grey with alpha is grey.

    Raises:
        DataError: the file is missing, is no readable image, or holds several pages.
    """
    with reading(path):
        if is_tiff(start_of(path)) and layout_of(path).is_lossy:
            expected = "a mask compressed without loss, as PNG is"
            remedy = "JPEG changes ids: export the masks again, from the original."
            raise refused("compression", "JPEG", expected, remedy, NotAPhoto)
        if is_stacked(path):
            array = read_numbers(path)
            if array.dtype.kind == "f" and (array == np.rint(array)).all():
                array = array.astype(np.int64)  # as rasters and NumPy's own zeros are
            fits = array.shape[-1] in (1, 3) and array.dtype.kind in "bui"
            if not fits or array.shape[-1] == 3 and (array.sum(axis=-1) == 1).all():
                expected = "integers (height, width), one id a pixel"
                remedy = "Export it anew as PNG."
                if array.dtype.kind in "bui" and array.shape[-1] > 1:
                    remedy = "Of one-hot masks save np.argmax(mask, axis=-1); of pixels of several "
                    remedy += "classes give multilabel=True; of colours save them without alpha."
                raise refused("mask", array, expected, remedy, NotAPhoto)
            return np.squeeze(array.astype(np.int32), -1) if array.shape[-1] == 1 else array
        header = start_of(path)
        if header[:4] == b"\x89PNG" and header[PNG_DEPTH : PNG_DEPTH + 2] == b"\x10\4":
            return _without_alpha(_deep_png(Path(path), alpha=True))  # Pillow knows the upper 8
        mask = _by_pillow(path, _mask_array)
    if header[:4] == b"\x89PNG" and header[PNG_DEPTH + 1] == 0:
        mask //= {2: 85, 4: 17}.get(header[PNG_DEPTH], 1)  # which Pillow spreads to 0..255
    return mask


def is_one_bit(path):
    """Whether the mask in a file has one bit a pixel."""
    return not is_stacked(path) and _by_pillow(path, lambda image: image.mode == "1")


def _mask_array(image):
    if image.mode == "LA":
        return _without_alpha(np.array(image))
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    return np.array(image).astype(np.int32)


def _without_alpha(array):
    """The numbers of grey and alpha, `(H, W, 2)`: pixels that are not seen hold none but 0."""
    hidden = np.count_nonzero(array[..., 0][array[..., 1] == 0])
    if hidden:
        raise NotAPhoto(HIDDEN.format(hidden) + " " + NOT_TRANSPARENT)
    return array[..., 0].astype(np.int32)


def _by_pillow(path, array):
    """`array(image)` of the Pillow image in a file of one page."""
    from PIL import Image

    if is_tiff(start_of(path)):
        check_one_page(path)
    with Image.open(opened(path)) as image:
        pages = getattr(image, "n_frames", 1) if image.format in SEVERAL else 1
        if pages > 1:
            raise refused("pages", pages, "one page in a file", ONE_PAGE, NotAPhoto)
        return array(image)


@contextlib.contextmanager
def reading(path):
    """Whatever goes wrong within becomes a `DataError` that names the file."""
    from PIL import UnidentifiedImageError

    if not Path(path).is_file():
        message = f"{str(path)!r} does not exist: expected an image file."
        raise MissingData("missing", path, message)
    try:
        yield
    except DataError:
        raise
    except CompressedTiff as error:
        message = f"{str(path)!r} is a TIFF compressed by {error}, for which imagecodecs is missing"
        message += ": it comes with kseg's extra tiff."
        raise DataError("unsuitable", path, message, install("tiff")) from error
    except NotAPhoto as error:
        raise DataError("unsuitable", path, f"{str(path)!r}: {error}") from None
    except UnidentifiedImageError as error:
        message = f"{str(path)!r} cannot be read: no JPEG, PNG, BMP, GIF, TIFF or WebP file."
        raise DataError("unreadable", path, message, "Replace or remove the file.") from error
    except Exception as error:  # of damaged bytes, Pillow and tifffile raise whatever they run into
        raise DataError(
            "unreadable",
            path,
            f"{str(path)!r} cannot be read as an image ({own_words(str(error))}).",
            "Replace or remove the file.",
        ) from error

"""Files of photos and masks: listed, paired by name, and read with Pillow.

`load_photo` gives the same bytes as `kseg.data.decode.decode_photo` for every JPEG and PNG, be it
grey, palette, 16-bit, RGBA or CMYK: grey is repeated, alpha dropped, 16 bits cut to the upper 8.
EXIF orientation is not applied, by either: masks are drawn on the stored raster.
"""

import os
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.colors import voc_colors
from kseg.data.errors import DataError, MissingData, missing_folder
from kseg.data.values import NotAPhoto, as_bytes

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp")  # what training reads, by TensorFlow


# What Pillow reads, for predictions
READABLE = (*PHOTOS, ".gif", ".jfif", ".jp2", ".pgm", ".ppm", ".tga", ".tif", ".tiff", ".webp")


# Endings of what people take for photos, by which `kseg check` tells what was left out
PICTURES = (*READABLE, ".avif", ".cr2", ".dng", ".exr", ".heic", ".heif", ".nef", ".psd", ".svg")


MASKS = (".png",)  # a mask saved as JPEG has lost its ids


PALETTE = np.array(voc_colors(256), np.uint8).tobytes()  # for PNGs of ids, as Pascal VOC's


def list_files(folder, suffixes, argument, kind="missing"):
    """The files of a folder with one of these suffixes, by name; clear errors when there are none.

    Hidden files are none.

    Args:
        folder, argument: The folder, and the name of the argument that gave it, for the error.
        suffixes: Tuple of endings of names, in small letters.
        kind: Of the error for a folder that does not exist, where that is less than a fault.

    Returns:
        List of paths, as strings: they may be millions.

    Raises:
        MissingData: the folder does not exist, or holds no such file.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise missing_folder(argument, folder, kind)
    with os.scandir(folder) as entries:  # tells files from folders without a look at each
        files = sorted(
            entry.path
            for entry in entries
            if entry.name.lower().endswith(suffixes)
            and not entry.name.startswith(".")  # ._a.jpg, as macOS leaves them in archives
            and entry.is_file()
        )
    if not files:
        others = left_out(folder, suffixes)
        held = f", but {len(others)} others: {shortened(others)}" if others else ""
        raise MissingData(
            "missing",
            folder,
            f"{argument}={str(folder)!r} holds no file ending in {', '.join(suffixes)}{held}.",
            "Check the path, or convert the files to one of these formats.",
        )
    return files


def left_out(folder, suffixes):
    """Names of the files of a folder that end otherwise than in `suffixes`; hidden ones are none.

    Args:
        folder: A folder.
        suffixes: Tuple of endings of names, in small letters.
    """
    with os.scandir(folder) as entries:
        others = (e for e in entries if not e.name.lower().endswith(suffixes))
        return sorted(e.name for e in others if not e.name.startswith(".") and e.is_file())


def shortened(names, most=3):
    """Names in one line, the first few of them and the number of the rest.

    >>> shortened(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def stem(path):
    """File name without folder and ending."""
    return os.path.splitext(os.path.basename(path))[0]


def pair_by_name(images, masks, mask_suffix=""):
    """Photo paths and their mask paths, matched by file name without ending.

    Raises:
        MissingData: a photo has no mask; the message names the first of them.
    """
    by_name = {stem(mask): mask for mask in masks}
    missing = [image for image in images if stem(image) + mask_suffix not in by_name]
    if missing:
        first = missing[0]
        raise MissingData(
            "unpaired",
            first,
            f"{len(missing)} of {len(images)} images have no mask; the first is {first!r}: "
            f"expected {stem(first) + mask_suffix}.png in {os.path.dirname(masks[0])!r}.",
            "Add the mask or remove the image.",
        )
    return [by_name[stem(image) + mask_suffix] for image in images]


def missing(paths):
    """Which of these files do not exist; they may be millions, so each folder is listed once."""
    there, absent = {}, []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in there:
            there[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if name not in there[folder]:
            absent.append(path)
    return absent


def column(paths):
    """A list of strings as a column of a `Source`."""
    return np.array([str(path) for path in paths], dtype=object)


def load_photo(path, channels=3):
    """Reads a photo with Pillow: path -> uint8 `(H, W, channels)`.

    With three channels the same bytes as `kseg.data.decode.decode_photo`.

    Raises:
        DataError: the file is missing, is no readable image, or has other channels.
    """
    return _read(path, lambda image: photo_array(image, channels))


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
    if channels == 4 and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
        return np.array(image.convert("RGBA"))
    raise refused(
        "image.mode",
        image.mode,
        f"{channels} channels for this model",
        "Give an array (height, width, channels), or its file in NumPy's .npy.",
        error=NotAPhoto,
    )


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
    """The array in a file of NumPy's `.npy`, of a `pathlib.Path`.

    Raises:
        DataError: the file is missing, or holds no array.
    """
    if not path.is_file():
        raise MissingData("missing", path, f"{str(path)!r} does not exist: expected an image file.")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        message = f"{str(path)!r} cannot be read as an array ({error})."
        raise DataError("unreadable", path, message, "Replace or remove the file.") from error


def load_mask(path):
    """Reads a mask with Pillow: ids `(H, W)` of a grey or palette PNG, else colours `(H, W, 3)`."""
    mask = _read(path, _mask_array)
    with open(path, "rb") as file:
        header = file.read(26)
    if header[:4] == b"\x89PNG" and header[25] == 0:  # grey of 2 or 4 bits Pillow spreads to 0..255
        mask //= {2: 85, 4: 17}.get(header[24], 1)
    return mask


def _mask_array(image):
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    return np.array(image).astype(np.int32)


def _read(path, array):
    """`array(image)` of the Pillow image in a file."""
    from PIL import Image

    if not Path(path).is_file():
        message = f"{str(path)!r} does not exist: expected an image file."
        raise MissingData("missing", path, message)
    try:
        with Image.open(path) as image:
            return array(image)
    except NotAPhoto as error:
        raise DataError("unsuitable", path, f"{str(path)!r}: {error}") from None
    except Exception as error:  # of damaged bytes, Pillow raises whatever it runs into
        raise DataError(
            "unreadable",
            path,
            f"{str(path)!r} cannot be read as an image ({error}).",
            "Replace or remove the file.",
        ) from error

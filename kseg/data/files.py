"""Files of photos and masks: listed, and paired by name. `kseg.data.load` reads them."""

import os
from pathlib import Path

import numpy as np

from kseg.base.colors import voc_colors
from kseg.data.errors import MissingData, missing_folder

# Endings of files with the numbers of a photo or a mask, as NumPy writes them
ARRAYS = (".npy", ".npz")


# Endings of photos that are read, for training and predictions alike
PHOTOS = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".jp2", ".pgm", ".ppm", ".tga"),
    *(".tif", ".tiff", ".webp", *ARRAYS),
)


# Endings of what people take for photos, by which `kseg check` tells what was left out
PICTURES = (*PHOTOS, ".avif", ".cr2", ".dng", ".exr", ".heic", ".heif", ".nef", ".psd", ".svg")


# A mask saved as JPEG has lost its ids
MASKS = (".png", ".bmp", ".gif", ".tif", ".tiff", *ARRAYS)


PALETTE = np.array(voc_colors(256), np.uint8).tobytes()  # for PNGs of ids, as Pascal VOC's


def list_files(folder, suffixes, argument, kind="missing"):
    """The files of a folder with one of these suffixes, by name; clear errors when there are none.

    Hidden files are left out.

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
            if entry.name.lower().endswith(suffixes) and not is_hidden(entry) and entry.is_file()
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
        return sorted(e.name for e in others if not is_hidden(e) and e.is_file())


def is_hidden(entry):
    """Whether a file is one that people do not see, as macOS' `._a.jpg` in archives."""
    return entry.name.startswith(".")


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

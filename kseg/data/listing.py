"""Files of photos and masks in folders: which there are, which are left out, which go together."""

import os
import re
import unicodedata
from pathlib import Path

import numpy as np

from kseg.data.errors import DataError, MissingData, missing_folder

# Endings of files with the numbers of a photo or a mask, as NumPy writes them
ARRAYS = (".npy", ".npz")


# Endings of photos that are read, for training and predictions alike
PHOTOS = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".jp2", ".pgm", ".ppm", ".tga"),
    *(".tif", ".tiff", ".webp", *ARRAYS),
)


# Endings of what people take for photos, by which `kseg check` tells what was left out
PICTURES = (
    *(*PHOTOS, ".arw", ".avif", ".cr2", ".cr3", ".dng", ".exr", ".heic", ".heif", ".hdr", ".j2k"),
    *(".jpe", ".jpf", ".jpx", ".jxl", ".mpo", ".nef", ".orf", ".pbm", ".pcx", ".pnm", ".psd"),
    *(".raf", ".raw", ".rw2", ".svg"),
)


# Of medicine, with many slices, which are not read
VOLUMES = (".nii", ".nii.gz", ".dcm", ".dicom", ".nrrd", ".mha", ".mhd")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar", ".tar.bz2", ".tar.xz")


# A mask saved as JPEG has lost its ids
LOSSY = (".jpg", ".jpeg", ".jfif")
MASKS = (".png", ".bmp", ".gif", ".tif", ".tiff", *ARRAYS)


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
        named = [e for e in entries if e.name.lower().endswith(suffixes) and not is_hidden(e)]
    files = sorted(entry.path for entry in named if entry.is_file())
    if broken := sorted(e.path for e in named if e.is_symlink() and not os.path.exists(e.path)):
        message = f"{broken[0]!r} is a link to what does not exist.{likewise(broken[1:])}"
        raise MissingData("missing", broken[0], message, "Correct the links, or remove them.")
    if not files:
        others, remedy = left_out(folder, suffixes), "Check the path, or convert the files to one "
        held = f", but {len(others)} others: {shortened(others)}" if others else ""
        remedy += "of these formats."
        if suffixes is MASKS and others and all(n.lower().endswith(LOSSY) for n in others):
            remedy = "JPEG changes ids: export the masks again as PNG, from the original."
        elif any(name.lower().endswith(VOLUMES) for name in others):
            remedy = "Volumes are not read: write their slices as PNG, photos and masks alike."
        elif others and all(name.lower().endswith(".json") for name in others):
            remedy = f"Photos inside labelme's files come out by kseg convert labelme:{folder} "
            remedy += "folder:PHOTOS."
        elif not others and (inner := sorted(path.name for path in folder.glob("*/"))):
            held = f", but the folders {shortened(inner)}"
            remedy = "Say how photos and masks are named: pairs=('images/{}.jpg', 'masks/{}.png')."
        message = f"{argument}={str(folder)!r} holds no file ending in {', '.join(suffixes)}{held}."
        raise MissingData("missing", folder, message, remedy)
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


LONGEST = 200  # characters of a name in a list of them


def shortened(names, most=3):
    """Names in one line, the first few of them and the number of the rest.

    >>> shortened(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    shown = (n if len(n) <= LONGEST else f"{n[:LONGEST]}..." for n in map(str, names[:most]))
    return ", ".join(shown) + more


def likewise(places, most=10):
    """A sentence on further places of a fault that has been told of one; "" if there is none.

    >>> likewise(["b.jpg", "c.jpg"], most=1)
    ' Likewise b.jpg and 1 more.'
    """
    return f" Likewise {shortened(list(places), most)}." if places else ""


def stem(path):
    """File name without folder and ending."""
    return os.path.splitext(os.path.basename(path))[0]


def same_name(name):
    """A name as it is compared: letters with marks may be stored in two ways, as macOS does it."""
    return unicodedata.normalize("NFC", name)


def pair_by_name(images, masks, mask_suffix, faults):
    """The mask of each photo, matched by file name without ending.

    Args:
        images, masks: Paths.
        mask_suffix: What a mask's name adds to its photo's.
        faults: `kseg.data.faults.Faults`, to which photos without a mask are added.

    Returns:
        List of paths; None for a photo without one.
    """
    by_name, twice = {}, {}
    for mask in masks:
        name = same_name(stem(mask))
        if by_name.setdefault(name, mask) != mask:
            twice[name] = mask
    names = [same_name(stem(image) + mask_suffix) for image in images]
    missing = [image for image, name in zip(images, names) if name not in by_name]
    if missing:
        first, remedy = missing[0], "Add the mask or remove the image."
        name = re.escape(same_name(stem(first)))
        own = [mask for mask in masks if re.match(rf"{name}[-_. ]\D{{0,9}}\d+$", stem(mask))]
        if len(own) > 1:
            remedy = (
                f"{os.path.basename(own[0])} and {os.path.basename(own[1])} look like masks of "
            )
            remedy += (
                f"an object each: move those of a photo into a folder of its name, {stem(first)}."
            )
        elif suffix := _suffix(names, by_name):
            remedy = f"Give mask_suffix={mask_suffix + suffix!r}, which the masks' names add."
        error = MissingData(
            "unpaired",
            first,
            f"{len(missing)} of {len(images)} images have no mask; the first is {first!r}: "
            f"expected {stem(first) + mask_suffix}.png in {os.path.dirname(masks[0])!r}."
            f"{likewise(list(map(os.path.basename, missing[1:])))}",
            remedy,
        )
        faults.add(error)
    for name in names:
        if name in twice:
            message = f"{by_name[name]!r} and {twice[name]!r} are of one photo: expected one mask."
            remedy = "Move the masks of one kind into a folder of their own."
            place = repr(os.path.basename(twice[name]))
            faults.add(DataError("unpaired", twice[name], message, remedy), place)
    return [None if name in twice else by_name.get(name) for name in names]


def _suffix(names, masks):
    """What all masks' names add to those of their photos; None if they do not."""
    if any(name in masks for name in names):
        return None
    own = (mask[len(names[0]) :] for mask in masks if mask.startswith(names[0]))
    return next((end for end in own if all(name + end in masks for name in names)), None)


def complete(*columns):
    """Positions at which no column has None."""
    return [index for index, row in enumerate(zip(*columns)) if None not in row]


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


def missing_set(path):
    """The error for the folder of a set that is none."""
    if path.expanduser().is_file():
        message = f"{str(path)!r} is a file: expected the folder of the data set."
        remedy = f"Give the folder that it lies in, {str(path.parent)!r}."
        if path.name.lower().endswith(ARCHIVES):
            remedy = "Unpack it, and give the folder."
        elif path.name.lower().endswith(VOLUMES):
            remedy = "Volumes are not read: write their slices as PNG, photos and masks alike."
        return MissingData("missing", path, message, remedy)
    message = f"{str(path)!r} does not exist: expected the folder of the data set."
    return MissingData("missing", path, message)

"""What nobody says of a folder of masks, and its files do: names, values, colours of classes."""

import os

import numpy as np

from kseg.data.class_lists import class_list
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.files import load_mask
from kseg.data.listing import LOSSY, MASKS, left_out, list_files
from kseg.data.pairs import files_below, is_pattern, is_split, paired
from kseg.data.readers.folder_objects import BOWL, bowl
from kseg.data.source import VOID, spread

LOOKED_AT = 32  # masks
MOST = 24  # values or colours that masks of classes may hold
SOFT = 6  # values between black and white that say so
BINARY = ("background", "object")
BLACK_AND_WHITE = ((0, 0, 0), (255, 255, 255))  # the same, saved in colours
BINARY_VALUES = ({0, 1}, {0, VOID}, {0, 1, VOID})  # of the last, the third is void


def folder_options(spec):
    """The options of `kseg.data.spec.DataSpec` that a folder's files say, and nobody else.

    Args:
        spec: Of a `folder`, with `pairs` unless it has the usual folders.

    Returns:
        dict of `class_names`, and with them `values`, `palette` and `void_values`; empty where
        names are given.

    Raises:
        MissingData: no file says names, nor do the masks themselves; what they hold is told.
    """
    if spec.class_names is not None:
        return {}
    listed = class_list(spec.path, *(spec.path / name for name in ("masks", "images", "train")))
    if listed is None:
        return _by_looking(spec)
    said = {"class_names": listed.class_names}
    given = [n for n in ("values", "palette", "void_values") if getattr(spec, n) is not None]
    if spec.instances and spec.class_masks is None or given:
        return said
    in_colors = listed.palette is not None and _in_colors(spec)
    if in_colors:
        said |= {"palette": listed.palette, "void_values": listed.void_colors}
    else:
        said |= {"values": listed.values, "void_values": listed.void_values}
    return {name: value for name, value in said.items() if value is not None}


def has_usual_names(root):
    """Whether a folder has `images` and `masks`, and a photo and a mask of one name.

    A mask may be a folder too, of one file for each object. Where one of the two is empty, what
    reads them says so.
    """
    names = []
    for folder in (root / "images", root / "masks"):
        if not folder.is_dir():
            return False
        names.append({os.path.splitext(file)[0] for file in files_below(folder)})
    if names[0] and all("/" in name and not is_split(name.split("/")[0]) for name in names[0]):
        return False  # photos in sub-folders, which patterns take
    images, masks = names
    masks |= {os.path.dirname(name) for name in masks}
    return not (images and masks) or bool(images & masks)


def masks_of(spec):
    """Paths of the masks of a folder, a few of them; none where that is for its reader to say."""
    try:
        if spec.class_masks is not None and not is_pattern(spec.class_masks):
            masks = list_files(spec.path / spec.class_masks, MASKS, "class_masks")
        elif spec.pairs == BOWL:
            masks = [path for each in bowl(spec.path)[1] for path in each.split("\n") if path]
        elif spec.pairs:
            masks = [p.mask for p in paired(spec.path, *spec.pairs, faults=Faults()) if p.mask]
        else:
            folders = [spec.path / "masks", *sorted((spec.path / "masks").glob("*/"))]
            masks = [
                path
                for folder in folders
                if any(folder.glob("*.[pP][nN][gG]"))
                for path in list_files(folder, MASKS, "masks")
            ]
    except (DataError, OSError):
        return []
    return [masks[i] for i in spread(len(masks), LOOKED_AT)] if masks else []


def _in_colors(spec):
    """Whether the first mask that can be read is in colours."""
    for path in masks_of(spec):
        try:
            return load_mask(path).ndim == 3
        except DataError:
            continue
    return False


def _by_looking(spec):
    """Names of a set of two values; of others, the error that says what the masks hold."""
    values, colors = set(), set()
    for path in masks_of(spec):
        try:
            mask = load_mask(path)
        except DataError:
            continue
        if mask.ndim == 3:
            colors |= {tuple(color) for color in _some(mask.reshape(-1, 3))}
        else:
            values |= {int(value) for value in _some(mask.ravel())}
    given = [n for n in ("values", "palette", "void_values") if getattr(spec, n) is not None]
    if not (spec.instances or given or colors) and _of_an_object_each(spec):
        return {"class_names": BINARY}
    if not (spec.instances or given or colors) and values in BINARY_VALUES:
        return {"class_names": BINARY, "values": (0, VOID if values == {0, VOID} else 1)}
    if not (spec.instances or given or values) and colors == {*BLACK_AND_WHITE}:
        return {"class_names": BINARY, "palette": BLACK_AND_WHITE}
    raise _unnamed(spec, sorted(values), sorted(colors))


def _of_an_object_each(spec):
    """Whether each object has a mask of its own, in a folder of its photo's name."""
    if spec.pairs is not None or not (spec.path / "images").is_dir():
        return spec.pairs == BOWL
    names = {os.path.splitext(os.path.basename(f))[0] for f in files_below(spec.path / "images")}
    return any(folder.name in names for folder in (spec.path / "masks").glob("*/"))


def _no_masks(spec):
    """The error for a folder of masks in which no file is one; None if there are some, or none."""
    folder = spec.path / "masks"
    if spec.pairs or spec.class_masks or not folder.is_dir():
        return None
    try:
        list_files(folder, MASKS, "masks")
    except MissingData as error:
        if left_out(folder, LOSSY):
            return error
        remedy = "JPEG has changed the ids: export the masks as PNG, from the original."
        return MissingData("missing", folder, error.message, remedy)
    return None


def _some(pixels):
    return np.unique(pixels, axis=0)[: 4 * MOST].tolist()


def _are_soft(values):
    """Whether values are those between black and white, and not numbers of classes beside void."""
    between = [value for value in values if 0 < value < VOID]
    return {0, VOID} <= {*values} and len(between) > SOFT and max(between) > 4 * len(values)


def _unnamed(spec, values, colors):
    """The error for masks of which nobody says the classes."""
    remedy = (
        "Write the class names there, one a line in the order of their ids, or give "
        "class_names=('background', 'cell', ...)."
    )
    held = ""
    if spec.instances:
        remedy = "Give the name of the objects: class_names=('cell',)."
    elif not (values or colors) and (others := _no_masks(spec)):
        return others
    elif colors and len(colors) + len(values) == 1:
        held = " All masks are of one colour."
        remedy = "Look whether they are drawn: maybe in their alpha, which is not read."
    elif colors and len(colors) <= MOST:
        names = tuple(f"class{i}" for i in range(len(colors)))
        held = f" The masks hold {len(colors)} colours."
        remedy = f"Name their classes in this order: class_names={names} palette={tuple(colors)}."
    elif colors:
        held = f" The masks hold {len(colors)} colours or more, so they may be JPEG, or no masks."
    elif _are_soft(values):
        held = f" The masks hold {len(values)} values or more from 0 to 255, as of soft edges."
        remedy = (
            "Save them with hard edges, without anti-aliasing and never as JPEG: black and white "
        )
        remedy += "as 0 and 255."
    elif values and len(values) <= MOST:
        names = tuple(f"class{i}" for i in range(len(values)))
        gaps = values != list(range(len(values)))
        held = f" The masks hold the values {', '.join(map(str, values))}."
        remedy = f"Name their classes in this order: class_names={names}"
        remedy += f" values={tuple(values)}." if gaps else "."
    path = spec.path / "classes.txt"
    return MissingData("missing", path, f"{str(path)!r} does not exist.{held}", remedy)

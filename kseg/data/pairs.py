"""Photos and their masks by patterns: `{}_sat.jpg` with `{}_mask.png`.

Each `{}` stands for any text, folders and all, and what stands there in the name of a photo stands
there in the name of its mask. A pattern without an ending means any that is read.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from kseg.base.arguments import refused
from kseg.data.errors import MissingData, missing_folder
from kseg.data.files import MASKS, PHOTOS

HOLE = "{}"
# What sets call their splits, beside the name itself
ALIASES = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}


class Pair(NamedTuple):
    """A photo and its mask, and what stands for the holes in both."""

    key: tuple[str, ...]
    photo: str
    mask: str


def is_pattern(path):
    """Whether a path is a pattern: it has a `{}`."""
    return HOLE in str(path)


def files_below(root):
    """Paths of all files below a folder, with `/`, from there, by name; hidden ones are none.

    Raises:
        MissingData: there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise missing_folder("data", root)
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inner = Path(folder).relative_to(root).as_posix()
        start = "" if inner == "." else f"{inner}/"
        found += [start + name for name in sorted(names) if not name.startswith(".")]
    return found


def matching(files, pattern, endings):
    """The files that a pattern means: what stands for its holes, a tuple -> the file.

    Args:
        files: Paths with `/`.
        pattern: Of such a path.
        endings: Those that a pattern without one means, in small letters.

    Raises:
        ValueError: two files differ in their endings alone.

    Example:

    >>> matching(["a_sat.jpg", "b/c_sat.jpg", "a_mask.png"], "{}_sat", (".jpg",))
    {('a',): 'a_sat.jpg', ('b/c',): 'b/c_sat.jpg'}
    """
    fixed = [re.escape(piece) for piece in pattern.split(HOLE)]
    # a last piece with a dot in it has an ending: "_mask.png"; the holes before may hold dots
    ending = (
        ""
        if os.path.splitext(pattern.split(HOLE)[-1])[1] or fixed[-1].startswith(r"\.")
        else ("(?:" + "|".join(map(re.escape, endings)) + ")")
    )
    expression = re.compile("(.+)".join(fixed) + ending, re.IGNORECASE)
    found = {}
    for file in files:
        match = expression.fullmatch(file)
        if match and found.setdefault(match.groups(), file) != file:
            both = f"{found[match.groups()]!r} and {file!r}"
            expected = f"a pattern that means one of {both}, which differ in their endings"
            raise refused("pairs", pattern, expected, "Write the ending too.")
    return found


def paired(root, photos, masks):
    """Photos and masks below a folder, by two patterns.

    Args:
        root: The folder.
        photos, masks: Patterns of paths from there, with equally many holes.

    Returns:
        List of `Pair`, by key; the paths are whole. A file that is a mask by its pattern is no
        photo.

    Raises:
        ValueError: they are no such patterns.
        MissingData: there is no photo, or one without a mask.
    """
    counts = [pattern.count(HOLE) for pattern in (photos, masks)]
    if photos == masks or counts[0] != counts[1] or not counts[0]:
        expected = "two different patterns with equally many {}, of photos and of masks"
        raise refused(
            "pairs", (photos, masks), expected, "As in pairs=('{}_sat.jpg', '{}_mask.png')."
        )
    files = files_below(root)
    of_masks = matching(files, masks, MASKS)
    known = set(of_masks.values())
    of_photos = matching([file for file in files if file not in known], photos, PHOTOS)
    if not of_photos:
        first = f", such as {files[0]!r}" if files else ""
        message = (
            f"No file in {str(root)!r} is of the pattern {photos!r}: it holds {len(files)}{first}."
        )
        raise MissingData(
            "missing", root, message, "Give the patterns of photos and masks (pairs=)."
        )
    alone = [key for key in of_photos if key not in of_masks]
    if alone:
        name = masks
        for text in alone[0]:
            name = name.replace(HOLE, text, 1)
        photo = os.path.join(root, of_photos[alone[0]])
        raise MissingData(
            "unpaired",
            photo,
            f"{len(alone)} of {len(of_photos)} images have no mask; the first is {photo!r}: "
            f"expected {name!r} in {str(root)!r}.",
            "Add the mask or remove the image.",
        )
    return [
        Pair(key, os.path.join(root, of_photos[key]), os.path.join(root, of_masks[key]))
        for key in sorted(of_photos)
    ]


def splits_of(pairs, split):
    """Which of the folders in its key is each pair's split: a list, of None where there is none.

    Args:
        pairs: List of `Pair`.
        split: The split that is looked for: a folder of just this name is one too.
    """
    folders = ["/".join(pair.key).split("/")[:-1] for pair in pairs]
    return [next((name for name in of if is_split(name, split)), None) for of in folders]


def of_split(pairs, split, root):
    """The pairs in folders of a split.

    Raises:
        MissingData: there are folders of other splits alone.
    """
    names = splits_of(pairs, split)
    chosen = [pair for pair, name in zip(pairs, names) if means(name, split)]
    if not chosen:
        raise no_split_there(root, split, names)
    return chosen


def no_split_there(root, split, names, files=()):
    """The error for a split that a set has not, and its remedy, by those that it has.

    Args:
        root: The folder of the set.
        split: The split.
        names: Of those that there are, or None, in any order.
        files: Where they were found, for the message.
    """
    there = sorted({name for name in names if name})
    found = f" (in {', '.join(map(str, files))})" if files else ""
    if len(there) == 1:  # train and val must not share photos
        remedy = f"Move a part of its photos and labels to a split {split!r} of the same layout."
    else:
        remedy = f"Say which are to be train and val: splits=({there[-1]!r}, {there[0]!r})."
    return MissingData(
        "no_split",
        split,
        f"split={split!r}: {str(root)!r} has the splits {', '.join(there)}{found}.",
        remedy,
    )


def is_split(name, split=None):
    """Whether a folder's name is that of a split: of this one, or of one as sets call them."""
    return name == split or any(name.lower() in names for names in ALIASES.values())


def means(name, split):
    """Whether a folder of this name holds a split.

    >>> means("Validation", "val"), means("train", "val"), means("fold1", "fold1")
    (True, False, True)
    """
    return name is not None and (name == split or name.lower() in ALIASES.get(split, ()))

"""Photos and their masks by patterns: `{}_sat.jpg` with `{}_mask.png`.

The bands of a photo may have a file, and a pattern, each; and so may the masks of several classes,
of which `{class}` stands for the name. Each `{}` stands for any text, folders and all, and what
stands there in the name of a photo stands there in the name of its mask. A pattern without an
ending means any that is read.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from kseg.base.arguments import refused
from kseg.data.errors import MissingData, missing_folder
from kseg.data.listing import ARRAYS, MASKS, PHOTOS, likewise, same_name

HOLE = "{}"
CLASS = "{class}"  # in a pattern of masks of a class each
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


def fixed(pattern):
    """The folder of a pattern's path that no hole is in."""
    return next(each for each in pattern.parents if not is_pattern(each) and CLASS not in str(each))


def files_below(root):
    """Paths of all files below a folder, with `/`, from there, by name; hidden ones are none.

    Links are followed, but for those to a folder that they lie in.

    Raises:
        MissingData: there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise missing_folder("data", root)
    found, around = [], {str(root): {os.path.realpath(root)}}
    for folder, folders, names in os.walk(root, followlinks=True):
        above, folders[:] = around.pop(folder), sorted(folders)
        for name in list(folders):
            inner = os.path.join(folder, name)
            real = os.path.realpath(inner)
            if name.startswith(".") or real in above:
                folders.remove(name)
            else:
                around[inner] = above | {real}
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
        key = match and tuple(map(same_name, match.groups()))
        if match and found.setdefault(key, file) != file:
            both = f"{found[key]!r} and {file!r}"
            expected = f"a pattern that means one of {both}, which differ in their endings"
            raise refused("pairs", pattern, expected, "Write the ending too.")
    return found


def paired(root, photos, masks, faults=None, split=None):
    """Photos and masks below a folder, by two patterns.

    Args:
        root: The folder.
        photos, masks: Patterns of paths from there, with equally many holes; of photos maybe a
            list, of the files of their bands.
        faults: `kseg.data.faults.Faults`, to which photos without a mask, or without a band, are
            added; None to raise.
        split: Of which photos are wanted, where folders say it: those of a folder without any mask
            are not labelled, as a set's `test` often is. None for all.

    Returns:
        List of `Pair`, by key; the paths are whole, those of bands joined by newlines. A file that
        is a mask by its pattern is no photo. A mask that is not there is None.

    Raises:
        ValueError: they are no such patterns.
        MissingData: there is no photo, or one without a mask.
    """
    several = (photos,) if isinstance(photos, str) else tuple(photos)
    _check_patterns(several, masks)
    files = files_below(root)
    of_masks = matching(files, masks, MASKS)
    of_photos = _photos(root, files, several, set(of_masks.values()), faults)
    if split is not None:
        of_photos = _labelled(root, of_photos, of_masks, split)
    _check_each(root, of_photos, of_masks, masks, faults)
    return [
        Pair(key, of_photos[key], os.path.join(root, of_masks[key]) if key in of_masks else None)
        for key in sorted(of_photos)
    ]


def _labelled(root, of_photos, of_masks, split):
    """The photos in folders of a split; all of them where folders say no split."""
    folders = {
        key: next((name for name in "/".join(key).split("/")[:-1] if is_split(name, split)), None)
        for key in of_photos
    }
    there = {folder for key, folder in folders.items() if folder and key in of_masks}
    if not there:
        return of_photos
    chosen = {key: of_photos[key] for key, name in folders.items() if means(name, split)}
    if not chosen or split == "test" and not any(key in of_masks for key in chosen):
        raise no_split_there(root, split, there)
    return chosen


def bands_below(root, patterns):
    """Photos that have a file for each of their bands, below a folder.

    Args:
        root: The folder.
        patterns: Of the files, as of `paired`; in a folder without inner ones their last parts do.

    Returns:
        A list of tuples of paths, by what stands for the holes; empty if there is no such file.

    Raises:
        MissingData: there is a file of one pattern, and none of another.
    """
    files = files_below(root)
    for ways in (patterns, [os.path.basename(pattern) for pattern in patterns]):
        ways = [way for way in ways if is_pattern(way)]
        if len({*ways}) == len(patterns) and any(matching(files, way, PHOTOS) for way in ways):
            found = _photos(root, files, ways, set(), None)
            return [tuple(joined.split("\n")) for joined in found.values()]
    return []


def paired_classes(root, photos, masks, class_names, faults=None):
    """Photos and the masks of their classes below a folder, by patterns.

    Args:
        root, photos, faults: As of `paired`.
        masks: Pattern with `{class}`, or of arrays, which hold all classes.
        class_names: Of the classes.

    Returns:
        List of `Pair`; a mask is a path for each class, `""` where there is none, joined by
        newlines, or that of an array.

    Raises:
        ValueError, MissingData: as of `paired`; a class of which there is no mask counts too.
    """
    if CLASS not in masks:
        rows = paired(root, photos, masks, faults)
        others = [row.mask for row in rows if row.mask and not row.mask.lower().endswith(ARRAYS)]
        if others:
            expected = f"a pattern with {CLASS}, or of arrays (.npy), where pixels have several"
            remedy = f"As in pairs=('images/{{}}.jpg', 'masks/{CLASS}/{{}}.png')."
            raise refused("pairs", (photos, masks), f"{expected} classes", remedy)
        return rows
    several = (photos,) if isinstance(photos, str) else tuple(photos)
    _check_patterns(several, masks)
    files = files_below(root)
    of_class = [matching(files, masks.replace(CLASS, name), MASKS) for name in class_names]
    for name, found in zip(class_names, of_class):
        if not found:
            message = f"No file in {str(root)!r} is of the pattern {masks.replace(CLASS, name)!r}."
            raise MissingData("missing", root, message, "Correct class_names=, or pairs=.")
    taken = {file for found in of_class for file in found.values()}
    of_photos = _photos(root, files, several, taken, faults)
    there = {key for found in of_class for key in found}
    _check_each(root, of_photos, there, masks, faults)

    def joined(key):
        if key not in there:
            return None
        return "\n".join(os.path.join(root, of[key]) if key in of else "" for of in of_class)

    return [Pair(key, of_photos[key], joined(key)) for key in sorted(of_photos)]


def _check_patterns(photos, masks):
    """Raises unless these are different patterns with equally many holes."""
    patterns = (*photos, masks)
    counts = {pattern.count(HOLE) for pattern in patterns}
    if len(set(patterns)) < len(patterns) or len(counts) > 1 or not max(counts):
        expected = "two different patterns with equally many {}, of photos and of masks"
        given = (photos[0] if len(photos) == 1 else photos, masks)
        raise refused("pairs", given, expected, "As in pairs=('{}_sat.jpg', '{}_mask.png').")


def _photos(root, files, patterns, taken, faults):
    """Key -> path of a photo, or paths of its bands, of those files that are not taken."""
    files = [file for file in files if file not in taken]
    of_bands = [matching(files, pattern, PHOTOS) for pattern in patterns]
    for pattern, found in zip(patterns, of_bands):
        if not found:
            first = f", such as {files[0]!r}" if files else ""
            message = (
                f"No file in {str(root)!r} is of the pattern {pattern!r}: it holds {len(files)}"
                f"{first}."
            )
            raise MissingData(
                "missing", root, message, "Give the patterns of photos and masks (pairs=)."
            )
    keys = sorted({key for found in of_bands for key in found})
    for pattern, found in zip(patterns, of_bands):
        alone = [_named(pattern, key) for key in keys if key not in found]
        if alone:
            message = f"{len(alone)} of {len(keys)} photos have no file {pattern!r}; the first "
            message += f"missing in {str(root)!r} is {alone[0]!r}.{likewise(alone[1:])}"
            remedy = "Add the band, or remove the photo."
            _keep(MissingData("unpaired", alone[0], message, remedy), faults)
    keys = [key for key in keys if all(key in found for found in of_bands)]
    return {key: "\n".join(os.path.join(root, of[key]) for of in of_bands) for key in keys}


def _keep(error, faults):
    """Adds an error to the faults, or raises it where nobody keeps them."""
    if faults is None:
        raise error
    faults.add(error)


def _check_each(root, of_photos, of_masks, masks, faults):
    """Adds to the faults unless there is a mask for each photo, by their keys."""
    alone = [key for key in of_photos if key not in of_masks]
    if alone:
        photo = of_photos[alone[0]].split("\n")[0]
        others = [os.path.basename(of_photos[key].split("\n")[0]) for key in alone[1:]]
        error = MissingData(
            "unpaired",
            photo,
            f"{len(alone)} of {len(of_photos)} images have no mask; the first is {photo!r}: "
            f"expected {_named(masks, alone[0])!r} in {str(root)!r}.{likewise(others)}",
            "Add the mask or remove the image.",
        )
        _keep(error, faults)


def _named(pattern, key):
    """A pattern with what stands for its holes."""
    for text in key:
        pattern = pattern.replace(HOLE, text, 1)
    return pattern


def without_split(files, photos, masks):
    """The patterns of pairs that are all in "train": with that folder's name for the first hole.

    A part of them can then be drawn for "val".

    >>> without_split(["train/a.jpg", "train_gt/a.png"], "{}/{}.jpg", "{}_gt/{}.png")
    ('train/{}.jpg', 'train_gt/{}.png')
    """
    keys = matching(files, masks, MASKS).keys() & matching(files, photos, PHOTOS).keys()
    first = {key[0] for key in keys}
    if len(first) == 1 and means(*first, "train") and all(len(key) > 1 for key in keys):
        return tuple(pattern.replace(HOLE, next(iter(first)), 1) for pattern in (photos, masks))
    return photos, masks


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

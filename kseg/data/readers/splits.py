"""Which of a folder's photos belong to a split: by sub-folder, by list file, or by ratio."""

import contextlib
import zlib
from pathlib import Path

from kseg.base.arguments import number, refused
from kseg.data.errors import DataError, MissingData, no_split
from kseg.data.listing import likewise, stem
from kseg.data.pairs import is_split, means, no_split_there
from kseg.data.texts import text_of


def subfolder(folder, split):
    """`folder/split` if there is one, else the folder itself.

    Raises:
        MissingData: there are sub-folders of splits, but none of this one.
    """
    folder = Path(folder).expanduser()
    if not split or (folder / split).is_dir():
        return folder / split if split else folder
    if (folder / "train").is_dir():
        raise MissingData(
            "no_split",
            folder / split,
            f"{str(folder / split)!r} does not exist, although there is {str(folder / 'train')!r}: "
            "expected a sub-folder for each split.",
        )
    return folder


def listed(path, paths, faults=None):
    """Positions of the paths that a list file names, in the file's order.

    The file holds a name a line, with or without folder and ending; empty lines and those that
    begin with `#` are skipped. What follows a space is ignored, as the mask's path in some lists.

    Args:
        path: Of the file.
        paths: Of the photos.
        faults: `kseg.data.faults.Faults`, to which names of no photo are added; None to raise.

    Raises:
        MissingData: the list file does not exist, or a name in it is no photo.
        DataError: it is no text, names nothing, or one thing twice.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        message = f"{str(path)!r} does not exist: expected a list of names."
        raise MissingData("missing", path, message)
    lines = [line.strip() for line in text_of(path).splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        message = f"{str(path)!r} names no photo: expected one name a line."
        raise DataError("malformed", path, message)
    places = {stem(photo): position for position, photo in enumerate(paths)}
    chosen, unknown = [], []
    for name in names:
        # a name may hold spaces, and dots that end nothing
        candidates = (name, stem(name), name.split()[0], stem(name.split()[0]))
        place = next((places[c] for c in candidates if c in places), None)
        if place is None:
            unknown.append(name)
        else:
            chosen.append(place)
    if unknown:
        error = MissingData(
            "unpaired",
            path,
            f"{str(path)!r} names {unknown[0]!r}, but there is no such photo among the "
            f"{len(paths)} in the folder.{likewise(list(map(repr, unknown[1:])))}",
            "Correct the list, or add the photo.",
        )
        if faults is None or not chosen:
            raise error
        faults.add(error)
    if len(set(chosen)) < len(chosen):
        twice = next(stem(paths[c]) for c in chosen if chosen.count(c) > 1)
        message = f"{str(path)!r} names {twice!r} twice: expected each photo once."
        raise DataError("malformed", path, message)
    return chosen


def part(stems, split, val_fraction):
    """Positions of a split by ratio: the names in the order of their checksums, the first "val".

    Raises:
        ValueError: the split is neither `"train"` nor `"val"`, or there is too little to divide.
    """
    if split not in ("train", "val"):
        raise no_split(split, "'train', 'val', a sub-folder of images and masks, or None")
    number("val_fraction", val_fraction, above=0, below=1)
    if len(stems) < 2:
        expected = "None: a single image cannot be divided into train and val"
        remedy = "Add a photo, or lay train and val in a folder each."
        raise DataError("unsuitable", stems[0], str(refused("split", split, expected)), remedy)
    order = sorted(range(len(stems)), key=lambda i: (zlib.crc32(stems[i].encode()), stems[i]))
    held_out = min(max(1, round(val_fraction * len(stems))), len(stems) - 1)
    return sorted(order[:held_out] if split == "val" else order[held_out:])


@contextlib.contextmanager
def of_no_split():
    """A set is read within that is divided afterwards: what is right with it is of no split yet."""
    try:
        yield
    except DataError as error:
        error.rest = None
        raise


def not_drawn(val_fraction):
    """Raises `ValueError` for a share of "val" that is given where no random part is drawn."""
    if val_fraction is not None:
        expected = "None where no random part is drawn: here the set itself says the split"
        raise refused("val_fraction", val_fraction, expected, "Leave it out.")


def chosen_of_split(root, files, split, val_fraction=None):
    """Positions of the files of a split: by folder, by the list `root/SPLIT.txt`, or by ratio.

    Args:
        root: The folder of the set.
        files: Paths from there, with `/`.
        split: Its name; None for all.
        val_fraction: Share of "val" where a part is drawn; None for 0.2.

    Raises:
        ValueError: `val_fraction` is given and no part is drawn; or as of `part` and `listed`.
        MissingData: there are folders of other splits alone.
    """
    folders = [next((p for p in f.split("/")[:-1] if is_split(p, split)), None) for f in files]
    whole = split is None
    chosen = [i for i, folder in enumerate(folders) if folder and means(folder, split)]
    if not chosen and not whole and any(folders):
        raise no_split_there(root, split, folders)
    list_file = Path(root) / f"{split}.txt"
    drawn = not (whole or chosen or list_file.is_file())
    if not drawn:
        not_drawn(val_fraction)
    if whole:
        return list(range(len(files)))
    if chosen:
        return chosen
    if list_file.is_file():
        return listed(list_file, files)
    return part(list(map(stem, files)), split, 0.2 if val_fraction is None else val_fraction)

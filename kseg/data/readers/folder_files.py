"""Which files of folders belong together: photo and mask, and what else lies beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from kseg.base.arguments import refused
from kseg.data.errors import DataError, MissingData
from kseg.data.listing import MASKS, PHOTOS, likewise, list_files, pair_by_name, same_name, stem
from kseg.data.pairs import (
    files_below,
    fixed,
    is_pattern,
    matching,
    of_split,
    paired,
    paired_classes,
    splits_of,
)
from kseg.data.readers.folder_arguments import check_unused
from kseg.data.readers.folder_classes import has_masks_of_classes, masks_of_classes
from kseg.data.readers.folder_objects import bowl, one_each
from kseg.data.readers.splits import listed, part, subfolder

DEFAULT_FRACTION = 0.2  # of photos that are "val" where a part is drawn


class Files(NamedTuple):
    """The files of the samples of a split.

    Args:
        ids: A name for each.
        images, masks: Paths; of several files of a sample joined by newlines.
        each: Whether there is one mask for each object.
        keys: What stands for the holes of the patterns; None where there are none.
        split: The sub-folder that was taken; None for none.
    """

    ids: list
    images: list
    masks: list
    each: bool
    keys: list | None
    split: str | None

    def kept(self, positions):
        """Those at these positions."""
        few = [[of[i] for i in positions] for of in (self.ids, self.images, self.masks)]
        keys = self.keys and [self.keys[i] for i in positions]
        return Files(*few, self.each, keys, self.split)

    @property
    def first(self):
        """The path of each photo, or of the first of its bands."""
        return [path.split("\n")[0] for path in self.images]


def files_of_split(
    images,
    masks,
    class_names,
    *,
    mask_suffix="",
    split=None,
    list_file=None,
    val_fraction=DEFAULT_FRACTION,
    multilabel=False,
    faults,
):
    """The `Files` of a split; arguments as of `kseg.data.folder`.

    What lacks a photo or a mask is added to the `Faults`, and has None for it.

    Raises:
        MissingData: a folder is missing.
        ValueError: an argument does not fit what there is.
    """
    several = isinstance(images, (list, tuple))
    if several or is_pattern(images) or is_pattern(masks):
        check_unused("by patterns, which say all of a name", mask_suffix=mask_suffix or None)
        patterns = tuple(images) if several else (images,)
        names = class_names if multilabel else None
        return _by_patterns(patterns, masks, names, split, list_file, val_fraction, faults)
    inner = subfolder(images, split)
    by_folder = inner != Path(images).expanduser()
    masks = subfolder(masks, split) if by_folder else Path(masks).expanduser()
    if multilabel:
        images, each = list_files(inner, PHOTOS, "images"), False
        masks = masks_of_classes(images, masks, class_names, mask_suffix, faults)
    elif inner == masks:
        images, masks, each = *bowl(inner), True
    else:
        images = list_files(inner, PHOTOS, "images")
        if has_masks_of_classes(images, masks, class_names, mask_suffix):
            message = f"masks={str(masks)!r} holds a mask for each of class_names by itself."
            raise DataError("unsuitable", masks, message, "Give multilabel=True.")
        each = masks.is_dir() and (masks / (stem(images[0]) + mask_suffix)).is_dir()
        if each:
            masks = _objects_of_each(images, masks, mask_suffix, faults)
        else:
            masks = pair_by_name(images, list_files(masks, MASKS, "masks"), mask_suffix, faults)
    whole = split is None or by_folder
    names = list(map(stem, images))
    chosen = _chosen(images, names, split, whole, list_file, val_fraction, faults)
    images, masks = [images[i] for i in chosen], [masks[i] for i in chosen]
    ids = list(map(stem, images))
    return Files(ids, images, masks, each, None, split if by_folder else None)


def beside(argument, where, files, mask_suffix, faults):
    """The paths of what lies beside the photos of a split: a file for each, or None.

    Args:
        argument: Its name, as `"pixel_weights"`.
        where: A folder of files of the photos' or of the masks' names, with sub-folders of splits
            if the photos have them; or a pattern of paths.
        files: The `Files` of the split.
        mask_suffix: As of `kseg.data.folder`.
        faults: The `Faults`, to which photos without such a file are added.

    Raises:
        MissingData: there is no such folder.
        ValueError: it is a pattern, and the photos are not said by one.
    """
    if not is_pattern(where):
        folder = Path(where).expanduser()
        folder = folder / files.split if files.split else folder
        there = {same_name(stem(path)): path for path in list_files(folder, MASKS, argument)}
        names = [tuple(map(same_name, (stem(p) + mask_suffix, stem(p)))) for p in files.first]
        if files.keys:
            names = [
                (*of, *key[-1:], *Path(key[-1]).parts[-1:]) for of, key in zip(names, files.keys)
            ]
    elif files.keys is None:
        expected = "a folder, as images and masks are"
        raise refused(argument, str(where), expected, "Or give patterns of all of them.")
    else:
        pattern = Path(where).expanduser().absolute()
        folder = fixed(pattern)
        found = matching(files_below(folder), os.path.relpath(pattern, folder), MASKS)
        there = {key: os.path.join(folder, path) for key, path in found.items()}
        names = [(key,) for key in files.keys]
    paths = [next((there[name] for name in of if name in there), None) for of in names]
    missing = [photo for photo, path in zip(files.first, paths) if path is None]
    if missing:
        error = MissingData(
            "unpaired",
            missing[0],
            f"{len(missing)} of {len(paths)} images have no file in {argument}={str(where)!r}; the "
            f"first is {missing[0]!r}.{likewise(list(map(os.path.basename, missing[1:])))}",
            "Add the file, of the same name, or remove the image.",
        )
        faults.add(error)
    return paths


def _objects_of_each(images, masks, mask_suffix, faults):
    """The masks of each photo's objects, from a folder of its name; None where there is none."""
    found = []
    for image in images:
        try:
            found.append(one_each(masks / (stem(image) + mask_suffix), image))
        except DataError as error:
            faults.add(error, repr(os.path.basename(image)))
            found.append(None)
    return found


def _chosen(images, ids, split, whole, list_file, val_fraction, faults):
    """Positions of a split: those in the list file, all of them if `whole`, or a random part."""
    if val_fraction != DEFAULT_FRACTION and (whole or list_file is not None):
        expected = f"{DEFAULT_FRACTION}, the default, where no random part is drawn"
        remedy = "Leave it out; a part is drawn by split= where there are no sub-folders."
        raise refused("val_fraction", val_fraction, expected, remedy)
    if list_file is not None:
        return listed(list_file, images, faults)
    return range(len(images)) if whole else part(ids, split, val_fraction)


def _by_patterns(images, masks, class_names, split, list_file, val_fraction, faults):
    """The `Files` of a split by patterns: of photos, or of each of their bands, and of masks.

    Args:
        images: One or several.
        masks: One.
        class_names: Of masks of a class each; None for those of all.
    """
    patterns = [Path(pattern).expanduser().absolute() for pattern in (*images, masks)]
    root = os.path.commonpath(list(map(fixed, patterns)))
    *photos, of_masks = (os.path.relpath(pattern, root) for pattern in patterns)
    if class_names is None:
        rows = paired(root, photos, of_masks, faults, None if list_file else split)
    else:
        rows = paired_classes(root, photos, of_masks, class_names, faults)
    whole = split is None
    if split is not None and list_file is None and any(splits_of(rows, split)):
        rows, whole = of_split(rows, split, root), True
    first = [row.photo.split("\n")[0] for row in rows]
    ids = ["/".join(row.key) if "\n" in row.photo else stem(row.photo) for row in rows]
    if len(set(ids)) < len(ids):
        ids = ["/".join(row.key) for row in rows]
    chosen = _chosen(first, ids, split, whole, list_file, val_fraction, faults)
    rows, ids = [rows[i] for i in chosen], [ids[i] for i in chosen]
    photos, masks = [row.photo for row in rows], [row.mask for row in rows]
    return Files(ids, photos, masks, False, [row.key for row in rows], None)

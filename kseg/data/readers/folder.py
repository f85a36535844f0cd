"""Any pair of folders: photos in one, masks of the same names in the other; or both by patterns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kseg.base.arguments import choice, name_list, refused
from kseg.base.colors import class_colors
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Color, PathLike, Range
from kseg.data.decode import decode_colors, decode_mask, relabel
from kseg.data.errors import DataError, MissingData, missing_folder
from kseg.data.files import (
    MASKS,
    PHOTOS,
    column,
    is_hidden,
    is_one_bit,
    list_files,
    load_mask,
    pair_by_name,
    stem,
)
from kseg.data.pairs import is_pattern, of_split, paired, splits_of
from kseg.data.photos import photo_reader
from kseg.data.readers.folder_arguments import (
    check_objects,
    check_several,
    check_unused,
    check_values,
    check_void,
)
from kseg.data.readers.folder_classes import class_labels, has_masks_of_classes, masks_of_classes
from kseg.data.readers.splits import listed, part, subfolder
from kseg.data.sample import image_size, masks_of
from kseg.data.source import VOID, Source, check_bands, spread, void_beyond
from kseg.data.values import check_value_range

PROBED = 16  # masks looked into before the set is accepted


STORED = ("classes", "instances")


def folder(
    images: PathLike,
    masks: PathLike,
    class_names: Sequence[str],
    *,
    values: Sequence[int] | None = None,
    palette: Sequence[Color] | None = None,
    colors: Sequence[Color] | None = None,
    void_values: Sequence[int] | Sequence[Color] | None = None,
    mask_suffix: str = "",
    stored: Literal["classes", "instances"] = "classes",
    instances: bool = False,
    multilabel: bool = False,
    split: str | None = None,
    list_file: PathLike | None = None,
    val_fraction: float = 0.2,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    name: str = "folder",
    probe: bool = True,
) -> Source:
    """Reads a folder of photos and a folder of masks, paired by file name, or both by patterns.

    A mask is a picture of class ids: grey of up to 16 bits, or palette (its *indices* count, its
    colours do not). With `palette` it is colour-coded instead. With `stored="instances"` it holds
    the number of the object that each pixel belongs to, 0 for none; or in place of a mask there is
    a folder of the photo's name, with one black and white mask for each object. The layout
    `ROOT/NAME/images/NAME.png`, `ROOT/NAME/masks/*.png` of the 2018 Data Science Bowl is known too:
    give ROOT for both `images` and `masks`.

    Args:
        images: Folder of photos: JPEG, PNG, BMP, GIF, TIFF, WebP, `.npy`, `.npz` and the like. Of
            TIFF and NumPy's files every band is read; all photos have as many as the first. Or a
            pattern of their paths, in which `{}` stands for any text, folders and all:
            `"DATA/{}_sat.jpg"`.
        masks: Folder of masks (PNG, BMP, GIF, TIFF, `.npy`, `.npz`), or of folders of them; with a
            pattern of photos, that of their masks, `"DATA/{}_mask.png"`, with the same text for
            `{}`.
        class_names: Name of each class. Where masks hold objects: of the ground and of the object;
            with `instances=True` of the object alone.
        values: The value that stands for each class in the masks, for example `(0, 255)` for black
            and white masks; None for 0, 1, 2, ...
        palette: RGB of each class in colour-coded masks; None for masks of ids.
        colors: RGB of each class in pictures; None for the palette, or for colours told apart by
            eye and black for a background.
        void_values: Mask values (with `palette`: colours) of pixels without a label; None for 255
            where it is no class, and for 65535 beside more than 255 classes; with `palette` for no
            colour.
        mask_suffix: What a mask's name adds to its photo's: `"_mask"` pairs `a.jpg`, `a_mask.png`.
        stored: `"classes"` for masks of class ids or colours, `"instances"` for masks of objects;
            folders of one mask an object are recognised by themselves.
        instances: Whether to return objects in place of labels; the masks must hold objects.
        multilabel: Whether a pixel may have several classes. There is then a black and white mask
            for each class, `masks/CLASS/NAME.png` or `masks/NAME/CLASS.png`, none for a class that
            is nowhere in the photo; or an array `(H, W, C)`, `masks/NAME.npy`. `values` are two, of
            pixels without and with the class; None for 0 and 255, or for 0 and 1 with 255 for void,
            whichever the masks hold.
        split: None for all samples; a name of which `images` and `masks` have a sub-folder; else
            `"train"` or `"val"` for a fixed random part. By patterns, a folder within `{}`, which
            may be called `training`, `valid`, `validation` or `testing` too.
        list_file: Text file that names the photos of the split, one a line, in place of a random
            part.
        val_fraction: Share of `"val"`, above 0 and below 1, if the split is a random part.
        value_range, bits: Of the photos' numbers, and
        bands: those that pictures show: as of `Source`.
        name: Name of the source in messages.
        probe: Whether to look into a few masks and refuse what would train without an error;
            False leaves that to `kseg.check`, which looks into all.

    Returns:
        `Source` with void = 255, or 65535 where there are more than 255 classes.

    Raises:
        FileNotFoundError: a folder is missing or empty, a photo has no mask, or a name in the list
            no photo.
        ValueError: an argument does not fit the masks, or a sampled mask the arguments.

    Example:

    >>> source = kseg.data.folder("photos", "masks", ["background", "cell"], values=(0, 255))
    >>> kseg.data.folder("photos/{}.jpg", "masks/{}.png", ["background", "cell"])
    <Source: 'folder', 1 semantic sample of 2 classes>
    """
    class_names = name_list("class_names", class_names)
    choice("stored", stored, STORED)
    if multilabel:
        check_several(class_names, instances, stored, palette)
    ids, images, masks, one_each = _pairs(
        images, masks, class_names, mask_suffix, split, list_file, val_fraction, multilabel
    )
    if one_each or instances:
        stored = "instances"
    if not multilabel and (stored == "instances" or palette):
        what = "colours (palette=)" if palette and stored == "classes" else "numbers of objects"
        check_unused(what, values=values, void_values=None if palette else void_values)
    value_range = check_value_range(value_range, bits)
    photo = photo_reader(images[0], value_range)
    bands = check_bands(bands, photo.bands or 3)
    void = void_beyond(len(class_names))
    if not multilabel:
        values = check_values(class_names, values, palette)
        void_values = check_void(void_values, values, palette)
    if multilabel:
        columns, decode = class_labels(images, masks, class_names, values, void_values, photo)
    elif stored == "instances":
        check_objects(class_names, instances, palette)
        columns, decode = _objects(images, masks, one_each, instances, photo)
    else:
        if probe:
            _probe(masks, class_names, values, palette)
        columns = {"image": column(images), "label": column(masks)}
        decode = _labels(values, palette, void_values, void, photo)
    if colors is None:
        colors = palette or class_colors(class_names)
    return Source(
        name=f"{name}/{split}" if split else name,
        columns=columns,
        decode=decode,
        class_names=class_names,
        colors=tuple(map(tuple, colors)),
        ids=tuple(ids),
        void=void,
        task="multilabel" if multilabel else "instance" if instances else "semantic",
        value_range=value_range,
        bands=bands,
    )


def _pairs(images, masks, class_names, mask_suffix, split, list_file, val_fraction, multilabel):
    """Ids, photos, masks (or the masks of each, joined by newlines), and whether it is those."""
    if is_pattern(images) or is_pattern(masks):
        what = "by patterns, which say all of a name"
        check_unused(what, mask_suffix=mask_suffix or None, multilabel=multilabel or None)
        return *_by_patterns(images, masks, split, list_file, val_fraction), False
    inner = subfolder(images, split)
    by_folder = inner != Path(images).expanduser()
    masks = subfolder(masks, split) if by_folder else Path(masks).expanduser()
    if multilabel:
        images, one_each = list_files(inner, PHOTOS, "images"), False
        masks = masks_of_classes(images, masks, class_names, mask_suffix)
    elif inner == masks:
        images, masks, one_each = *_bowl(inner), True
    else:
        images = list_files(inner, PHOTOS, "images")
        if has_masks_of_classes(images, masks, class_names, mask_suffix):
            message = f"masks={str(masks)!r} holds a mask for each of class_names by itself."
            raise DataError("unsuitable", masks, message, "Give multilabel=True.")
        one_each = masks.is_dir() and (masks / (stem(images[0]) + mask_suffix)).is_dir()
        if one_each:
            masks = [_one_each(masks / (stem(image) + mask_suffix), image) for image in images]
        else:
            masks = pair_by_name(images, list_files(masks, MASKS, "masks"), mask_suffix)
    whole = split is None or by_folder
    chosen = _chosen(images, list(map(stem, images)), split, whole, list_file, val_fraction)
    images, masks = [images[i] for i in chosen], [masks[i] for i in chosen]
    return list(map(stem, images)), images, masks, one_each


def _chosen(images, ids, split, whole, list_file, val_fraction):
    """Positions of a split: those in the list file, all of them if `whole`, or a random part."""
    default = folder.__kwdefaults__["val_fraction"]
    if val_fraction != default and (whole or list_file is not None):
        expected = f"{default}, the default, where no random part is drawn"
        remedy = "Leave it out; a part is drawn by split= where there are no sub-folders."
        raise refused("val_fraction", val_fraction, expected, remedy)
    if list_file is not None:
        return listed(list_file, images)
    return range(len(images)) if whole else part(ids, split, val_fraction)


def _by_patterns(images, masks, split, list_file, val_fraction):
    """Ids, photos and masks of a split, by two patterns."""
    patterns = [Path(pattern).expanduser().absolute() for pattern in (images, masks)]
    fixed = [next(p for p in pattern.parents if not is_pattern(p)) for pattern in patterns]
    root = os.path.commonpath(fixed)
    rows = paired(root, *(os.path.relpath(pattern, root) for pattern in patterns))
    whole = split is None
    if split is not None and list_file is None and any(splits_of(rows, split)):
        rows, whole = of_split(rows, split, root), True
    ids = [stem(row.photo) for row in rows]
    if len(set(ids)) < len(ids):
        ids = ["/".join(row.key) for row in rows]
    chosen = _chosen([row.photo for row in rows], ids, split, whole, list_file, val_fraction)
    rows = [rows[i] for i in chosen]
    return [ids[i] for i in chosen], [row.photo for row in rows], [row.mask for row in rows]


def _bowl(root):
    """The layout of the 2018 Data Science Bowl: `root/NAME/images/NAME.png`, `.../masks/*.png`."""
    if not root.is_dir():
        raise missing_folder("images", root)
    images, masks = [], []
    for sample in sorted(entry.path for entry in os.scandir(root) if entry.is_dir()):
        photos = list_files(os.path.join(sample, "images"), PHOTOS, "images")
        if len(photos) > 1:
            message = f"{sample!r} holds {len(photos)} images: expected one."
            raise DataError("malformed", sample, message)
        images += photos
        masks.append(_one_each(os.path.join(sample, "masks"), photos[0]))
    if not images:
        raise MissingData(
            "missing",
            root,
            f"images={str(root)!r} and masks= are the same folder, and it holds no folder of "
            "`images` and `masks` for each photo.",
            "Give the folder of the photos and that of the masks.",
        )
    return images, masks


def _one_each(folder, image):
    """The paths of the masks of one photo's objects, joined by newlines; none for no object."""
    if not os.path.isdir(folder):
        raise MissingData(
            "unpaired",
            folder,
            f"{str(folder)!r} does not exist: expected a folder with one mask for each object of "
            f"{image!r}.",
            "Add it, empty if there is no object, or remove the image.",
        )
    with os.scandir(folder) as entries:
        return "\n".join(
            sorted(e.path for e in entries if e.name.lower().endswith(MASKS) and not is_hidden(e))
        )


def _labels(values, palette, void_values, void, photo):
    """The decode function of masks of class ids or colours."""
    if palette:
        values = [_packed(color) for color in palette]
        voids = [_packed(color) for color in void_values]
    else:
        voids = list(void_values)
    wide = max(*values, *voids, 0) > 255

    def decode(row):
        path = row["label"]
        mask = decode_colors(path) if palette else decode_mask(path, wide)
        return {
            "image": photo(row["image"]),
            "label": relabel(mask, values, voids, void, path),
        }

    return decode


def _objects(images, masks, one_each, instances, photo):
    """Columns and decode function of masks of objects."""
    tf = tensorflow()
    columns = {"image": column(images), "instances": column(masks)}

    def object_mask(path):
        return tf.cast(decode_mask(path, wide=True) > 0, tf.uint8)

    def decode_files(row):
        paths = tf.strings.split(row["instances"], "\n")
        paths = tf.boolean_mask(paths, paths != "")
        image = photo(row["image"])

        def none():
            return tf.zeros(tf.concat([[0], image_size(image)], 0), tf.uint8)

        object_masks = tf.cond(
            tf.size(paths) > 0,
            lambda: tf.map_fn(object_mask, paths, fn_output_signature=tf.uint8),
            none,
        )
        return image, tf.ensure_shape(object_masks, (None, None, None))

    def decode_numbers(row):
        numbers = decode_mask(row["instances"], wide=True)
        keys = tf.sort(tf.unique(tf.reshape(numbers, [-1])).y)
        return photo(row["image"]), masks_of(numbers, tf.boolean_mask(keys, keys > 0))

    def decode(row):
        image, object_masks = (decode_files if one_each else decode_numbers)(row)
        if instances:
            classes = tf.zeros(tf.shape(object_masks)[:1], tf.int32)
            return {"image": image, "masks": object_masks, "classes": classes}
        label = tf.reduce_any(object_masks > 0, axis=0)
        return {"image": image, "label": tf.cast(label, tf.uint8)}

    return columns, decode


def _packed(color):
    red, green, blue = color
    return (red << 16) + (green << 8) + blue


def _probe(masks, class_names, values, palette):
    """Looks into a few masks for the two mistakes that would train without an error."""
    seen = set()
    for index in spread(len(masks), PROBED):
        mask = load_mask(masks[index])
        if palette is None and mask.ndim == 3:
            some = np.unique(mask.reshape(-1, 3), axis=0)[:4].tolist()
            raise DataError(
                "color_mask",
                masks[index],
                f"{masks[index]!r} is a colour mask (colours {some} ...), but ids were expected.",
                "Give palette=[(r, g, b), ...], the colour of each class.",
            )
        if palette is None:
            seen |= set(np.unique(mask).tolist()) if not is_one_bit(masks[index]) else {0}
    if seen == {0, VOID} and VOID not in values and len(class_names) > 1:
        folder = os.path.dirname(masks[0])
        raise DataError(
            "black_and_white",
            folder,
            f"The masks in {folder!r} hold only 0 and 255, and 255 means void: nothing of "
            f"{class_names[1]!r} would ever be learnt.",
            "Give values=(0, 255) if 255 is the object.",
        )

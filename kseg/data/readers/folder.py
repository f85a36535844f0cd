"""Any pair of folders: photos in one, masks of the same names in the other; or both by patterns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np

from kseg.base.arguments import choice, name_list
from kseg.base.colors import class_colors
from kseg.base.types import Color, PathLike, Range
from kseg.data.color_masks import decode_colors
from kseg.data.decode import decode_mask
from kseg.data.errors import DataError
from kseg.data.faults import Faults
from kseg.data.files import is_one_bit, load_mask
from kseg.data.listing import column, complete
from kseg.data.palettes import black_elsewhere, renumbered
from kseg.data.photos import Numbers
from kseg.data.pixel_weights import weight_reader
from kseg.data.readers.folder_arguments import (
    check_beside,
    check_objects,
    check_several,
    check_unused,
    check_values,
    check_void,
)
from kseg.data.readers.folder_classes import class_labels
from kseg.data.readers.folder_files import beside, files_of_split
from kseg.data.readers.folder_objects import classes_and_ground, objects, of_classes, of_one_class
from kseg.data.relabel import relabel
from kseg.data.sample import size_of
from kseg.data.source import VOID, Source, spread, void_beyond

PROBED = 16  # masks looked into before the set is accepted


STORED = ("classes", "instances")


def folder(
    images: PathLike | Sequence[PathLike],
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
    class_masks: PathLike | None = None,
    multilabel: bool = False,
    pixel_weights: PathLike | None = None,
    weight_scale: float | None = None,
    split: str | None = None,
    list_file: PathLike | None = None,
    val_fraction: float = 0.2,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
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
            `"DATA/{}_sat.jpg"`; or a list of those, of the files of each band.
        masks: Folder of masks (PNG, BMP, GIF, TIFF, `.npy`, `.npz`), or of folders of them; with a
            pattern of photos, that of their masks, `"DATA/{}_mask.png"`, with the same text for
            `{}`; with `multilabel=True` `{class}` in it is the name of a class.
        class_names: Name of each class. Where masks hold objects: of the ground and of the object;
            with `instances=True` of the object alone, or, with `class_masks`, of each class; the
            name `background` among them is that of no object.
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
        class_masks: With `instances=True` folder, or pattern, of a second mask for each photo, of
            classes: an object is of the class that most of its pixels have there, and one of which
            more than a quarter are of other classes is refused. `values`, `palette` and
            `void_values` are of these masks; by default 1, 2, ... are the classes and 0 is none, or
            black. None where all objects are of one class.
        multilabel: Whether a pixel may have several classes. There is then a black and white mask
            for each class, `masks/CLASS/NAME.png` or `masks/NAME/CLASS.png`, none for a class that
            is nowhere in the photo; or an array `(H, W, C)`, `masks/NAME.npy`. `values` are two, of
            pixels without and with the class; None for 0 and 255, or for 0 and 1 with 255 for void,
            whichever the masks hold.
        pixel_weights: Folder, or pattern, of a weight of each pixel beside each mask: grey pictures
            or arrays of the photo's size, from 0 on, as `kseg.data.border_weights` makes them. They
            move with the labels, and losses use them. None where all pixels count alike.
        weight_scale: The number in these files that is weight 1, as 255; None for files of floats,
            which are weights; whole numbers must say it.
        split: None for all samples; a name of which `images` and `masks` have a sub-folder; else
            `"train"` or `"val"` for a fixed random part. By patterns, a folder within `{}`, which
            may be called `training`, `valid`, `validation` or `testing` too.
        list_file: Text file that names the photos of the split, one a line, in place of a random
            part.
        val_fraction: Share of `"val"`, above 0 and below 1, if the split is a random part.
        value_range, bits: Of the photos' numbers, and
        bands: those that pictures show: as of `Source`.
        clip: Whether numbers beyond the range become its ends; False refuses such photos.
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
    numbers = Numbers(value_range, bits, bands, clip)
    check_beside(instances, class_masks, pixel_weights, weight_scale)
    faults = Faults()
    files = files_of_split(
        images,
        masks,
        class_names,
        mask_suffix=mask_suffix,
        split=split,
        list_file=list_file,
        val_fraction=val_fraction,
        multilabel=multilabel,
        faults=faults,
    )
    said = {"class_masks": class_masks, "pixel_weights": pixel_weights}
    more = {
        argument: beside(argument, where, files, mask_suffix, faults)
        for argument, where in said.items()
        if where is not None
    }
    whole = complete(files.masks, *more.values())
    if probe or not whole:
        faults.check()
    files = files.kept(whole)
    more = {argument: [paths[i] for i in whole] for argument, paths in more.items()}
    photos, void, notes = numbers.photos(files.images), void_beyond(len(class_names)), ()
    if multilabel:
        columns, decode = class_labels(
            files.images, files.masks, class_names, values, void_values, photos
        )
    elif class_masks is not None:
        under = more["class_masks"]
        class_names, colors, columns, decode = _objects_of_classes(
            files, under, class_names, values, palette, void_values, colors, photos
        )
    elif files.each or instances or stored == "instances":
        check_unused("numbers of objects", values=values, void_values=void_values)
        check_values(class_names, values, palette)
        check_objects(class_names, instances, palette)
        decided = of_one_class if instances else None
        columns, decode = objects(files.images, files.masks, files.each, photos, decided)
    else:
        if palette:
            check_unused("colours (palette=)", values=values)
        values = check_values(class_names, values, palette)
        void_values = check_void(void_values, values, palette)
        odd = None
        if palette is None:
            odd = renumbered([files.masks[i] for i in spread(len(files.masks), PROBED)])
        if probe:
            _probe(files.masks, class_names, values, palette)
            if odd:
                raise odd
        notes = ((odd.kind, f"{odd.message} {odd.remedy}"),) if odd else ()
        if palette is None and not odd:
            notes = black_elsewhere(files.masks[0])
        columns = {"image": column(files.images), "label": column(files.masks)}
        decode = _labels(values, palette, void_values, void, photos)
    if pixel_weights is not None:
        columns, decode = _weighted(columns, decode, more["pixel_weights"], weight_scale)
    if colors is None:
        colors = palette or class_colors(class_names)
    source = Source(
        name=f"{name}/{split}" if split else name,
        columns=columns,
        decode=decode,
        class_names=class_names,
        colors=tuple(map(tuple, colors)),
        ids=tuple(files.ids),
        void=void,
        task="multilabel" if multilabel else "instance" if instances else "semantic",
        notes=notes,
        **photos.said,
    )
    faults.check(rest=source)
    return source


def _objects_of_classes(files, under, class_names, values, palette, void_values, colors, photos):
    """Names and colours of the classes of objects, columns and decode function, by masks of both.

    Args:
        files: The `Files` of the split.
        under: Paths of the masks of classes.
        class_names, values, palette, void_values, colors: As of `folder`.
        photos: What reads them.
    """
    names, own, ground, void = classes_and_ground(class_names, values, palette, void_values)
    kept = [class_names.index(name) for name in names]
    colors = tuple(colors[i] for i in kept) if colors is not None else own if palette else None
    if palette:
        own, ground, void = ([_packed(color) for color in each] for each in (own, ground, void))
    signed = min(*own, *ground, *void) < 0
    wide = signed or max(*own, *ground, *void) > VOID
    read = decode_colors if palette else lambda path: decode_mask(path, wide, signed=signed)
    decided = of_classes(names, read, own, ground, void)
    columns, decode = objects(files.images, files.masks, files.each, photos, decided)
    return names, colors, {**columns, "label": column(under)}, decode


def _weighted(columns, decode, paths, scale):
    """Columns and decode function with a weight of each pixel, read from these paths."""
    read = weight_reader(scale)
    columns = {**columns, "weight": column(paths)}
    columns["weight_scale"] = np.full(len(paths), scale or 0, np.float32)  # a cache goes by it

    def weighted(row):
        sample = decode(row)
        return {**sample, "weight": read(row["weight"], size_of(sample))}

    return columns, weighted


def _labels(values, palette, void_values, void, photo):
    """The decode function of masks of class ids or colours."""
    if palette:
        values = [_packed(color) for color in palette]
        voids = [_packed(color) for color in void_values]
    else:
        voids = list(void_values)
    signed = min(*values, *voids, 0) < 0
    wide = signed or max(*values, *voids, 0) > 255

    def decode(row):
        path = row["label"]
        mask = decode_colors(path) if palette else decode_mask(path, wide, signed=signed)
        return {
            "image": photo(row["image"]),
            "label": relabel(mask, values, voids, void, path),
        }

    return decode


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

"""Pascal VOC: photos of 20 kinds of objects, with outlines. Everingham et al., "The Pascal Visual
Object Classes Challenge: A Retrospective", IJCV 2015; and, with it, the Semantic Boundaries Dataset
(SBD): Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.colors import voc_colors
from kseg.base.tensorflow import tensorflow
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import LABELMAP, ClassList, class_list
from kseg.data.coco_format.categories import role_of
from kseg.data.decode import decode_mask
from kseg.data.errors import DataError, MissingData, require
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS, column, complete, likewise, missing, shortened, stem
from kseg.data.photos import Numbers
from kseg.data.readers.cvat import (
    cvat,
    decode_labels,
    decode_objects,
    labels_by,
    mode_of,
    numbers_of,
)
from kseg.data.readers.sbd import sbd_masks
from kseg.data.relabel import relabel
from kseg.data.sample import masks_of
from kseg.data.source import VOID, Source
from kseg.data.texts import text_of

CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


COLORS = voc_colors(len(CLASSES))


BORDER = (224, 224, 192)  # the palette's 255


SAME_ARCHIVE = "Take both from the same archive."


def voc(
    root: PathLike,
    split: str = "train",
    *,
    year: str = "2012",
    sbd: PathLike | None = None,
    instances: bool = False,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads Pascal VOC's segmentation set, on its own or together with SBD.

    With `sbd`, the split `"train"` becomes the usual "train_aug": VOC's own, and all photos of SBD,
    train and val, that are not in VOC's val (or test). VOC's finer masks stay where both have one.
    Other splits are the same with and without `sbd`. Classes of one's own in `labelmap.txt` are
    read as `kseg.data.cvat` does. Photos may be PNG too, and masks RGB in the palette's colours.

    Args:
        root: The folder `VOC{year}`, or `VOCdevkit`, or one that holds `VOCdevkit`.
        split: `"train"`, `"val"`, `"trainval"`, or whatever list `ImageSets/Segmentation` holds.
        year: Which of several years below `root`.
        sbd: SBD's `benchmark_RELEASE`, a folder that holds it, or its `dataset`. The MATLAB masks
            are converted once, to PNGs in `dataset/kseg_png`. Or a folder of PNGs of class ids,
            converted already, such as `SegmentationClassAug`.
        instances: Whether samples hold objects, of `SegmentationObject`, in place of labels.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` of 21 classes, or of instances of 20; the border around objects, 255, is void.

    Raises:
        FileNotFoundError: a folder, a list, a photo or a mask is missing.
        ValueError: a list is empty, or a MATLAB file cannot be read.

    Example:

    >>> source = kseg.data.voc("VOCdevkit", "val")
    >>> source.num_classes, source.class_names[1]
    (21, 'aeroplane')
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = _root(root, year)
    if (root / LABELMAP).is_file():
        if sbd is not None:
            expected = f"None with {LABELMAP}, which says that the classes are not VOC's"
            raise refused("sbd", str(sbd), expected, "Leave it out.")
        said = {"value_range": value_range, "bits": bits, "bands": bands, "clip": clip}
        return cvat(root, split, instances=instances, **said)
    _check_classes(root)
    ids = _listed(root, split)
    classes, objects = (
        {name: str(root / folder / f"{name}.png") for name in ids}
        for folder in ("SegmentationClass", "SegmentationObject")
    )
    photos = _photos(root, ids)
    extended = sbd is not None and split == "train"
    if extended:
        held_out = set(_listed(root, "val"))
        if _list(root, "test").is_file():
            held_out |= set(_listed(root, "test"))
        extra = sbd_masks(sbd, exclude=held_out | set(ids), instances=instances)
        ids += sorted(extra.classes)
        classes |= extra.classes
        objects |= extra.objects
        for name in extra.classes:  # VOC's photos, if they are all there, else SBD's copies
            photo = str(root / "JPEGImages" / f"{name}.jpg")
            photos[name] = extra.photos.get(name, photo) if not os.path.isfile(photo) else photo
    columns = {"image": [photos[name] for name in ids], "label": [classes[name] for name in ids]}
    if instances:
        columns["instances"] = [objects[name] for name in ids]
    faults = Faults()
    there = _those_there(columns, faults)
    whole = complete(*there.values())
    if not whole:
        faults.check()
    ids = [ids[i] for i in whole]
    columns = {key: [paths[i] for i in whole] for key, paths in columns.items()}
    photos = numbers.photos(columns["image"])
    first = int(instances)
    source = Source(
        name=f"{root.resolve().name.lower()}/{split}{'+sbd' if extended else ''}",
        columns={key: column(paths) for key, paths in columns.items()},
        decode=photos.beside(_decode_by(columns, instances)),
        class_names=CLASSES[first:],
        colors=COLORS[first:],
        ids=tuple(ids),
        task="instance" if instances else "semantic",
        category_ids=tuple(range(first, len(CLASSES))),
        **photos.said,
    )
    faults.check(rest=source)
    return source


def _check_classes(root):
    """Raises `DataError` where a file of the set names other classes than VOC's."""
    listed = class_list(root)
    if listed is None:
        return
    names = listed.class_names
    start = int(role_of(names[0]) != "background")
    if tuple(names) != CLASSES[start : start + len(names)]:
        message = f"{str(listed.file)!r} names other classes than Pascal VOC's: "
        message += f"{shortened(list(names))}."
        remedy = "Read it as a folder, pairs=('JPEGImages/{}.jpg', 'SegmentationClass/{}.png')."
        raise DataError("unsuitable", listed.file, message, remedy)


def _root(root, year):
    root = Path(root).expanduser()
    other = re.fullmatch(r"VOC(\d{4})", root.name)
    if year != voc.__kwdefaults__["year"] and other and other[1] != year:
        remedy = "Leave year= out, or give the VOCdevkit that holds several."
        raise refused("year", year, f"{other[1]!r}, of root={str(root)!r}", remedy)
    for folder in (root, root / f"VOC{year}", root / "VOCdevkit" / f"VOC{year}"):
        if (folder / "ImageSets" / "Segmentation").is_dir():
            return folder
    raise MissingData(
        "missing",
        root,
        f"root={str(root)!r}: expected ImageSets/Segmentation in it, in VOC{year} or in "
        f"VOCdevkit/VOC{year}.",
        "Give the folder that holds VOCdevkit, and the year.",
    )


def _photos(root, ids):
    """The photo of each id: a JPEG, as VOC has them, unless there is none and another file."""
    photos = {name: str(root / "JPEGImages" / f"{name}.jpg") for name in ids}
    for path in missing(photos.values()):
        others = (os.path.splitext(path)[0] + ending for ending in PHOTOS)
        found = next((other for other in others if os.path.isfile(other)), path)
        photos[os.path.splitext(os.path.basename(path))[0]] = found
    return photos


def _list(root, split):
    return root / "ImageSets" / "Segmentation" / f"{split}.txt"


def _listed(root, split):
    """The photo ids of a split."""
    path = _list(root, split)
    if not path.is_file():
        there = ", ".join(stem(p) for p in sorted(path.parent.glob("*.txt"))) or "none"
        message = f"{str(path)!r} does not exist. Splits there: {there}."
        raise MissingData("no_split", path, message)
    ids = list(dict.fromkeys(text_of(path).split()))
    if not ids:
        message = f"{str(path)!r} is empty: expected one photo id a line."
        raise DataError("malformed", path, message)
    path_like = [name for name in ids if "/" in name or "\\" in name]
    if path_like:
        message = f"{str(path)!r} holds {path_like[0]!r}: expected photo ids, not paths."
        raise DataError("malformed", path, message)
    return ids


def _those_there(columns, faults):
    """The paths of each column, with None for files that are missing, which are faults."""
    absent = missing([path for paths in columns.values() for path in paths])
    if absent:
        total = sum(map(len, columns.values()))
        others = [os.path.join(*Path(path).parts[-2:]) for path in absent[1:]]
        error = MissingData(
            "missing",
            absent[0],
            f"{len(absent)} of {total} files are missing; the first is {absent[0]!r}."
            f"{likewise(others)}",
            "Unpack the whole archive, or take the id from the split's list in "
            "ImageSets/Segmentation.",
        )
        faults.add(error)
    gone = set(absent)
    return {key: [None if p in gone else p for p in paths] for key, paths in columns.items()}


def _decode_by(columns, instances):
    """The decode function of all but the photo: of palette indices, or of RGB masks by colour."""
    if mode_of(columns["label"][0]) not in ("RGB", "RGBA"):
        return _decode_instances if instances else _decode
    classes = ClassList(None, CLASSES, palette=COLORS, void_colors=(BORDER,))
    label_of = labels_by(classes, columns["label"][0])
    if not instances:
        return decode_labels(label_of)
    return decode_objects(label_of, numbers_of(columns["instances"][0]), first=1)


def _label(row):
    return relabel(decode_mask(row["label"]), range(len(CLASSES)), [VOID], VOID, row["label"])


def _decode(row):
    return {"label": _label(row)}


def _decode_instances(row):
    """An object's class is the one that most of its pixels have in the map of classes."""
    tf = tensorflow()
    label = tf.cast(_label(row), tf.int32)
    objects = tf.cast(decode_mask(row["instances"]), tf.int32)
    require(
        tf.reduce_all(tf.shape(objects) == tf.shape(label)),
        "size_mismatch",
        row["instances"],
        tf.strings.join(["it and '", row["label"], "' differ in size."]),
        SAME_ARCHIVE,
    )
    keys = tf.sort(tf.unique(tf.reshape(objects, [-1])).y)
    keys = tf.boolean_mask(keys, (keys != 0) & (keys != VOID))
    things = tf.where((label == VOID) | (objects == VOID), 0, label)
    # (K, 21) pixels of each class in each object, all counted at once
    pair = tf.searchsorted(keys, tf.reshape(objects, [-1])) * len(CLASSES)
    pair = tf.boolean_mask(pair + tf.reshape(things, [-1]), tf.reshape(things * objects, [-1]) != 0)
    count = tf.size(keys) * len(CLASSES)
    counts = tf.reshape(
        tf.math.bincount(pair, minlength=count, maxlength=count), [-1, len(CLASSES)]
    )
    require(
        tf.reduce_all(tf.reduce_sum(counts, axis=1) > 0),
        "malformed",
        row["instances"],
        tf.strings.join(["an object has no pixel with a class in '", row["label"], "'."]),
        SAME_ARCHIVE,
    )
    return {
        "masks": masks_of(objects, keys),
        "classes": tf.argmax(counts, axis=1, output_type=tf.int32) - 1,
    }

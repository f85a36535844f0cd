"""Cityscapes: streets of 50 German and neighbouring cities, 19 classes. Cordts et al., "The
Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016; class table as in the
authors' cityscapesScripts, `helpers/labels.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kseg.base.tensorflow import tensorflow
from kseg.base.types import PathLike, Range
from kseg.data.decode import decode_mask
from kseg.data.errors import DataError, MissingData, require
from kseg.data.faults import Faults
from kseg.data.files import load_mask
from kseg.data.listing import column, complete, likewise
from kseg.data.photos import Numbers
from kseg.data.relabel import relabel
from kseg.data.sample import masks_of
from kseg.data.source import VOID, Source, spread

CLASSES = {  # name -> label id, colour; in the order of the train ids 0..18
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}


LABEL_IDS = tuple(label_id for label_id, _ in CLASSES.values())


LABELS = 34  # label ids 0..33: the classes and others, from "unlabeled" to "trailer", all void


LICENSE_PLATE = 255  # label id -1 in 8 bits


THINGS = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")


THING_IDS = tuple(CLASSES[name][0] for name in THINGS)


PER_LABEL = 1000  # instance ids: 1000 * label id + number; below 1000 a group that is not divided


IMAGE, TRAIN_IDS, LABEL, INSTANCE = (  # how file names end
    "_leftImg8bit.png",
    "_gtFine_labelTrainIds.png",
    "_gtFine_labelIds.png",
    "_gtFine_instanceIds.png",
)


OWN_CLASSES = "classes.json"  # name -> label id, beside the folders of a set of other classes


PROBED = 8  # masks looked into before the set is accepted


def cityscapes(
    root: PathLike,
    split: str = "train",
    *,
    instances: bool = False,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads Cityscapes: `root/leftImg8bit/{split}/{city}` and `root/gtFine/{split}/{city}`.

    Masks of train ids (`labelTrainIds`) are used where every photo has one; else those of label ids
    (`labelIds`), of which the 19 evaluated classes are kept and all else is void. A mask of one
    kind under the name of the other is refused. A set of other classes, as `kseg.data.convert`
    writes it, says in `root/classes.json` what its label ids stand for.

    Args:
        root: Folder that holds `leftImg8bit` and `gtFine`.
        split: `"train"`, `"val"` or `"test"`, or whatever folder there is.
        instances: Whether samples hold objects of the eight kinds that are counted, from
            `instanceIds`. A group that is not divided into its members counts as crowd.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` of 19 classes, or of instances of 8; `category_ids` are the official label ids.

    Raises:
        FileNotFoundError: a folder is missing, or a photo has no mask.
        ValueError: the masks hold ids of the wrong kind.

    Example:

    >>> source = kseg.data.cityscapes("cityscapes", "val")
    >>> source.num_classes, source.category_ids[:3]
    (19, (7, 8, 11))
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = Path(root).expanduser()
    photos = _photos(root, split)
    names = [f"{city}/{os.path.basename(path)[: -len(IMAGE)]}" for city, path in photos]
    faults = Faults()
    masks = _Masks(root / "gtFine" / split, names, faults)
    if instances:
        own = _own_classes(root, THING_IDS)
        classes = dict(zip(THINGS, THING_IDS)) if own is None else own
        paths, decode = masks.all(INSTANCE), _decode_instances(tuple(classes.values()))
    elif own := _own_classes(root, LABEL_IDS):
        paths, classes = masks.all(LABEL), own
        decode = _decode_own(tuple(classes.values()))
    else:
        kind = TRAIN_IDS if masks.has_all(TRAIN_IDS) else LABEL
        if kind == LABEL and not masks.has_all(LABEL) and masks.has_any(TRAIN_IDS):
            kind = TRAIN_IDS  # name the first that is missing of these
        paths, classes = masks.all(kind), dict(zip(CLASSES, LABEL_IDS))
        _probe([path for path in paths if path], kind)
        decode = _decode_train_ids if kind == TRAIN_IDS else _decode_label_ids
    whole = complete(paths)
    if not whole:
        faults.check()
    photos, names, paths = ([of[i] for i in whole] for of in (photos, names, paths))
    read = numbers.photos([path for _, path in photos])
    source = Source(
        name=f"cityscapes/{split}",
        columns={
            "image": column(path for _, path in photos),
            "label": column(paths),
        },
        decode=read.beside(decode),
        class_names=tuple(classes),
        colors=_colors(classes.values()),
        ids=tuple(name.split("/")[1] for name in names),
        task="instance" if instances else "semantic",
        category_ids=tuple(classes.values()),
        **read.said,
    )
    faults.check(rest=source)
    return source


def _colors(label_ids):
    by_id = dict(CLASSES.values())
    return tuple(by_id[label_id] for label_id in label_ids)


def _own_classes(root, known):
    """Name -> label id of a set of other classes; None for Cityscapes' own.

    Args:
        root: The folder of the set.
        known: The label ids that classes may stand for.
    """
    file = root / OWN_CLASSES
    if not file.is_file():
        return None
    try:
        classes = json.loads(file.read_text(encoding="utf-8"))
        found = {str(name): int(key) for name, key in classes.items() if key in known}
    except (AttributeError, TypeError, ValueError) as error:
        message = f"{str(file)!r} is not name -> label id ({error})."
        raise DataError("malformed", file, message, "Convert the set again.") from None
    if not found:
        message = f"{str(file)!r} has no class of the label ids {', '.join(map(str, known))}."
        raise DataError("unsuitable", file, message, "It holds objects: give instances=True.")
    return found


def _photos(root, split):
    """(city, path) of each photo of a split, by name."""
    folder = root / "leftImg8bit" / split
    if not folder.is_dir():
        there = sorted(p.name for p in folder.parent.iterdir()) if folder.parent.is_dir() else []
        raise MissingData(
            "no_split",
            folder,
            f"root={str(root)!r}, split={split!r}: {str(folder)!r} does not exist. Expected the "
            "folder that holds leftImg8bit and gtFine, and one of "
            f"its splits{' ' + ', '.join(there) if there else ''}.",
        )
    photos = [
        (city, str(folder / city / name))
        for city in sorted(os.listdir(folder))
        if (folder / city).is_dir()
        for name in sorted(os.listdir(folder / city))
        if name.endswith(IMAGE) and not name.startswith(".")
    ]
    if not photos:
        message = f"{str(folder)!r} holds no {{city}}/*{IMAGE}."
        raise MissingData("missing", folder, message, "Unpack the photos.")
    return photos


class _Masks:
    """Which masks of a split there are, of the photos with these names, `city/stem`."""

    def __init__(self, folder, names, faults):
        self.folder, self.names, self.there, self.faults = folder, names, set(), faults
        for city in {name.split("/")[0] for name in names}:
            if (folder / city).is_dir():
                self.there |= {f"{city}/{file}" for file in os.listdir(folder / city)}

    def has_all(self, kind):
        return all(name + kind in self.there for name in self.names)

    def has_any(self, kind):
        return any(name + kind in self.there for name in self.names)

    def all(self, kind):
        """Their paths; None for one that is missing, which is added to the faults."""
        missing = [name + kind for name in self.names if name + kind not in self.there]
        if missing:
            first = self.folder / missing[0]
            error = MissingData(
                "unpaired",
                first,
                f"{len(missing)} of {len(self.names)} photos have no *{kind}; the first missing is "
                f"{str(first)!r}.{likewise(missing[1:])}",
                "Unpack gtFine beside leftImg8bit, or make the missing masks; every photo of a "
                "split needs one of the same kind.",
            )
            self.faults.add(error)
        gone = set(missing)
        files = [name + kind for name in self.names]
        return [None if file in gone else str(self.folder / file) for file in files]


def _probe(paths, kind):
    """Looks into a few masks for the one kind of ids under the name of the other."""
    seen, in_file = set(), {}
    for index in spread(len(paths), PROBED):
        try:
            mask = load_mask(paths[index])
        except DataError:
            continue  # a damaged file is named when it is read, or by `kseg.check`
        values = {int(value) for value in np.flatnonzero(np.bincount(mask.ravel()))}
        in_file |= {value: paths[index] for value in values - seen}
        seen |= values
    classes = range(len(CLASSES))
    if kind == TRAIN_IDS and (wrong := seen - {*classes, VOID}):
        value = max(wrong)
        what = "Label ids, as it seems" if wrong <= {*range(LABELS)} else "Not of Cityscapes"
        raise DataError(
            "unsuitable",
            in_file[value],
            f"{in_file[value]!r} holds {value}, but train ids are 0..18 or 255.",
            f"{what}: name masks of label ids *{LABEL}, or make the train ids anew.",
        )
    if kind == LABEL and VOID in seen and seen <= {*classes, VOID}:
        raise DataError(
            "unsuitable",
            in_file[VOID],
            f"{in_file[VOID]!r} and others hold 255 and nothing from 19 to 33.",
            f"Train ids, as it seems, not label ids: name such masks *{TRAIN_IDS}.",
        )


def _decode_train_ids(row):
    label = relabel(decode_mask(row["label"]), range(len(CLASSES)), [VOID], VOID, row["label"])
    return {"label": label}


def _decode_label_ids(row):
    """By a table of all 256 values, three times as fast as `relabel`, which words the error."""
    tf = tensorflow()
    mask = decode_mask(row["label"])
    train_ids = np.full(256, VOID, np.uint8)
    train_ids[list(LABEL_IDS)] = range(len(CLASSES))
    others = [value for value in range(LABELS) if value not in LABEL_IDS]
    label = tf.cond(
        tf.reduce_all((mask < LABELS) | (mask == LICENSE_PLATE)),
        lambda: tf.gather(train_ids, tf.cast(mask, tf.int32)),
        lambda: relabel(mask, LABEL_IDS, [*others, LICENSE_PLATE], VOID, row["label"]),
    )
    return {"label": label}


def _decode_own(label_ids):
    """The decode function of label ids that stand for other classes."""
    others = [value for value in range(LABELS) if value not in label_ids]

    def decode(row):
        mask = decode_mask(row["label"])
        label = relabel(mask, label_ids, [*others, LICENSE_PLATE], VOID, row["label"])
        return {"label": label}

    return decode


def _decode_instances(thing_ids):
    """The decode function of objects of these label ids."""
    return lambda row: _objects(row, thing_ids)


def _objects(row, thing_ids):
    tf = tensorflow()
    mask = decode_mask(row["label"], wide=True)
    counts = tf.math.bincount(tf.reshape(mask, [-1]), minlength=65536)  # of all 16 bits
    keys = tf.cast(tf.where(counts > 0)[:, 0], tf.int32)
    labels = tf.where(keys < PER_LABEL, keys, keys // PER_LABEL)
    # the license plates' -1 is 255 in 8 bits, 65535 in 16
    known = (labels < LABELS) | (keys == LICENSE_PLATE) | (keys == 0xFFFF)
    require(
        tf.reduce_all(known),
        "malformed",
        row["label"],
        tf.strings.format(
            "the mask holds the instance id {}, which is neither a label id 0..33 nor one times "
            "1000 and a number.",
            (tf.reduce_max(tf.where(known, -1, keys)),),
        ),
        "Take the file from gtFine again.",
    )
    is_class = labels[:, None] == tf.constant(thing_ids)  # (K, 8)
    is_thing = tf.reduce_any(is_class, axis=1)
    keys = tf.boolean_mask(keys, is_thing)
    return {
        "masks": masks_of(mask, keys),
        "classes": tf.argmax(tf.boolean_mask(is_class, is_thing), axis=1, output_type=tf.int32),
        "crowd": keys < PER_LABEL,
    }

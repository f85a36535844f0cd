"""nnU-Net's folders: `imagesTr`, `labelsTr` and `dataset.json`. Isensee et al., "nnU-Net: a
self-configuring method for deep learning-based biomedical image segmentation", Nature Methods 2021;
the format as version 2 documents it, and the older of the Medical Segmentation Decathlon."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kseg.base.colors import class_colors
from kseg.base.tensorflow import tensorflow
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import IGNORED
from kseg.data.errors import DataError, MissingData, no_split
from kseg.data.listing import PHOTOS
from kseg.data.pairs import files_below
from kseg.data.readers.folder import folder
from kseg.data.readers.labelme import load_json
from kseg.data.readers.splits import not_drawn, of_no_split, part
from kseg.data.source import VOID, Source

DESCRIPTION = "dataset.json"
MOST = 65535  # of a mask of 16 bits
CHANNEL = re.compile(r"_(\d{4})(\.[^_]+)$")  # of a photo's name: _0000.png


def nnunet(
    root: PathLike,
    split: str | None = "train",
    *,
    multilabel: bool = False,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads a set of two-dimensional photos in nnU-Net's folders.

    A photo of several files, `a_0000.tif`, `a_0001.tif`, ..., has their bands in this order.

    Args:
        root: Folder that holds `dataset.json`, `imagesTr` and `labelsTr`: `imagesTr/a_0000.png`
            with `labelsTr/a.png`.
        split: `"train"` (the default) or `"val"`, a fixed random part of those; `"test"` for
            `imagesTs` with `labelsTs`; None for all of `imagesTr`.
        multilabel: Whether a pixel may have several classes: the regions that `dataset.json` names,
            as `"whole": [1, 2], "core": 2`, or each label but 0. Defaults to False.
        val_fraction: Share of `"val"`; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with the classes of `dataset.json`; its label `ignore` is void.

    Raises:
        FileNotFoundError: a folder, a photo or a mask is missing.
        ValueError: `dataset.json` is damaged, or names regions without `multilabel`, or photos are
            volumes.

    Example:

    >>> kseg.data.nnunet("Dataset120_Roads", "val").class_names
    ('background', 'road')
    """
    root = Path(root).expanduser()
    file = root / DESCRIPTION
    if not file.is_file():
        message = f"root={str(root)!r} holds no {DESCRIPTION}."
        raise MissingData("missing", root, message, "Give the folder DatasetNNN_NAME.")
    content = load_json(file)
    regions, void = _labels(file, content)
    if not multilabel and any(len(values) > 1 for values in regions.values()):
        message = f"{str(file)!r}: labels={content['labels']!r:.80} are regions, of several labels."
        raise DataError("unsuitable", file, message, "Give multilabel=True: regions overlap.")
    labels = {values[0]: name for name, values in regions.items()}
    if not multilabel and len(labels) < len(regions):
        message = f"{str(file)!r}: labels={content['labels']!r:.80}: two names have one number."
        raise DataError("malformed", file, message, "Give each a number of its own.")
    if multilabel:
        labels = {value: str(value) for value in sorted({0}.union(*regions.values()))}
    photos, masks = ("imagesTs", "labelsTs") if split == "test" else ("imagesTr", "labelsTr")
    for name in (photos, masks):
        if not (root / name).is_dir():
            if split == "test":
                raise no_split(split, f"'train' or 'val': {str(root)!r} has no {name}")
            message = f"{str(root / name)!r} does not exist: expected nnU-Net's folders."
            raise MissingData("missing", root / name, message)
    with of_no_split():
        source = folder(
            [root / photos / f"{{}}_{channel}" for channel in _channels(root / photos)],
            root / masks / "{}",
            tuple(labels[value] for value in sorted(labels)),
            values=tuple(sorted(labels)),
            void_values=void or None,
            value_range=value_range,
            bits=bits,
            bands=bands,
            clip=clip,
            name=root.resolve().name,
            probe=False,
        )
    _check_channels(file, content, source)
    if multilabel:
        source = _in_regions(source, sorted(labels), regions)
    if split in (None, "test"):
        not_drawn(val_fraction)
        return source if split is None else source.subset(range(len(source)), f"{source.name}/test")
    chosen = part(source.ids, split, 0.2 if val_fraction is None else val_fraction)
    return source.subset(chosen, f"{source.name}/{split}")


def is_nnunet(root):
    """Whether a folder is of this layout."""
    return all((root / name).exists() for name in (DESCRIPTION, "imagesTr", "labelsTr"))


def _labels(file, content):
    """Name -> the values of each class, several of a region, and the values of void."""
    labels = content.get("labels") if isinstance(content, dict) else None
    try:
        if labels and all(str(key).isdecimal() for key in labels):  # version 1: "0": "background"
            pairs = [(str(name), (int(key),)) for key, name in labels.items()]
        else:
            pairs = [(name, _values(given)) for name, given in labels.items()]
    except (TypeError, ValueError, AttributeError, OverflowError):
        message = f"{str(file)!r}: labels={labels!r:.80}: expected a number for each name."
        remedy = "Name each label once, and each region with a list of its labels."
        raise DataError("malformed", file, message, remedy) from None
    if not all(0 <= value <= MOST for _, values in pairs for value in values):
        message = f"{str(file)!r}: labels={labels!r:.80}: expected numbers of 0 to {MOST}."
        raise DataError("malformed", file, message, "Correct the number.")
    if not pairs:
        raise DataError("malformed", file, f"{str(file)!r} has no labels: expected names.")
    void = tuple(v for name, values in pairs if name.lower() in IGNORED for v in values)
    return {name: values for name, values in pairs if name.lower() not in IGNORED}, void


def _values(given):
    """The values of a label, or of a region; `ValueError` if they are none."""
    values = tuple(map(int, given if isinstance(given, list) else [given]))
    if not values or list(values) != (given if isinstance(given, list) else [given]):
        raise ValueError("no number, or one with a fraction")
    return values


def _in_regions(source, values, regions):
    """A `Source` of labels as one of regions, which overlap.

    Args:
        source: Its class ids are the positions of the values.
        values: Those of masks.
        regions: Name -> the values that it is made of. That of 0 alone is the ground, and no class.
    """
    regions = {name: of for name, of in regions.items() if of != (0,)}
    table = np.zeros((max(source.void, len(values)) + 1, len(regions)), np.uint8)
    table[: len(values)] = [[value in of for of in regions.values()] for value in values]
    table[source.void] = VOID

    def decode(row):
        tf = tensorflow()
        sample = source.decode(row)
        label = tf.gather(tf.constant(table), tf.cast(sample["label"], tf.int32))
        return {**sample, "label": label}

    names = tuple(regions)
    colors = class_colors(names)
    more = {"class_names": names, "colors": colors, "void": VOID, "task": "multilabel"}
    return dataclasses.replace(source, decode=decode, **more)


def _check_channels(file, content, source):
    """Raises `DataError` if `dataset.json` names more channels than photos have."""
    names = content.get("channel_names") or content.get("modality") or ()
    if source.channels is not None and len(names) > source.channels:
        message = f"{str(file)!r} names {len(names)} channels, and photos have {source.channels}."
        remedy = "Add the files of the others, as _0001, or name those that there are."
        raise DataError("unsuitable", file, message, remedy)


def _channels(photos):
    """The numbers of the files that each photo of a folder has: `["0000"]`, or more.

    Raises:
        DataError: they are volumes.
        MissingData: there is none.
    """
    names = files_below(photos)
    found = [match for name in names if (match := CHANNEL.search(name))]
    endings = {match[2].lower() for match in found}
    if not found:
        message = f"{str(photos)!r} holds no photo whose name ends in _0000: it holds {len(names)}."
        raise MissingData("missing", photos, message, "Name photos as nnU-Net does: a_0000.png.")
    if endings - set(PHOTOS):
        ending = sorted(endings - set(PHOTOS))[0]
        message = f"{str(photos)!r} holds files ending in {ending}: expected {', '.join(PHOTOS)}."
        remedy = "Volumes are not read: write their slices as PNG, photos and masks alike."
        raise DataError("unsuitable", photos, message, remedy)
    return sorted({match[1] for match in found} | {"0000"})

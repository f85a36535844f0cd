"""nnU-Net's folders: `imagesTr`, `labelsTr` and `dataset.json`. Isensee et al., "nnU-Net: a
self-configuring method for deep learning-based biomedical image segmentation", Nature Methods 2021;
the format as version 2 documents it, and the older of the Medical Segmentation Decathlon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kseg.base.types import PathLike, Range
from kseg.data.class_lists import IGNORED
from kseg.data.errors import DataError, MissingData, no_split
from kseg.data.listing import PHOTOS
from kseg.data.pairs import files_below
from kseg.data.readers.folder import folder
from kseg.data.readers.labelme import load_json
from kseg.data.readers.splits import not_drawn, of_no_split, part
from kseg.data.source import Source

DESCRIPTION = "dataset.json"
MOST = 65535  # of a mask of 16 bits
CHANNEL = re.compile(r"_(\d{4})(\.[^_]+)$")  # of a photo's name: _0000.png


def nnunet(
    root: PathLike,
    split: str | None = "train",
    *,
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
        val_fraction: Share of `"val"`; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with the classes of `dataset.json`; its label `ignore` is void.

    Raises:
        FileNotFoundError: a folder, a photo or a mask is missing.
        ValueError: `dataset.json` is damaged, or photos are volumes.

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
    labels, void = _labels(file, content)
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
            tuple(labels.values()),
            values=tuple(labels),
            void_values=void or None,
            value_range=value_range,
            bits=bits,
            bands=bands,
            clip=clip,
            name=root.resolve().name,
            probe=False,
        )
    _check_channels(file, content, source)
    if split in (None, "test"):
        not_drawn(val_fraction)
        return source if split is None else source.subset(range(len(source)), f"{source.name}/test")
    chosen = part(source.ids, split, 0.2 if val_fraction is None else val_fraction)
    return source.subset(chosen, f"{source.name}/{split}")


def is_nnunet(root):
    """Whether a folder is of this layout."""
    return all((root / name).exists() for name in (DESCRIPTION, "imagesTr", "labelsTr"))


def _labels(file, content):
    """Value -> name of the classes, and the values of void."""
    labels = content.get("labels") if isinstance(content, dict) else None
    try:
        if all(str(key).isdecimal() for key in labels):  # version 1: "0": "background"
            pairs = [(int(key), str(name)) for key, name in labels.items()]
        else:
            pairs = [(int(value), name) for name, value in labels.items()]
            if any(value != given for (value, _), given in zip(pairs, labels.values())):
                raise ValueError("a number with a fraction")
    except (TypeError, ValueError, AttributeError, OverflowError):
        message = f"{str(file)!r}: labels={labels!r:.80}: expected a number for each name."
        remedy = "Regions, which name several labels, are not read: name each label once."
        raise DataError("malformed", file, message, remedy) from None
    if not all(0 <= value <= MOST for value, _ in pairs):
        message = f"{str(file)!r}: labels={labels!r:.80}: expected numbers of 0 to {MOST}."
        raise DataError("malformed", file, message, "Correct the number.")
    if not pairs:
        raise DataError("malformed", file, f"{str(file)!r} has no labels: expected names.")
    void = tuple(value for value, name in pairs if name.lower() in IGNORED)
    return {value: name for value, name in sorted(pairs) if value not in void}, void


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

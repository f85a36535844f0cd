"""CamVid: road scenes of Cambridge, 11 classes. Brostow, Fauqueur, Cipolla, "Semantic Object
Classes in Video", Pattern Recognition Letters 2009, in the layout of the SegNet tutorial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kseg.base.arguments import choice
from kseg.base.types import PathLike, Range
from kseg.data.decode import decode_mask
from kseg.data.errors import MissingData
from kseg.data.faults import Faults
from kseg.data.listing import MASKS, PHOTOS, column, complete, list_files, pair_by_name, stem
from kseg.data.photos import Numbers
from kseg.data.relabel import relabel
from kseg.data.source import VOID, Source

CLASSES = {  # name -> colour, after the original CamVid colour list
    "Sky": (128, 128, 128),
    "Building": (128, 0, 0),
    "Pole": (192, 192, 128),
    "Road": (128, 64, 128),
    "Pavement": (60, 40, 222),
    "Tree": (128, 128, 0),
    "SignSymbol": (192, 128, 128),
    "Fence": (64, 64, 128),
    "Car": (64, 0, 128),
    "Pedestrian": (64, 64, 0),
    "Bicyclist": (0, 128, 192),
}


UNLABELLED = 11  # the stored value of void


SPLITS = ("train", "val", "test")


def camvid(
    root: PathLike,
    split: str = "train",
    *,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads CamVid: `root/train`, `root/trainannot`, and likewise for `val` and `test`.

    Args:
        root: Folder that holds the split's folders.
        split: `"train"`, `"val"` or `"test"`.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` of 11 classes; the stored value 11 (unlabelled) becomes void, 255.

    Raises:
        FileNotFoundError: a folder is missing or empty, or a photo has no mask.
        ValueError: unknown split.

    Example:

    >>> source = kseg.data.camvid("CamVid", split="val")
    >>> source.class_names[:3]
    ('Sky', 'Building', 'Pole')
    """
    numbers = Numbers(value_range, bits, bands, clip)
    choice("split", split, SPLITS)
    root = Path(root).expanduser()
    if not root.is_dir():
        raise MissingData(
            "missing",
            root,
            f"root={str(root)!r} does not exist: expected the CamVid folder, which holds "
            f"{split} and {split}annot.",
        )
    images = list_files(root / split, PHOTOS, "root/split", kind="no_split")
    faults = Faults()
    masks = list_files(root / f"{split}annot", MASKS, "root/splitannot")
    masks = pair_by_name(images, masks, "", faults)
    whole = complete(masks)
    if not whole:
        faults.check()
    images, masks = ([of[i] for i in whole] for of in (images, masks))

    def decode(row):
        label = relabel(
            decode_mask(row["label"]), range(len(CLASSES)), [UNLABELLED], VOID, row["label"]
        )
        return {"label": label}

    photos = numbers.photos(images)
    source = Source(
        name=f"camvid/{split}",
        columns={
            "image": column(images),
            "label": column(masks),
        },
        decode=photos.beside(decode),
        class_names=tuple(CLASSES),
        colors=tuple(CLASSES.values()),
        ids=tuple(map(stem, images)),
        **photos.said,
    )
    faults.check(rest=source)
    return source

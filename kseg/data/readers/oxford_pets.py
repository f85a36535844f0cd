"""Oxford-IIIT Pet: cats and dogs with trimaps. Parkhi, Vedaldi, Zisserman, Jawahar, "Cats and
Dogs", CVPR 2012; the folders of its two archives, images.tar.gz and annotations.tar.gz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kseg.base.types import PathLike, Range
from kseg.data.errors import no_split
from kseg.data.readers.folder import folder
from kseg.data.readers.splits import listed, not_drawn, of_no_split, part
from kseg.data.source import Source

# "1: foreground, 2: background, 3: not classified": the README of its annotations
CLASSES, VALUES, UNCLASSIFIED = ("pet", "background"), (1, 2), 3
TRIMAPS = "annotations/trimaps"


def oxford_pets(
    root: PathLike,
    split: str | None = "train",
    *,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads the Oxford-IIIT Pet set from its own folders.

    Args:
        root: Folder that holds `images` and `annotations/trimaps`.
        split: `"trainval"` or `"test"`, as its lists in `annotations` have them; `"train"` (the
            default) or `"val"`, a fixed random part of the former; None for all photos.
        val_fraction: Share of `"val"`; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` of two classes, pet and background; the unclassified outline is void.

    Raises:
        FileNotFoundError: a folder, a photo or a trimap is missing.
        ValueError: unknown split.

    Example:

    >>> kseg.data.oxford_pets("pets", "val")
    <Source: 'pets/val', 1 semantic sample of 2 classes>
    """
    root = Path(root).expanduser()
    with of_no_split():
        source = folder(
            root / "images",
            root / TRIMAPS,
            CLASSES,
            values=VALUES,
            void_values=(UNCLASSIFIED,),
            name=root.resolve().name,
            value_range=value_range,
            bits=bits,
            bands=bands,
            clip=clip,
            probe=False,
        )
    drawn = split in ("train", "val")
    if not drawn:
        not_drawn(val_fraction)
    if split is None:
        return source
    lists = root / "annotations"
    file = lists / f"{'trainval' if drawn else split}.txt"
    if not drawn and not file.is_file():
        raise no_split(split, "'train', 'val', or a list in annotations, as 'trainval', 'test'")
    positions = range(len(source))
    if file.is_file():
        positions = listed(file, [f"{name}.jpg" for name in source.ids])
    if drawn:
        names = [source.ids[i] for i in positions]
        share = 0.2 if val_fraction is None else val_fraction
        positions = [positions[i] for i in part(names, split, share)]
    return source.subset(positions, name=f"{source.name}/{split}")

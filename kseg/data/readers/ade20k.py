"""ADE20K: 150 classes of things and stuff, indoors and out. Zhou, Zhao, Puig, Fidler, Barriuso,
Torralba, "Scene Parsing through ADE20K Dataset", CVPR 2017; the folders of ADEChallengeData2016."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kseg.base.types import PathLike, Range
from kseg.data.errors import MissingData
from kseg.data.pairs import ALIASES
from kseg.data.readers.folder import folder
from kseg.data.source import Source

# The first of the names that objectInfo150.txt gives each; of two that begin alike, more
CLASSES = tuple(
    """wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk,
    person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf,
    house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub,
    railing, cushion, base, box, column, signboard, chest of drawers, counter, sand, sink,
    skyscraper, fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table, pillow,
    screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill,
    bench, countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar,
    arcade machine, hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight, booth,
    television, airplane, dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle,
    buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer, plaything,
    swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, food,
    step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket,
    sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier, crt screen, plate,
    monitor, bulletin board, shower, radiator, glass, clock, flag""".replace("\n", " ").split(",")
)
CLASSES = tuple(" ".join(name.split()) for name in CLASSES)
OTHER = 0  # "other objects", which its benchmark does not score


def ade20k(
    root: PathLike,
    split: str = "train",
    *,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads ADE20K as the scene parsing challenge has it.

    Args:
        root: Folder that holds `images/training`, `annotations/training` and likewise for
            `validation`.
        split: `"train"` (the default) or `"val"`, or what the folders are called.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` of 150 classes; 0 in the masks, what is none of them, is void.

    Raises:
        FileNotFoundError: a folder is missing, or a photo has no mask.

    Example:

    >>> source = kseg.data.ade20k("ADEChallengeData2016", "val")
    >>> source.num_classes, source.class_names[:3]
    (150, ('wall', 'building', 'sky'))
    """
    root = Path(root).expanduser()
    names = (split, *ALIASES.get(split, ()))
    name = next((each for each in names if (root / "images" / each).is_dir()), None)
    if name is None:
        there = sorted(p.name for p in (root / "images").glob("*") if p.is_dir())
        message = f"split={split!r}: {str(root / 'images')!r} has {', '.join(there) or 'none'}."
        remedy = "Give the folder of ADEChallengeData2016, with images and annotations."
        raise MissingData("no_split", root / "images" / split, message, remedy)
    return folder(
        root / "images" / name,
        root / "annotations" / name,
        CLASSES,
        values=range(1, len(CLASSES) + 1),
        void_values=(OTHER,),
        name=f"{root.resolve().name}/{split}",
        value_range=value_range,
        bits=bits,
        bands=bands,
        clip=clip,
        probe=False,
    )

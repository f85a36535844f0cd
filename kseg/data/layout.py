"""Which layout a folder has: what lies in it tells."""

from pathlib import Path

from kseg.base.arguments import refused

# Kind -> how to tell it, in words, and the alternatives of what must be there, as globs
SIGNS = {
    "voc": (
        "ImageSets/Segmentation",
        [[f"{top}ImageSets/Segmentation"] for top in ("", "VOC2012/", "VOCdevkit/VOC2012/")],
    ),
    "cityscapes": ("leftImg8bit and gtFine", [["leftImg8bit", "gtFine"]]),
    "camvid": ("train and trainannot", [["train", "trainannot"]]),
    "coco": (
        "annotations/*.json, or annotations.json and images",
        [["annotations/*.json"], ["annotations.json", "images"]],
    ),
    "folder": ("images and masks", [["images", "masks"]]),
    "records": ("train/source.json", [["train/source.json"]]),
}


def layouts_of(folder):
    """The kinds of data sets, as `kseg.data.spec` names them, that a folder looks like."""
    folder = Path(folder)
    return [
        kind
        for kind, (_, ways) in SIGNS.items()
        if any(all(any(folder.glob(sign)) for sign in way) for way in ways)
    ]


def layout_of(folder):
    """The one kind that a folder looks like.

    Raises:
        ValueError: it looks like none, or like several; they are listed.
    """
    kinds = layouts_of(folder)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        expected = "a folder of one layout, and this could be " + " or ".join(kinds)
        remedy = "Say which: " + " or ".join(f"{kind}:{folder}" for kind in kinds) + "."
        raise refused("data", str(folder), expected, remedy)
    layouts = "; ".join(f"{kind} ({sign})" for kind, (sign, _) in SIGNS.items())
    remedy = "For other folders of photos and masks, bring them to PATH/images and PATH/masks."
    raise refused("data", str(folder), f"a folder of one of these layouts: {layouts}", remedy)

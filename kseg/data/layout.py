"""Which layout a folder has: what lies in it tells."""

import itertools
from pathlib import Path
from typing import NamedTuple

from kseg.base.arguments import refused
from kseg.data.class_lists import LABELMAP, class_list
from kseg.data.coco_layouts import find_coco
from kseg.data.find_pairs import find_pairs
from kseg.data.pairs import files_below, without_split
from kseg.data.readers.cvat_xml import xml_files
from kseg.data.readers.folder_objects import BOWL, is_bowl
from kseg.data.readers.json_lines import line_files
from kseg.data.readers.labelme import is_labelme, load_json
from kseg.data.readers.nnunet import is_nnunet
from kseg.data.readers.run_tables import found_tables
from kseg.data.readers.via import via_files
from kseg.data.readers.yolo import label_file, yaml_file

VOC_TOPS = ("", "VOC2012/", "VOCdevkit/VOC2012/")
TABLES = ("rle", "jsonl")  # masks that are files go before lists of the same ones
LOOKED_AT = 20  # JSON files, of which any says that a folder is labelme's


class Layout(NamedTuple):
    """A layout: how it is told in words, and a function of a folder that tells it."""

    sign: str
    fits: object


def has(root, *signs):
    """Whether all of these, as globs, are in a folder."""
    return all(any(root.glob(sign)) for sign in signs)


def _is_voc(root):
    tops = [top for top in VOC_TOPS if has(root, f"{top}ImageSets/Segmentation")]
    return bool(tops) and not (root / tops[0] / LABELMAP).is_file()


def _is_cvat(root):
    if xml_files(root):
        return True
    labels = class_list(root) if (root / LABELMAP).is_file() else None
    return has(root, "SegmentationClass") and labels is not None and labels.palette is not None


def _is_yolo(root):
    """A YAML file of names; or photos in `images`, text files in `labels`."""
    if yaml_file(root) is not None:
        return True
    photos = itertools.chain(root.glob("images/**/*.*"), root.glob("*/images/*.*"))
    texts = (Path(label_file(str(p))) for p in itertools.islice(photos, LOOKED_AT))
    return any(
        text.is_file() and text.suffix == ".txt" and "labels" in text.parts for text in texts
    )


def _is_labelme(root):
    files = itertools.islice(root.glob("**/*.json"), LOOKED_AT)
    small = [file for file in files if file.is_file() and not file.name.startswith(".")]
    return any(is_labelme(_content(file)) for file in small)


def _content(file):
    """What a JSON file holds; None where that is nothing, which its reader says."""
    try:
        return load_json(file)
    except ValueError:
        return None


def _is_via(root):
    try:
        return bool(via_files(root))
    except ValueError:
        return False


# Kind -> how it is told; an earlier one goes before a later one where both fit only if it says so
SIGNS = {
    "voc": Layout("ImageSets/Segmentation", _is_voc),
    "cvat": Layout(
        "labelmap.txt and SegmentationClass, or an XML file of CVAT for images", _is_cvat
    ),
    "cityscapes": Layout("leftImg8bit and gtFine", lambda r: has(r, "leftImg8bit", "gtFine")),
    "camvid": Layout("train and trainannot", lambda root: has(root, "train", "trainannot")),
    "ade20k": Layout(
        "images/training and annotations/training",
        lambda root: has(root, "images/training", "annotations/training"),
    ),
    "oxford_pets": Layout(
        "images and annotations/trimaps", lambda root: has(root, "images", "annotations/trimaps")
    ),
    "nnunet": Layout("dataset.json, imagesTr and labelsTr", is_nnunet),
    "coco": Layout(
        "annotations/instances_*.json, _annotations.coco.json, result.json, annotations.json, or "
        "another JSON file with images, annotations and categories",
        lambda root: bool(find_coco(root)),
    ),
    "yolo": Layout("data.yaml, or images and labels/*.txt", _is_yolo),
    "labelme": Layout("a JSON file with shapes and imagePath beside each photo", _is_labelme),
    "via": Layout("a JSON or CSV file of VIA beside the photos", _is_via),
    "folder": Layout("images and masks", lambda root: has(root, "images", "masks")),
    "jsonl": Layout(
        "a .jsonl or .ndjson file of polygons, or Label Studio's JSON, beside the photos",
        lambda root: bool(line_files(root)),
    ),
    "rle": Layout(
        "a CSV file of run-lengths beside the photos", lambda root: bool(found_tables(root))
    ),
    "records": Layout("train/source.json", lambda root: has(root, "train/source.json")),
}


def layouts_of(folder):
    """The kinds of data sets, as `kseg.data.spec` names them, that a folder looks like."""
    folder = Path(folder)
    return [kind for kind, layout in SIGNS.items() if layout.fits(folder)]


def layout_of(folder):
    """The one kind that a folder looks like, and the patterns of photos and masks, or None.

    Raises:
        ValueError: it looks like none, or like several; they are listed.
    """
    fitting = layouts_of(folder)
    kinds = [kind for kind in fitting if kind not in TABLES]
    found = None if kinds else pairs_of(folder)
    if found is not None:
        return "folder", found
    kinds = kinds or fitting
    if len(kinds) == 1:
        return kinds[0], None
    if kinds:
        expected = "a folder of one layout, and this could be " + " or ".join(kinds)
        remedy = "Say which: " + " or ".join(f"{kind}:{folder}" for kind in kinds) + "."
        raise refused("data", str(folder), expected, remedy)
    layouts = "; ".join(f"{kind} ({layout.sign})" for kind, layout in SIGNS.items())
    remedy = (
        "For other folders of photos and masks say how they are named, as in "
        "pairs=('{}_sat.jpg', '{}_mask.png')."
    )
    raise refused("data", str(folder), f"a folder of one of these layouts: {layouts}", remedy)


def pairs_of(folder):
    """Patterns of photos and masks, found by looking at the names; None if nothing fits.

    Raises:
        ValueError: several patterns fit as well.
    """
    files = files_below(folder)
    found = find_pairs(files)
    if len(found) > 1:
        ways = " or ".join(f"pairs={pair!r}" for pair in found)
        expected = "a folder whose names tell which are the masks, and several could be"
        raise refused("data", str(folder), expected, f"Say which: {ways}.")
    if found:
        return without_split(files, *found[0])
    return BOWL if is_bowl(folder) else None

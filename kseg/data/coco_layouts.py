"""Where an annotation file of COCO's format lies, and the photos that it is of.

annotations/instances_train2017.json   train2017/              COCO itself, LVIS, MMDetection
annotations/instances_default.json     images/, images/default CVAT
train/_annotations.coco.json           train/                  Roboflow, with valid and test
result.json                            images/                 Label Studio
annotations.json                       images/                 and others with one file
"""

import json
import os
import re
from pathlib import Path

from kseg.base.arguments import refused
from kseg.data.errors import MissingData
from kseg.data.listing import shortened
from kseg.data.pairs import ALIASES, files_below, means, no_split_there
from kseg.data.texts import in_utf8

DEEPEST = 3  # folders below the root in which files are looked for
PEEK = 1 << 21  # bytes of the beginning of a file, by which it is known
BEST = (
    "instances",
    "panoptic",
    "lvis",
    "_annotations",
    "annotations",
    "result",
)  # of several files
OTHERS = ("captions", "person_keypoints", "image_info", "labels")  # of COCO: no objects
STUFF = "stuff"  # of COCO, beside its objects
KINDS = re.compile(r"^(instances|panoptic|lvis_v\d[\d.]*|lvis)_")
FILE_NAME = re.compile(r'"(file_name|coco_url)"\s*:\s*("(?:[^"\\]|\\.)*")')


def find_coco(root):
    """The annotation files below a folder: name of a split -> path; None for one that names none.

    Args:
        root: A `pathlib.Path`.

    Returns:
        dict; empty if there is no file.

    Raises:
        ValueError: several files are of one split, and names do not tell which.
    """
    found = {}
    for file in _json_files(root):
        name = Path(file).name.lower()
        if name.startswith(OTHERS) or not is_coco(root / file):
            continue
        found.setdefault(_split_of(file), []).append(file)
    for split, files in found.items():
        things = [file for file in files if not Path(file).name.lower().startswith(STUFF)]
        found[split] = things or files
    if None in found and len(found) > 1:
        del found[None]
    return {split: root / _best(root, files) for split, files in found.items()}


def coco_of_split(root, split):
    """The annotation file and the folder of photos of a split, and whether it is of all splits.

    Raises:
        MissingData: there is no file, or there are those of other splits alone.
        ValueError: as of `find_coco`.
    """
    found = find_coco(root)
    if not found:
        files = _json_files(root)
        held = f"it holds {shortened(files)}" if files else "it holds no JSON file"
        raise MissingData(
            "missing",
            root,
            f"{str(root)!r} has no annotation file in COCO's format: {held}.",
            "Put it there as annotations/instances_train.json, train/_annotations.coco.json or "
            "annotations.json, with the photos beside it or in images.",
        )
    whole = None in found
    file = found[None] if whole else next((f for s, f in found.items() if means(s, split)), None)
    if file is None:
        raise no_split_there(root, split, found, [f.relative_to(root) for f in found.values()][:3])
    return file, photos_of(root, file), whole


def is_coco(file):
    """Whether a JSON file looks like one of COCO's format."""
    with open(file, "rb") as stream:
        text = stream.read(PEEK)
        if len(text) == PEEK:  # of the large ones, the end too: keys come in any order
            stream.seek(max(PEEK, os.path.getsize(file) - PEEK))
            text += stream.read()
    text = in_utf8(text)
    keys = (b'"images"', b'"annotations"', b'"categories"')
    return text.lstrip()[:1] in (b"{", b"\xef") and all(key in text for key in keys)


def photos_of(root, file):
    """The folder that the photos of an annotation file lie in: where the first of them is.

    If it is in none of the usual folders, anywhere below. Where it is nowhere, the folder in which
    COCO would have it, for the error of the reader.
    """
    with open(file, "rb") as stream:
        text = in_utf8(stream.read(PEEK)).decode("utf-8", "replace")
    found = FILE_NAME.search(text)
    own = KINDS.sub("", file.stem)
    places = [
        file.parent,
        root / own,
        root / "images" / own,
        root / "images",
        file.parent / "images",
        root,
        root / "photos",
        root / "data",
        root / "JPEGImages",
    ]
    if found:
        name = json.loads(found[2]).replace("\\", "/")
        pieces = name.split("://")[-1].split("/")
        for dropped in range(len(pieces)):
            for place in places:
                if place.joinpath(*pieces[dropped:]).is_file():
                    return place
        below = [name for name in files_below(root) if name.split("/")[-1] == pieces[-1]]
        if len(below) == 1:
            return (root / below[0]).parent
    if file.parent.name != "annotations" and not (root / "images").is_dir():
        return file.parent
    inside = (root / "images").is_dir() and not (root / own).is_dir()
    return root / "images" if inside else root / own


def _json_files(root):
    files = [file for file in files_below(root) if file.lower().endswith(".json")]
    return [file for file in files if file.count("/") <= DEEPEST]


def _split_of(file):
    """The split that a path names: `train` of annotations/instances_train2017.json."""
    words = re.split(r"[^A-Za-z]+", file)
    known = {name for names in ALIASES.values() for name in names}
    return next((word for word in reversed(words) if word.lower() in known), None)


def _best(root, files):
    """The file of a split, of several that could be."""
    if len(files) == 1:
        return files[0]

    def rank(file):
        name = Path(file).name.lower()
        place = next((i for i, each in enumerate(BEST) if name.startswith(each)), len(BEST))
        return place, file.count("/")

    files = sorted(files, key=rank)
    if rank(files[0]) == rank(files[1]):
        expected = f"one annotation file of a split, and {str(root)!r} has {shortened(files)}"
        remedy = "Move the others elsewhere, or give the folder that holds the one."
        raise refused("data", f"coco:{root}", expected, remedy)
    return files[0]

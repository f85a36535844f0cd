"""Polygons in JSON Lines, a photo a line: Azure's AutoML, Prodigy, Ultralytics' NDJSON. And tasks
of Label Studio, a photo each, in lines or in one JSON list: see `label_studio.py`.

Azure        {"image_url": ..., "label": [{"label": "cell", "polygon": [[x1, y1, ...]]}]}, in shares
Prodigy      {"image": ..., "spans": [{"label": "cell", "points": [[x, y], ...]}]}, in pixels
Ultralytics  {"class_names": {"0": "cell"}}, then {"file": ..., "split": ..., "annotations":
             {"segments": [[0, x1, y1, ...]]}}, in shares
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kseg.base.arguments import name_list
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import class_list
from kseg.data.drawn import (
    FARTHEST,
    Drawing,
    Shape,
    class_names_of,
    drawn_source,
    header_size,
    polygon_of,
    rectangle,
)
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS
from kseg.data.pairs import files_below, is_split, means, no_split_there
from kseg.data.photos import Numbers
from kseg.data.readers.label_studio import draw, is_task, photo_of, tasks_of, without_upload
from kseg.data.readers.splits import chosen_of_split, not_drawn
from kseg.data.source import Source
from kseg.data.texts import text_of

ENDINGS = (".jsonl", ".ndjson", ".jsonlines")
BEYOND = 0.01  # share of a side by which a point may lie beyond the photo: rounding
CROWD = "__ignore__"
# Keys of lines that are of something else -> whose they are, and what to do
OTHERS = {
    ("prefix", "suffix"): ("a vision-language model", "Export the set as COCO segmentation."),
    ("messages",): ("a language model", "Export the set as COCO segmentation."),
    ("conversations",): ("a language model", "Export the set as COCO segmentation."),
    ("data_row", "projects"): (
        "Labelbox, whose masks lie on its server",
        "Bring it into COCO's format by Labelbox' own converter.",
    ),
    ("source-ref",): (
        "SageMaker Ground Truth",
        "Give its masks by their names, as in pairs=('{}.jpg', '{}.png').",
    ),
    ("file_name",): (
        "Hugging Face, without polygons",
        "Give its masks by their names, as in pairs=('images/{}.jpg', 'masks/{}.png').",
    ),
}


def json_lines(
    root: PathLike,
    split: str | None = None,
    *,
    class_names: Sequence[str] | None = None,
    instances: bool = False,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads polygons in JSON Lines, of Azure's AutoML, Prodigy and Ultralytics' NDJSON; and Label
    Studio's export named JSON, in which polygons, boxes, ellipses and brushes are read.

    In a map, class 0 is the background, and smaller objects lie on top. Boxes of Prodigy and Label
    Studio are filled rectangles; those of the others have no mask and are left out. Crowds of Azure
    are ignored regions. Lines that Prodigy's user rejected or skipped are left out. Photos are
    found by their names, anywhere below `root`.

    Args:
        root: Folder, below which the `.jsonl` or `.ndjson` files, or the JSON of Label Studio, and
            the photos lie.
        split: The one that lines name; or a word of a file's name, as in `train_annotations.jsonl`;
            or a folder of the photos; else `"train"` or `"val"` for a fixed random part; None for
            all.
        class_names: Name of each class; None for those of the file or of `classes.txt`, or for what
            is there, in the order of the alphabet.
        instances: Whether samples hold objects in place of a map of labels.
        val_fraction: Share of `"val"` of a random part; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with void = 255.

    Raises:
        FileNotFoundError: a folder, the file or a photo is missing.
        ValueError: a line is damaged, or of another tool.
        ImportError: pycocotools is not installed.

    Example:

    >>> kseg.data.json_lines("lines", instances=True).class_names
    ('cell',)
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = Path(root).expanduser()
    found = files_below(root)
    of_tasks = {file: listed for file in found if (listed := tasks(root, file))}
    files = [file for file in found if file.lower().endswith(ENDINGS) or file in of_tasks]
    if not files:
        message = f"{str(root)!r} holds no file ending in {', '.join(ENDINGS)}, and no JSON file "
        message += "of Label Studio's tasks."
        raise MissingData("missing", root, message, "Give the folder of the annotations.")
    photos = _Photos(root, found)
    faults, drawings, splits, listed = Faults(), {}, {}, None
    for file in files:
        own = _split_of(file)
        own_tasks = of_tasks.get(file)
        for number, line in enumerate(own_tasks, 1) if own_tasks else lines_of(root / file):
            where = f"{str(root / file)!r}, {'task' if own_tasks else 'line'} {number}"
            try:
                if isinstance(line.get("class_names"), dict):
                    listed = _listed(line["class_names"], where)
                    continue
                drawing = _drawing(line, photos, listed, root / file, where)
                if drawing is None:
                    continue
                if drawing.photo in drawings:
                    raise _malformed(root / file, f"{where}: a second line of {drawing.photo!r}")
            except DataError as error:
                faults.add(error, where)
                continue
            drawings[drawing.photo] = drawing
            splits[drawing.photo] = line.get("split", own)
    faults.check()
    if not drawings:
        message = f"{str(root)!r} holds no line with a photo."
        raise MissingData("missing", root, message, "Give the folder of the annotations.")
    said = class_list(root) if class_names is None and listed is None else None
    given = said.class_names if said else class_names if class_names is not None else listed
    given = given if given is None else name_list("class_names", given)
    names = class_names_of([*drawings.values()], given, str(said.file) if said else "class_names")
    chosen = _chosen(root, drawings, splits, split, val_fraction)
    name = f"{root.resolve().name}{f'/{split}' if split else ''}"
    return drawn_source(name, chosen, names, instances=instances, by_area=True, numbers=numbers)


def tasks(root, file):
    """The tasks of Label Studio in a JSON file, a list; None if it is of something else."""
    return tasks_of(root / file) if file.lower().endswith(".json") else None


def lines_of(file):
    """Yields the number and the content of each line of a file, a dict.

    Raises:
        DataError: one is no JSON, or no dict.
    """
    for number, text in enumerate(text_of(Path(file)).split("\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            what = f"{str(file)!r}, line {number} is no JSON ({error})"
            raise _malformed(file, what) from None
        if not isinstance(line, dict):
            raise _malformed(file, f"{str(file)!r}, line {number} is {line!r:.40}, no object")
        yield number, line


def line_files(root):
    """The files of JSON Lines below a folder that this reader reads, or knows whose they are."""
    root = Path(root)
    known = []
    for file in files_below(root):
        if tasks(root, file):
            known.append(file)
        if not file.lower().endswith(ENDINGS):
            continue
        try:
            _, first = next(lines_of(root / file), (0, {}))
        except DataError:
            continue
        if _kind(first) or "class_names" in first or _other(first):
            known.append(file)
    return known


def _kind(line):
    """Which tool's a line is, as `"azure"`; None for none of those that are read."""
    if is_task(line):
        return "label_studio"
    if "image_url" in line and isinstance(line.get("label"), list):
        return "azure"
    if "image" in line and isinstance(line.get("spans", [] if "answer" in line else None), list):
        return "prodigy"
    if "file" in line and isinstance(line.get("annotations", {}), dict):
        return "ultralytics"
    return None


def _other(line):
    return next((said for keys, said in OTHERS.items() if {*keys} <= line.keys()), None)


def _split_of(file):
    """The split that a file's name says; None for none."""
    words = re.split(r"[^a-z0-9]+", os.path.basename(file).lower())
    return next((word for word in words if is_split(word)), None)


def _chosen(root, drawings, splits, split, val_fraction):
    """The drawings of a split, a list."""
    if not any(splits.values()):
        places = [os.path.relpath(photo, root).replace(os.sep, "/") for photo in drawings]
        every = list(drawings.values())
        return [every[i] for i in chosen_of_split(root, places, split, val_fraction)]
    if split is not None:
        not_drawn(val_fraction)
    chosen = [d for photo, d in drawings.items() if split is None or means(splits[photo], split)]
    if not chosen:
        raise no_split_there(root, split, [each for each in splits.values() if each])
    return chosen


class _Photos:
    """The photos below a folder, found by the end of a path or an address."""

    def __init__(self, root, files):
        self.root, self.of_name = root, {}
        for file in files:
            if file.lower().endswith(PHOTOS):
                self.of_name.setdefault(os.path.basename(file), []).append(file)

    def find(self, name, file, where):
        pieces = name.replace("\\", "/").split("?")[0].split("/")
        ways = self.of_name.get(pieces[-1], [])
        for first in range(len(pieces)):  # the longest end that one of them has
            end = "/".join(pieces[first:])
            fits = [way for way in ways if way == end or way.endswith(f"/{end}")]
            if len(fits) == 1:
                return str(self.root / fits[0])
            if fits:
                break
        shown = name if len(name) < 200 else f"{name[:40]}..."
        message = f"{where} is of the photo {shown!r}, of which there "
        message += f"are {len(ways)}: {', '.join(ways[:3])}." if ways else "is none."
        remedy = "Name the folder there too." if ways else "Copy it below the folder of the set."
        raise MissingData("unpaired", file, message, remedy)


def _listed(names, where):
    """Ultralytics' class names, in the order of their numbers."""
    if {*names} != {str(i) for i in range(len(names))}:
        raise _malformed(where, f"{where}: class_names={names!r:.80}: expected names for 0, 1, ...")
    return tuple(str(names[str(i)]) for i in range(len(names)))


def _drawing(line, photos, names, file, where):
    """The `Drawing` of a line; None if it was rejected."""
    kind = _kind(line)
    if kind is None:
        whose, remedy = _other(line) or (None, None)
        keys = ", ".join(line) or "none"
        message = f"{where} has the keys {keys:.80}: "
        message += f"it is of {whose}." if whose else "expected image_url and label, image and "
        message += "" if whose else "spans, file and annotations, or data and annotations."
        raise DataError("malformed", file, message, remedy or "Export polygons as COCO or YOLO.")
    if kind == "label_studio":
        return _task(line, photos, file, where)
    if line.get("answer", "accept") != "accept":
        return None
    meta = line["meta"] if isinstance(line.get("meta"), dict) else {}
    keys = {"azure": "image_url", "prodigy": "image", "ultralytics": "file"}
    name = line[keys[kind]]
    if str(name).startswith("data:"):  # Prodigy's copy of the photo
        name = line.get("path") or meta.get("file") or line.get("text") or name
    photo = photos.find(str(name), file, where)
    drawing = Drawing(photo, header_size(photo), [])
    try:
        {"azure": _azure, "prodigy": _prodigy, "ultralytics": _ultralytics}[kind](
            drawing, line, names
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        text = f"no {error}" if isinstance(error, KeyError) else error
        raise _malformed(file, f"{where}: {text}") from None
    return drawing


def _task(task, photos, file, where):
    """The `Drawing` of a task of Label Studio; None if nobody has annotated it."""
    try:
        name = photo_of(task)
        try:
            photo = photos.find(name, file, where)
        except MissingData:
            if without_upload(name) == name:
                raise
            photo = photos.find(without_upload(name), file, where)
        drawing = Drawing(photo, header_size(photo), [])
        return drawing if draw(drawing, task) else None
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        text = f"no {error}" if isinstance(error, KeyError) else error
        raise _malformed(file, f"{where}: {text}") from None


def _azure(drawing, line, names):
    for number, each in enumerate(line["label"]):
        label = _label(each["label"])
        if "polygon" not in each:
            _left_out(drawing, "box", f"label {number} is a box without a mask")
            continue
        crowd = str(each.get("isCrowd", 0)).lower() in ("1", "1.0", "true")
        polygons = [_in_pixels(polygon, drawing.size) for polygon in each["polygon"]]
        _add(drawing, CROWD if crowd else label, polygons, f"label {number}")


def _prodigy(drawing, line, names):
    sides = line.get("height"), line.get("width")
    if all(type(side) in (int, float) and 0 < side < FARTHEST for side in sides):
        drawing.size = tuple(round(side) for side in sides)
    elif sides != (None, None):
        raise ValueError(f"height, width={sides}; expected those of the photo, in pixels")
    for number, each in enumerate(line.get("spans") or []):
        label = _label(each["label"])
        if each.get("type") == "rect" and "points" not in each:
            x, y, width, height = (float(each[key]) for key in ("x", "y", "width", "height"))
            polygon = polygon_of(rectangle(x, y, x + width, y + height))
        else:
            polygon = polygon_of(each["points"])
        _add(drawing, label, [polygon], f"span {number}", each.get("type") == "rect")


def _ultralytics(drawing, line, names):
    said = line.get("annotations") or {}
    for number, (class_id, *corners) in enumerate(said.get("segments") or []):
        if class_id not in range(len(names or ())):
            raise ValueError(f"segment {number} is of the class {class_id!r}, which has no name")
        polygon = _in_pixels(corners, drawing.size)
        _add(drawing, names[int(class_id)], [polygon], f"segment {number}")
    for key in said.keys() - {"segments"}:
        if said[key]:
            _left_out(drawing, "box", f"{len(said[key])} {key} have no mask")


def _label(label):
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"label={label!r:.60}; expected the name of a class")
    return label


def _in_pixels(shares, size):
    """A polygon of shares of width and height in pixels; None if it has too few points."""
    corners = np.asarray(shares, np.float64).ravel()
    if len(corners) and not (-BEYOND <= corners.min() and corners.max() <= 1 + BEYOND):
        far = corners[np.argmax(np.abs(corners - 0.5))]
        raise ValueError(f"the coordinate {far:g}; expected shares of width and height, 0 to 1")
    return polygon_of(corners * np.resize([size[1], size[0]], len(corners)))


def _add(drawing, label, polygons, what, is_box=False):
    """Adds an object to what is drawn, or tells that it has too few points."""
    kept = tuple(polygon for polygon in polygons if polygon is not None)
    if kept:
        drawing.shapes.append(Shape(label, kept, is_box=is_box))
    else:
        _left_out(drawing, "empty_instance", f"{what} has fewer than 3 points")


def _left_out(drawing, kind, what):
    drawing.problems.append((kind, f"{drawing.photo}: {what}, and is left out."))


def _malformed(file, what):
    return DataError("malformed", file, f"{what}.", "Correct it, or export the set again.")

"""VGG Image Annotator (VIA): one JSON or CSV file of regions beside the photos. Dutta, Zisserman,
"The VIA Annotation Software for Images, Audio and Video", ACM Multimedia 2019; the layout of
Matterport's Mask R-CNN, `train/via_region_data.json`."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kseg.base.arguments import name_list, refused
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import class_list
from kseg.data.drawn import (
    Drawing,
    Shape,
    class_names_of,
    drawn_source,
    ellipse,
    header_size,
    polygon_of,
    rectangle,
)
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.pairs import files_below
from kseg.data.photos import Numbers
from kseg.data.readers.labelme import load_json
from kseg.data.readers.splits import chosen_of_split
from kseg.data.source import Source
from kseg.data.texts import text_of

AREALESS = ("point", "polyline", "line")
OBJECT = "object"  # the one class of a set that names none
COLUMNS = ("filename", "region_shape_attributes", "region_attributes")


def via(
    root: PathLike,
    split: str | None = None,
    *,
    attribute: str | None = None,
    class_names: Sequence[str] | None = None,
    instances: bool = False,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads regions drawn with VIA: polygons, boxes, circles and ellipses.

    In a map, class 0 is the background, and smaller objects lie on top. Points and lines have no
    area and are left out. A photo that the file lists without a region has no object.

    Args:
        root: Folder, below which there is a file of VIA's (a project, or annotations as JSON or
            CSV) beside its photos, or in each split's folder.
        split: A folder below, or one of the lists `root/train.txt`, `root/val.txt`; else `"train"`
            or `"val"` for a fixed random part; None for all.
        attribute: Name of the region's attribute that is its class; None for the only one that a
            region has. Where no region has one, all are of the class `object`.
        class_names: Name of each class; None for those of `classes.txt`, or for what is there, in
            the order of the alphabet.
        instances: Whether samples hold objects in place of a map of labels.
        val_fraction: Share of `"val"` of a random part; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with void = 255.

    Raises:
        FileNotFoundError: a folder, the file or a photo is missing.
        ValueError: the file is damaged, or `attribute` is to be chosen.
        ImportError: pycocotools is not installed.

    Example:

    >>> kseg.data.via("balloon", "train", instances=True).class_names
    ('object',)
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = Path(root).expanduser()
    entries = [(file, entry) for file in via_files(root) for entry in _entries(root / file)]
    if not entries:
        message = f"{str(root)!r} holds no file of VIA with photos."
        raise MissingData("missing", root, message, "Export the annotations as JSON or CSV.")
    attributes = _attributes(root, entries, attribute)
    faults, drawings = Faults(), []
    for file, entry in entries:
        try:
            drawings.append(_drawing(root / file, entry, attributes))
        except DataError as error:
            faults.add(error, f"{entry['filename']!r}")
    faults.check()
    listed = class_list(root) if class_names is None else None
    given = listed.class_names if listed else class_names
    given = given if given is None else name_list("class_names", given)
    names = class_names_of(drawings, given, str(listed.file) if listed else "class_names")
    places = [os.path.relpath(drawing.photo, root).replace(os.sep, "/") for drawing in drawings]
    chosen = chosen_of_split(root, places, split, val_fraction)
    name = f"{root.resolve().name}{f'/{split}' if split else ''}"
    return drawn_source(
        name,
        [drawings[i] for i in chosen],
        names,
        instances=instances,
        by_area=True,
        numbers=numbers,
    )


def via_files(root):
    """The files of VIA's below a folder, as paths from there.

    The project and its exports say the same of one folder: of several in one, only the first.
    """
    chosen = {}
    for file in files_below(root):
        folder, name = os.path.split(file)
        if folder in chosen or not name.lower().endswith((".json", ".csv")):
            continue
        if name.lower().endswith(".json"):
            fits = is_via(load_json(Path(root) / file))
        else:
            fits = {*COLUMNS} <= {*columns_of(Path(root) / file)}
        if fits:
            chosen[folder] = file
    return sorted(chosen.values())


def is_via(content):
    """Whether the content of a JSON file is of VIA."""
    if not isinstance(content, dict) or not content:
        return False
    entries = content.get("_via_img_metadata", content)
    if not isinstance(entries, dict) or not entries:
        return False
    return all(
        isinstance(e, dict) and {"filename", "regions"} <= e.keys() for e in entries.values()
    )


def columns_of(file):
    """The names of a CSV file's columns."""
    try:
        with open(file, newline="", encoding="utf-8-sig", errors="replace") as stream:
            return [name.strip() for name in next(csv.reader(stream), [])]
    except (OSError, csv.Error):
        return []


def _entries(file):
    """The photos of a file: dicts of `filename` and a list of regions."""
    if file.suffix.lower() == ".csv":
        return _of_table(file)
    content = load_json(file)
    listed = content.get("_via_img_metadata", content).values()
    return [{**entry, "regions": _as_list(entry["regions"])} for entry in listed]


def _as_list(regions):
    """Regions, which version 1 numbers in a dict."""
    return list(regions.values()) if isinstance(regions, dict) else regions


def _of_table(file):
    """The photos of a CSV file, which has a row for each region."""
    photos = {}
    for number, row in enumerate(csv.DictReader(text_of(file).splitlines()), 2):
        try:
            shape, own = (json.loads(row[name] or "{}") for name in COLUMNS[1:])
            regions = photos.setdefault(row["filename"], [])
        except (TypeError, KeyError, ValueError) as error:
            message = f"{str(file)!r}, line {number}: {error}."
            raise DataError("malformed", file, message, "Export it again.") from None
        if shape:
            regions.append({"shape_attributes": shape, "region_attributes": own})
    return [{"filename": name, "regions": regions} for name, regions in photos.items()]


def _attributes(root, entries, given):
    """The attributes that say a region's class: one, or several of which no region has two."""
    found, together = Counter(), False
    for _, entry in entries:
        for region in entry["regions"] if isinstance(entry["regions"], list) else []:
            own = region.get("region_attributes") if isinstance(region, dict) else None
            own = own if isinstance(own, dict) else {}
            said = {name: text for name, value in own.items() if (text := _text(value))}
            found.update(list(said))
            together |= len({*said.values()}) > 1  # two that always say the same are one
    if given is not None:
        if given not in found:
            expected = f"one of the attributes in {str(root)!r}: {', '.join(found) or 'none'}"
            raise refused("attribute", given, expected)
        return [given]
    if together:
        expected = f"the one of {', '.join(map(repr, found))} that is the class"
        remedy = f"Give attribute={found.most_common(1)[0][0]!r}."
        raise refused("attribute", None, expected, remedy)
    return list(found)


def _text(value):
    """What an attribute says: text, or the one box of a group that is ticked."""
    if isinstance(value, dict):
        ticked = [name for name, on in value.items() if on]
        return ticked[0] if len(ticked) == 1 else ""
    return "" if value is None else str(value).strip()


def _drawing(file, entry, attributes):
    """The `Drawing` of a photo."""
    name = str(entry["filename"]).replace("\\", "/")
    folders = (file.parent, file.parent / "images", file.parent.parent / "images")
    ways = [folder / each for folder in folders for each in (name, os.path.basename(name))]
    photo = next((str(way) for way in ways if os.path.isfile(way)), None)
    if photo is None:
        message = f"{str(file)!r} lists {name!r}, which does not lie beside it."
        raise MissingData("unpaired", file, message, "Copy the photo there, or remove it there.")
    drawing = Drawing(photo, header_size(photo), [])
    if not isinstance(entry["regions"], list):
        raise _malformed(file, name, f"regions={entry['regions']!r:.60}: expected a list")
    for number, region in enumerate(entry["regions"]):
        where = f"region {number}"
        try:
            shape, own = region["shape_attributes"], region.get("region_attributes") or {}
            if not (isinstance(shape, dict) and isinstance(own, dict)):
                raise ValueError("its attributes are no names and values")
            kind = shape["name"]
            if kind in AREALESS:
                what = f"{name}: {where} is a {kind}, without an area."
                drawing.problems.append(("empty_instance", what))
                continue
            said = [text for name in attributes if (text := _text(own.get(name)))]
            if attributes and not said:
                raise ValueError(f"its attribute {attributes[0]!r} is empty")
            label = said[0] if said else OBJECT
            polygon = _polygon(kind, shape)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            text = f"no {error}" if isinstance(error, KeyError) else error
            raise _malformed(file, name, f"{where}: {text}") from None
        if polygon is None:
            what = f"{name}: {where} has fewer than 3 points."
            drawing.problems.append(("empty_instance", what))
        else:
            drawing.shapes.append(Shape(label, (polygon,), is_box=kind == "rect"))
    return drawing


def _polygon(kind, shape):
    """The corners of a region; None if there are too few."""
    if kind == "polygon":
        x, y = shape["all_points_x"], shape["all_points_y"]
        if len(x) != len(y):
            raise ValueError(f"{len(x)} x and {len(y)} y")
        return polygon_of(np.stack([x, y], axis=1))
    if kind == "rect":
        x, y, width, height = (float(shape[key]) for key in ("x", "y", "width", "height"))
        return polygon_of(rectangle(x, y, x + width, y + height))
    if kind == "circle":
        x, y, r = (float(shape[key]) for key in ("cx", "cy", "r"))
        return polygon_of(ellipse(x, y, r, r))
    if kind == "ellipse":
        x, y, rx, ry = (float(shape[key]) for key in ("cx", "cy", "rx", "ry"))
        return polygon_of(ellipse(x, y, rx, ry, float(shape.get("theta", 0))))
    raise ValueError(f"name={kind!r}; expected polygon, rect, circle or ellipse")


def _malformed(file, photo, what):
    message = f"{str(file)!r}, {photo!r}: {what}."
    return DataError("malformed", file, message, "Correct it in VIA, or remove the region.")

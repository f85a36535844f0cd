"""labelme: a JSON file beside each photo (https://github.com/wkentaro/labelme)."""

from __future__ import annotations

import base64
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kseg.base.arguments import name_list
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import class_list
from kseg.data.drawn import (
    FARTHEST,
    Drawing,
    Shape,
    class_names_of,
    drawn_source,
    ellipse,
    header_size,
    polygon_of,
    rectangle,
)
from kseg.data.embedded import has_photo
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS
from kseg.data.pairs import files_below
from kseg.data.photos import Numbers
from kseg.data.readers.splits import chosen_of_split
from kseg.data.source import Source
from kseg.data.texts import text_of

TURNED = ("rotation", "oriented_rectangle", "quadrilateral")  # of X-AnyLabeling: four corners
AREALESS = ("line", "linestrip", "point", "points", "lines")


def labelme(
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
    """Reads photos annotated with labelme: polygons, boxes, circles and masks.

    In a map, class 0 is the background, and what was drawn later lies on top, as labelme's own
    exports have it; `_background_` erases and `__ignore__` is void. Among objects, shapes of one
    label and one group are one object, and `__ignore__` is a crowd region. Points and lines have no
    area and are left out. Photos without a JSON file are not annotated, and are left out too.
    A photo that is there no more is read out of the JSON file, where that holds it (`imageData`).

    Args:
        root: Folder, below which the JSON files lie, each with its photo.
        split: A folder below, or one of the lists `root/train.txt`, `root/val.txt`; else `"train"`
            or `"val"` for a fixed random part; None for all.
        class_names: Name of each class; None for those of `labels.txt`, or for what is drawn, in
            the order of the alphabet.
        instances: Whether samples hold objects in place of a map of labels.
        val_fraction: Share of `"val"` of a random part; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with void = 255.

    Raises:
        FileNotFoundError: a folder or a photo is missing.
        ValueError: a file is damaged, or has a label that is none of the classes.
        ImportError: pycocotools is not installed.

    Example:

    >>> kseg.data.labelme("annotated", instances=True).class_names
    ('bus', 'car')
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = Path(root).expanduser()
    files = json_files(root)
    faults, drawings, kept = Faults(), [], []
    for file in files:
        try:
            drawing = _drawing(root / file, instances)
        except DataError as error:
            faults.add(error, file)
            continue
        if drawing is not None:
            drawings.append(drawing)
            kept.append(file)
    faults.check()
    if not drawings:
        message = f"{str(root)!r} holds no JSON file of labelme, with shapes and imagePath."
        raise MissingData("missing", root, message, "Give the folder of its annotations.")
    names = _class_names(root, class_names, drawings)
    chosen = chosen_of_split(root, kept, split, val_fraction)
    name = f"{root.resolve().name}{f'/{split}' if split else ''}"
    return drawn_source(
        name,
        [drawings[i] for i in chosen],
        names,
        instances=instances,
        by_area=False,
        numbers=numbers,
    )


def json_files(root):
    """The JSON files below a folder, as paths from there.

    Raises:
        MissingData: there is none.
    """
    files = [file for file in files_below(root) if file.lower().endswith(".json")]
    if not files:
        message = f"{str(root)!r} holds no JSON file."
        raise MissingData("missing", root, message, "Give the folder of the annotations.")
    return files


def load_json(file):
    """The content of a JSON file.

    Raises:
        DataError: it is none.
    """
    try:
        return json.loads(text_of(Path(file)))
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        message = f"{str(file)!r} is not JSON ({error})."
        raise DataError("malformed", file, message, "Export it again.") from None


def is_labelme(content):
    """Whether the content of a JSON file is of labelme."""
    return isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys()


def _class_names(root, given, drawings):
    if given is not None:
        return class_names_of(drawings, name_list("class_names", given), "class_names")
    listed = class_list(root, root.parent)
    if listed is None:
        return class_names_of(drawings, None, "")
    return class_names_of(drawings, listed.class_names, str(listed.file))


def _drawing(file, instances):
    """The `Drawing` of a JSON file; None if it is of something else."""
    content = load_json(file)
    if not is_labelme(content):
        return None
    photo = _photo(file, content)
    size = tuple(content.get(key) for key in ("imageHeight", "imageWidth"))
    if not all(type(side) is int and 0 < side < FARTHEST for side in size):
        size = header_size(photo)
    drawing, groups = Drawing(photo, size, []), {}
    if not isinstance(content["shapes"], list):
        raise _malformed(file, f"shapes={content['shapes']!r:.60}: expected a list")
    for number, each in enumerate(content["shapes"]):
        where = f"shapes[{number}]"
        if not (isinstance(each, dict) and isinstance(each.get("label"), str)):
            raise _malformed(file, f"{where} has no label")
        if not isinstance(each.get("group_id"), (int, str, type(None))):
            raise _malformed(file, f"{where}: group_id={each['group_id']!r:.60}: expected a number")
        kind = each.get("shape_type") or "polygon"
        if not isinstance(kind, str):
            raise _malformed(file, f"{where}: shape_type={kind!r:.60}: expected a name")
        if kind in AREALESS:
            what = f"{file}: {where}, {each['label']!r}, is a {kind}, without an area."
            drawing.problems.append(("empty_instance", what))
            continue
        try:
            shape = _shape(each, kind)
        except (KeyError, OverflowError, TypeError, ValueError, OSError) as error:
            raise _malformed(file, f"{where}, {each['label']!r}: {error}") from None
        if shape is None:
            what = f"{file}: {where}, {each['label']!r}, has fewer than 3 points."
            drawing.problems.append(("empty_instance", what))
            continue
        group = (each["label"], each.get("group_id"))
        if instances and group[1] is not None and group in groups and shape.mask is None:
            first = groups[group]
            joined = Shape(shape.label, drawing.shapes[first].polygons + shape.polygons)
            drawing.shapes[first] = joined
            continue
        if shape.mask is None:
            groups[group] = len(drawing.shapes)
        drawing.shapes.append(shape)
    return drawing


def _photo(file, content):
    """The path of the photo of a JSON file: as it says, or beside it, or the file that holds it."""
    name = str(content["imagePath"]).replace("\\", "/")
    ways = [file.parent / name, file.parent / os.path.basename(name)]
    ways += [file.with_suffix(ending) for ending in PHOTOS]
    found = next((way for way in ways if os.path.isfile(way) and way.suffix != ".json"), None)
    if found is None and has_photo(content):
        found = file
    if found is None:
        message = f"{str(file)!r} is of the photo {name!r}, which is neither there nor beside it."
        raise MissingData("unpaired", file, message, "Copy the photo beside the JSON file.")
    return os.path.normpath(found)


def _shape(each, kind):
    """The `Shape` of an entry; None if it has too few points."""
    points, label = np.asarray(each["points"], np.float64), each["label"]
    if kind == "mask":
        polygon_of(points)  # refuses what is no pixels
        (left, top), *_ = points.round().astype(int).tolist()
        with Image.open(io.BytesIO(base64.b64decode(each["mask"]))) as image:
            return Shape(label, mask=np.asarray(image.convert("L")) != 0, corner=(left, top))
    if kind in ("polygon", *TURNED) or kind == "rectangle" and len(points) == 4:
        polygon = polygon_of(points)
        is_box = kind not in ("polygon", "quadrilateral")
        return None if polygon is None else Shape(label, (polygon,), is_box=is_box)
    if points.shape != (2, 2) and kind in ("rectangle", "circle"):
        raise ValueError(f"a {kind} of {len(points)} points; expected 2")
    if not np.isfinite(points).all():
        raise ValueError("points that are no pixels")
    if kind == "rectangle":
        (x1, y1), (x2, y2) = points
        x1, x2, y1, y2 = *sorted((x1, x2)), *sorted((y1, y2))
        return Shape(label, (polygon_of(rectangle(x1, y1, x2, y2)),), is_box=True)
    if kind == "circle":
        (x, y), (edge_x, edge_y) = points
        radius = math.hypot(edge_x - x, edge_y - y)
        return Shape(label, (polygon_of(ellipse(x, y, radius, radius)),))
    raise ValueError(f"shape_type={kind!r}; expected polygon, rectangle, circle or mask")


def _malformed(file, what):
    message = f"{str(file)!r}: {what}."
    return DataError("malformed", file, message, "Correct it in labelme, or leave the file out.")

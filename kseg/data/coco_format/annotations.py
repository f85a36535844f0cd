"""COCO's annotation files, read and looked over: whatever is wrong is named with its annotation.

The format is that of Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, for
instances, and of Kirillov et al., "Panoptic Segmentation", CVPR 2019. Files of other tools and of
one's own come in this format too, with every mistake one can make, and pycocotools, which turns
polygons and runs into masks, crashes on some of them: nothing reaches it unchecked.
"""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.rle import parse
from kseg.data.errors import DataError, MissingData

FARTHEST = 1_000_000  # pixels; pycocotools walks along a polygon's sides, so they must be finite


MOST_PIXELS = 2**29  # of a photo; TensorFlow decodes no larger ones


SLACK = 1  # pixels by which a box may reach beyond its photo: rounding, or counting from 1


@dataclasses.dataclass(frozen=True)
class Place:
    """A place in an annotation file, as errors name it."""

    path: str
    entry: str = ""

    def __str__(self):
        return f"{self.path}: {self.entry}" if self.entry else self.path

    def within(self, part):
        """A place inside this one."""
        return Place(self.path, f"{self.entry}{part}")

    def malformed(self, message, remedy=""):
        """The error on what is wrong here."""
        return DataError("malformed", self.path, f"{self}: {message}", remedy)


@dataclasses.dataclass(frozen=True)
class Annotations:
    """What a file holds: the images in its order, the categories in the order of their ids.

    `of_image` has a list of annotations for each image; `panoptic` tells the two formats apart.
    """

    path: str
    images: list
    categories: list
    of_image: list
    panoptic: bool

    def where(self, annotation):
        return Place(self.path, f"annotation {annotation.get('id', '(without id)')!r}")


def load(path):
    """Reads an annotation file, with every id looked up.

    Raises:
        MissingData: there is no such file.
        DataError: it is not JSON, or not in COCO's format.
    """
    path = str(Path(path).expanduser())
    content = _json(path)
    if not isinstance(content, dict):
        raise DataError(
            "malformed",
            path,
            f"annotations={path!r} holds a {type(content).__name__}, as files of results do: "
            'expected an object with the keys "images", "annotations" and "categories".',
        )
    images, annotations, categories = (
        _entries(content, key, path) for key in ("images", "annotations", "categories")
    )
    if not images or not categories:
        raise Place(path).malformed("expected at least one image and one category.")
    position = _positions(images, path)
    names = _category_names(categories, path)
    panoptic = bool(annotations) and "segments_info" in annotations[0]
    loaded = Annotations(
        path=path,
        images=images,
        categories=sorted(categories, key=lambda category: category["id"]),
        of_image=[[] for _ in images],
        panoptic=panoptic,
    )
    for annotation in annotations:
        where = loaded.where(annotation)
        image = field(annotation, "image_id", (int, str), where)
        if image not in position:
            raise where.malformed(f'image_id={image!r} is not among the file\'s "images".')
        loaded.of_image[position[image]].append(annotation)
        parts = field(annotation, "segments_info", list, where) if panoptic else [annotation]
        for part in parts:
            if not isinstance(part, dict):
                raise where.malformed(f"segments_info holds {part!r}; expected objects.")
            category = field(part, "category_id", int, where)
            if category not in names:
                message = f'category_id={category} is not among the file\'s "categories".'
                raise where.malformed(message)
            if part.get("iscrowd", 0) not in (0, 1):
                raise where.malformed(f"iscrowd={part['iscrowd']!r}: expected 0 or 1.")
    return loaded


def _positions(images, path):
    """The place in the list of each image id."""
    positions = {}
    for position, image in enumerate(images):
        where = Place(path, f"image {image.get('id')!r}")
        if field(image, "id", (int, str), where) in positions:
            raise where.malformed("two images have this id; expected one each.")
        positions[image["id"]] = position
        if not field(image, "file_name", str, where):
            raise where.malformed("file_name is empty; expected the photo's name.")
        height, width = (field(image, side, int, where) for side in ("height", "width"))
        if min(height, width) < 1 or height * width >= MOST_PIXELS:
            raise where.malformed(
                f"height={height}, width={width}: expected pixels, >= 1 and fewer than "
                f"{MOST_PIXELS} in all."
            )
    return positions


def _category_names(categories, path):
    """The name of each category id."""
    names = {}
    for category in categories:
        where = Place(path, f"category {category.get('id')!r}")
        if field(category, "id", int, where) in names:
            raise where.malformed("two categories have this id; expected one each.")
        names[category["id"]] = field(category, "name", str, where)
    return names


def _json(path):
    if not os.path.isfile(path):
        message = f"annotations={path!r} does not exist: expected a JSON file."
        raise MissingData("missing", path, message)
    with open(path, "rb") as file:
        try:
            return json.load(file)
        except (ValueError, RecursionError) as error:
            message = f"annotations={path!r} is not JSON ({error})."
            raise DataError("malformed", path, message, "Export or download it again.") from error


def _entries(content, key, path):
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        what = f"is {entries!r:.60}" if key in content else "is missing"
        raise Place(path).malformed(f'"{key}" {what}; expected a list of objects.')
    return entries


def field(entry, key, kinds, where):
    """`entry[key]`, if it is of one of these types; a `DataError` about the `Place` if not.

    A whole number written as a float, 40.0, is an int.
    """
    value = entry.get(key)
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    if isinstance(value, float) and value.is_integer() and int in several:
        value = entry[key] = int(value)  # as tables write whole numbers
    if isinstance(value, kinds) and not isinstance(value, bool):
        return value
    what = f"{key}={value!r:.60}" if key in entry else f"{key!r} is missing"
    raise where.malformed(f"{what}; expected {' or '.join(kind.__name__ for kind in several)}.")


def beyond(box, height, width, where):
    """By how many pixels a box reaches beyond its photo, if by more than `SLACK`; else 0.

    Args:
        box: COCO's `[x, y, width, height]`.
        height, width: Of the photo.
        where: The annotation's `Place`, for the error.
    """
    numbers = isinstance(box, list) and len(box) == 4
    if not numbers or not all(isinstance(b, (int, float)) and abs(b) < 2**31 for b in box):
        raise where.malformed(f"bbox={box!r:.60}; expected [x, y, width, height].")
    x, y, w, h = box
    most = max(-x, -y, x + w - width, y + h - height)
    return most if most > SLACK else 0


def to_rle(annotation, height, width, where):
    """An annotation's mask as pycocotools' `{"size", "counts"}`, of polygons or runs of any kind.

    Returns:
        dict with compressed counts that hold no run of length 0 but the first.

    Raises:
        DataError: the segmentation is damaged, or of another size than the photo.
        ImportError: pycocotools is not installed.
    """
    mask = pycocotools_mask()
    size = [height, width]
    segmentation = field(annotation, "segmentation", (list, dict), where)
    if isinstance(segmentation, list):
        if not segmentation:  # a box alone
            return mask.frPyObjects({"size": size, "counts": [height * width]}, height, width)
        polygons = [_polygon(polygon, where) for polygon in segmentation]
        rles = mask.frPyObjects(polygons, height, width)
        return mask.merge(rles) if len(rles) > 1 else rles[0]

    inside = where.within(": segmentation")
    stored = field(segmentation, "size", list, inside)
    if stored != size:
        raise where.malformed(
            f"its mask has size {stored!r:.40}, but its image {size} (height, width).",
            "Export the mask at the image's size.",
        )
    counts = field(segmentation, "counts", (list, str), inside)
    lengths = _lengths(counts, where)
    if lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        raise where.malformed(
            f"its runs add up to {lengths.sum()} pixels, but the image has "
            f"{height} * {width} = {height * width}, and none may be negative.",
            "Export it again.",
        )
    if isinstance(counts, list):
        rle = mask.frPyObjects({"size": size, "counts": counts}, height, width)
    else:
        rle = {"size": size, "counts": counts.encode("ascii")}
    return mask.encode(mask.decode(rle)) if (lengths[1:] == 0).any() else rle


def _polygon(polygon, where):
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        what = f"{len(polygon)} numbers" if isinstance(polygon, list) else f"{polygon!r:.60}"
        raise where.malformed(
            f"a polygon is {what}; expected a list x1, y1, x2, y2, ... of at least 3 points.",
            "Remove the polygon or draw it again.",
        )
    if all(type(value) in (int, float) for value in polygon):
        if -FARTHEST < min(polygon) and max(polygon) < FARTHEST and sum(polygon) == sum(polygon):
            return polygon
    message = f"a polygon holds something other than coordinates in pixels: {polygon!r:.80}."
    raise where.malformed(message)


def _lengths(counts, where):
    if isinstance(counts, str):
        try:
            return parse(counts)
        except ValueError as error:
            raise where.malformed(f"{error}.", "Export the mask again.") from error
    if any(type(count) is float for count in counts):  # as tables write whole numbers
        whole = [isinstance(count, float) and count.is_integer() for count in counts]
        counts[:] = [int(count) if is_whole else count for count, is_whole in zip(counts, whole)]
    if not all(type(count) is int and abs(count) < 2**31 for count in counts):
        raise where.malformed(f"its counts are {counts!r:.60}; expected integers.")
    return np.array(counts, np.int64)

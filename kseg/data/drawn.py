"""Objects that people drew as polygons, boxes and circles, turned into a `Source`.

The readers of tools (YOLO, labelme, VIA) and of tables of runs say what is drawn on which photo;
here it becomes masks, by the rule of pycocotools, which COCO's readers use too.
"""

import dataclasses
import functools
import math
import os

import numpy as np

from kseg.base.colors import class_colors
from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.annotations import MOST_PIXELS
from kseg.data.coco_format.categories import role_of
from kseg.data.coco_format.rle import END, labels_of_rows, map_of_rows, objects_of_rows
from kseg.data.decode import size_as_said
from kseg.data.embedded import opened
from kseg.data.errors import DataError
from kseg.data.files import read_numbers, start_of
from kseg.data.listing import column, stem
from kseg.data.source import VOID, Source
from kseg.data.tiff import is_tiff, size_in_header

FARTHEST = 1_000_000  # pixels; pycocotools walks along a polygon's sides
CORNERS = 64  # of a circle at least


@dataclasses.dataclass(frozen=True)
class Shape:
    """Something drawn on a photo.

    Args:
        label: Name of its class; or of what is none, see `kseg.data.coco_format.categories`.
        polygons: List of `(x1, y1, x2, y2, ...)` in pixels, which make one object.
        rle: Or pycocotools' compressed runs of a mask of the photo.
        mask: Or a mask, bool `(h, w)`, and `corner`, its x and y in the photo.
        corner: See there.
        others: Further shapes that are one object with it.
        is_box: Whether it was drawn as a box, which may stand around an object of another form.
    """

    label: str
    polygons: tuple = ()
    rle: dict | None = None
    mask: np.ndarray | None = None
    corner: tuple[int, int] = (0, 0)
    others: tuple = ()
    is_box: bool = False


@dataclasses.dataclass
class Drawing:
    """A photo and what is drawn on it, in this order.

    Args:
        photo: Its path.
        size: Height and width that the drawing is for.
        shapes: List of `Shape`.
        problems: What is odd, a list of `(kind, message)`.
        name: Its id; None for the file's name.
    """

    photo: str
    size: tuple[int, int]
    shapes: list
    problems: list = dataclasses.field(default_factory=list)
    name: str | None = None


def rectangle(x1, y1, x2, y2):
    """A box as a polygon."""
    return (x1, y1, x2, y1, x2, y2, x1, y2)


def ellipse(x, y, rx, ry, turned=0.0):
    """An ellipse as a polygon of corners about a pixel from each other.

    Args:
        x, y, rx, ry: Centre and half axes, in pixels.
        turned: Radians, clockwise in the picture.
    """
    count = int(min(max(CORNERS, 2 * math.pi * max(rx, ry)), 4096))
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    across, down = math.cos(turned), math.sin(turned)
    with np.errstate(all="ignore"):  # numbers that are no pixels, which `polygon_of` refuses
        dx, dy = rx * np.cos(angle), ry * np.sin(angle)
        points = np.stack([x + dx * across - dy * down, y + dx * down + dy * across], axis=1)
    return tuple(points.ravel().tolist())


def polygon_of(points):
    """Coordinates of a polygon, if they are one; else None: fewer than three points.

    Args:
        points: Sequence of pairs, or flat, of numbers.

    Raises:
        ValueError: they are no finite numbers of pixels.
    """
    flat = np.asarray(points, np.float64).ravel()
    if len(flat) % 2:
        raise ValueError(f"{len(flat)} coordinates, which are not pairs of x and y")
    if not np.all(np.abs(flat) < FARTHEST):  # NaN is not, either
        raise ValueError("coordinates that are no pixels")
    return tuple(flat.tolist()) if len(flat) >= 6 else None


def header_size(path):
    """Height and width of a photo by its header; (0, 0) where it cannot be read.

    Whoever reads the photo says why not.
    """
    from PIL import Image

    try:
        if is_tiff(start_of(path)):  # Pillow takes rows for pages, and bands for columns, of some
            return size_in_header(path)
        with Image.open(opened(path)) as image:
            return image.height, image.width
    except Exception:  # of damaged bytes, Pillow raises whatever it runs into
        pass
    try:
        return read_numbers(path).shape[:2]  # of arrays
    except (DataError, OSError, ValueError):
        return 0, 0


def class_names_of(drawings, given, where):
    """The classes of a set: those given, or the labels that are drawn, by name.

    Args:
        drawings: Of all splits.
        given: Names; None for what is drawn. `_background_` and `__ignore__` are no classes.
        where: What the names were given by, for the error, such as `"class_names"`.

    Raises:
        DataError: nothing is drawn, or something that is not among the names given.
    """
    used = {}
    for drawing in drawings:
        for shape in drawing.shapes:
            used.setdefault(shape.label, drawing.photo)
    used = {name: photo for name, photo in used.items() if role_of(name) is None}
    if given is None:
        if not used:
            message = "Nothing is drawn on any photo: expected polygons, boxes or circles."
            raise DataError("unsuitable", drawings[0].photo if drawings else "", message)
        return tuple(sorted(used))
    names = tuple(name for name in given if role_of(name) is None)
    unknown = [name for name in sorted(used) if name not in names]
    if unknown:
        photo = used[unknown[0]]
        raise DataError(
            "unknown_id",
            photo,
            f"{photo!r} is labelled {unknown[0]!r}, which is not in {where} "
            f"({', '.join(names[:8])}{', ...' if len(names) > 8 else ''}).",
            "Correct the label, or add the name there.",
        )
    return names


def drawn_source(
    name,
    drawings,
    class_names,
    *,
    instances,
    by_area,
    numbers,
    colors=None,
    multilabel=False,
    notes=(),
):
    """A `Source` of what is drawn.

    Args:
        name: Of the source.
        drawings: List of `Drawing`.
        class_names: Of the objects, without a background.
        instances: Whether samples hold objects, else a map whose class 0 is the background.
        by_area: Of a map: whether smaller objects lie on top of larger ones, or later ones on top
            of earlier ones.
        numbers: `kseg.data.photos.Numbers` of the photos.
        colors: RGB of each class name; None for those of `kseg.base.colors`.
        multilabel: Whether pixels may have several classes, in place of a map.
        notes: Of the source: what is odd about the set as a whole.

    Returns:
        `Source`; what is ignored is void in a map, and a crowd region of each class among objects.
    """
    is_map = not (instances or multilabel)
    names = ("background", *class_names) if is_map else tuple(class_names)
    if colors and is_map:
        colors = ((0, 0, 0), *colors)
    class_of = {each: position for position, each in enumerate(names)}
    rows, problems = [], {}
    for index, drawing in enumerate(drawings):
        objects, odd = _objects(drawing, class_of, instances)
        if multilabel:
            objects = _of_classes(objects, drawing.size)
        elif by_area and not instances:
            objects.sort(key=lambda each: (not each[3], -each[1]))
        rows.append(
            {
                "rles": "".join(counts + END for counts, _, _, _ in objects),
                "classes": " ".join(str(class_id) for _, _, class_id, _ in objects),
                "crowd": " ".join(str(int(crowd)) for _, _, _, crowd in objects),
            }
        )
        if drawing.problems or odd:
            problems[index] = [*drawing.problems, *odd]
    decode = objects_of_rows if instances else map_of_rows
    if multilabel:
        decode = functools.partial(labels_of_rows, num_classes=len(names))
    notes += _shares(drawings)
    photos = numbers.photos([drawing.photo for drawing in drawings])
    ids = [drawing.name or stem(drawing.photo) for drawing in drawings]
    if len(set(ids)) < len(ids):
        ids = [os.path.splitext(drawing.photo)[0].lstrip("/") for drawing in drawings]
    return Source(
        name=name,
        columns={
            "image": column(drawing.photo for drawing in drawings),
            **{key: column(row[key] for row in rows) for key in ("rles", "classes", "crowd")},
            "size": np.array([drawing.size for drawing in drawings], np.int32),
        },
        decode=decode(photos, _size),
        class_names=names,
        colors=colors or class_colors(names),
        ids=tuple(ids),
        task="instance" if instances else "multilabel" if multilabel else "semantic",
        notes=notes,
        problems=lambda index: problems.get(index, []),
        **photos.said,
    )


def _objects(drawing, class_of, instances):
    """What is drawn as lists of counts, area, class and whether it is ignored; and what is odd."""
    objects, notes = [], []
    for shape in drawing.shapes:
        role = role_of(shape.label)
        if instances and role == "background" or 0 in drawing.size:
            continue
        rle = _rle(shape, *drawing.size)
        area = int(pycocotools_mask().area([rle])[0])
        if not area:
            what = f"{shape.label!r} on {drawing.photo!r} has no pixel in the photo."
            notes.append(("empty_instance", what))
            continue
        counts, ignored = rle["counts"].decode("ascii"), role == "ignore"
        if ignored and instances:  # a crowd region of each class
            classes = range(len(class_of))
        else:
            classes = [VOID if ignored else 0 if role else class_of[shape.label]]
        objects += [(counts, area, class_id, ignored) for class_id in classes]
    if boxes := sum(shape.is_box for shape in drawing.shapes):
        what = f"{boxes} of {len(drawing.shapes)} objects on {drawing.photo!r} are boxes, and read "
        notes.append(("filled_boxes", what + "as filled rectangles."))
    return objects, notes


def _shares(drawings):
    """What is odd about polygons that all lie within a pixel: a tuple of `(kind, message)`."""
    farthest = [max(map(abs, p)) for d in drawings for s in d.shapes for p in s.polygons]
    if not farthest or max(farthest) > 1:
        return ()
    message = "all coordinates are within 0..1: shares of the photo, where pixels are expected."
    return (("relative_coordinates", f"{drawings[0].photo}: {message}"),)


def _of_classes(objects, size):
    """Objects of one class as one: lists as of `_objects`."""
    mask, of_class, merged = pycocotools_mask(), {}, []
    for counts, _, class_id, _ in objects:
        of_class.setdefault(class_id, []).append({"size": list(size), "counts": counts.encode()})
    for class_id, rles in sorted(of_class.items()):
        rle = mask.merge(rles)
        merged.append((rle["counts"].decode("ascii"), int(mask.area(rle)), class_id, False))
    return merged


def _rle(shape, height, width):
    """A shape as pycocotools' compressed runs."""
    mask = pycocotools_mask()
    if height * width >= MOST_PIXELS:  # no photo, so that its reader says so: here it would crash
        height = width = 1
    if shape.others:
        alone = dataclasses.replace(shape, others=())
        return mask.merge([_rle(each, height, width) for each in (alone, *shape.others)])
    if shape.rle is not None:
        return shape.rle
    if shape.mask is not None:
        whole = np.zeros((height, width), np.uint8, order="F")
        x, y = shape.corner
        top, left = max(y, 0), max(x, 0)
        part = shape.mask[top - y : height - y, left - x : width - x]
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        return mask.encode(whole)
    rles = mask.frPyObjects([list(polygon) for polygon in shape.polygons], height, width)
    return mask.merge(rles) if len(rles) > 1 else rles[0]


def _size(row, photo):
    """The size that a drawing is for."""
    remedy = "Take both from the same place: a photo that was turned or resized since does not fit."
    return size_as_said(row, photo, "its annotation is for", remedy)

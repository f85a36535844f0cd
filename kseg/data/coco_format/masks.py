"""The segmentation of one of COCO's annotations as compressed runs, in whichever way it is written.

[[x1, y1, x2, y2, ...], ...]          polygons, as the format has it
[x1, y1, x2, y2, ...]                 one polygon without its outer list
[[x1, y1], [x2, y2], ...]             one polygon of pairs; also one more list deep
{"size": [h, w], "counts": [...]}     runs, column by column
{"size": [h, w], "counts": "..."}     compressed runs
[] or null                            none: a box alone
"""

import math

import numpy as np

from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.annotations import REMEDIES, as_whole, field
from kseg.data.coco_format.rle import parse

FARTHEST = 1_000_000  # pixels; pycocotools walks along a polygon's sides, so they must be finite


LEAST = 6  # numbers of a polygon: three points


COMPARED = 1000  # boxes with masks, of a file
LEAST_OVERLAP = 0.5  # of a box and its mask's own; tools round, and hulls are a little larger


SHARE = 1.01  # up to here coordinates may be shares of the photo's sides, not pixels


SLACK_SHARE = 0.02  # of the longer side, by which a polygon must reach beyond to be told


AGAIN = "Remove the polygon or draw it again."


def to_rle(annotation, height, width, where):
    """An annotation's mask as pycocotools' `{"size", "counts"}`, of polygons or runs of any kind.

    Polygons of fewer than three points, which tools leave behind at a wrong click, are left out.
    The annotation then holds its polygons as the format has them.

    Returns:
        dict with compressed counts that hold no run of length 0 but the first; and the number of
        polygons left out.

    Raises:
        DataError: the segmentation is damaged, or of another size than the photo.
        ImportError: pycocotools is not installed.
    """
    mask = pycocotools_mask()
    size = [height, width]
    if annotation.get("segmentation", 0) is None:
        annotation["segmentation"] = []
    segmentation = field(annotation, "segmentation", (list, dict), where)
    if isinstance(segmentation, list):
        listed = polygons(segmentation, where)
        whole = annotation["segmentation"] = [each for each in listed if len(each) >= LEAST]
        if not whole:  # a box alone
            rle = mask.frPyObjects({"size": size, "counts": [height * width]}, height, width)
        else:
            rles = mask.frPyObjects(whole, height, width)
            rle = mask.merge(rles) if len(rles) > 1 else rles[0]
        return rle, len(listed) - len(whole)
    return _of_runs(segmentation, size, where.within(": segmentation")), 0


def polygons(segmentation, where):
    """Polygons in any of the ways above as lists x1, y1, x2, y2, ... of numbers in pixels."""
    if not segmentation:
        return []
    if _holds_numbers(segmentation) or len(segmentation) > 2 and all(map(_is_point, segmentation)):
        segmentation = [segmentation]
    return [_flat(polygon, where) for polygon in segmentation]


def _flat(polygon, where):
    """One polygon as a list of coordinates, or an error."""
    if not isinstance(polygon, list):
        message = f"a polygon is {polygon!r:.60}; expected a list x1, y1, x2, y2, ..."
        raise where.malformed(message, AGAIN)
    if polygon and all(map(_is_point, polygon)):
        polygon = [value for point in polygon for value in _point(point)]
    if len(polygon) % 2:
        message = f"a polygon is {len(polygon)} numbers; expected x1, y1, x2, y2, ..., a pair each."
        raise where.malformed(message, AGAIN)
    if all(type(value) in (int, float) for value in polygon):
        low, high = min(polygon, default=0), max(polygon, default=0)
        if -FARTHEST < low and high < FARTHEST and sum(polygon) == sum(polygon):
            return polygon
    message = f"a polygon holds something other than coordinates in pixels: {polygon!r:.80}."
    raise where.malformed(message, AGAIN)


def _holds_numbers(values):
    return all(type(value) in (int, float) for value in values)


def _is_point(value):
    """Whether it is [x, y] or {"x": x, "y": y}."""
    if isinstance(value, dict):
        return value.keys() >= {"x", "y"}
    return isinstance(value, list) and len(value) == 2 and _holds_numbers(value)


def _point(value):
    return (value["x"], value["y"]) if isinstance(value, dict) else value


def _of_runs(segmentation, size, where):
    """Runs, compressed or not, as compressed ones."""
    mask = pycocotools_mask()
    stored = field(segmentation, "size", list, where)
    if list(map(as_whole, stored)) != size:
        turned = list(map(as_whole, stored[::-1])) == size
        remedy = "Export the mask at the image's size."
        if turned:
            remedy = (
                "These are width and height: write height first; or, where EXIF turns the photo, "
                "turn its own pixels (ImageOps.exif_transpose of Pillow, mogrify -auto-orient)."
            )
        raise where.malformed(
            f"its mask has size {stored!r:.40}, but its image {size} (height, width).", remedy
        )
    height, width = size
    counts = field(segmentation, "counts", (list, str), where)
    lengths = _lengths(counts, where)
    if lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        raise where.malformed(
            f"its runs add up to {lengths.sum()} pixels, but the image has "
            f"{height} * {width} = {height * width}, and none may be negative.",
            REMEDIES["counts"],
        )
    if isinstance(counts, list):
        rle = mask.frPyObjects({"size": size, "counts": lengths.tolist()}, height, width)
    else:
        rle = {"size": size, "counts": counts.encode("ascii")}
    return mask.encode(mask.decode(rle)) if (lengths[1:] == 0).any() else rle


def _lengths(counts, where):
    if isinstance(counts, str):
        try:
            return parse(counts)
        except ValueError as error:
            raise where.malformed(f"{error}.", REMEDIES["counts"]) from error
    counts = list(map(as_whole, counts))
    if not all(type(count) is int and abs(count) < 2**31 for count in counts):
        message = f"its counts are {counts!r:.60}; expected integers."
        raise where.malformed(message, REMEDIES["counts"])
    return np.array(counts, np.int64)


def oddities(annotated, areas):
    """What all annotations of a file have in common and should not: a list of `(kind, message)`.

    Args:
        annotated: `Annotations` of which each segmentation has been read by `to_rle`.
        areas: Pixels of each of them, in order.
    """
    each = [one for listed in annotated.of_image for one in listed]
    if not each:
        return []
    drawn = [one["segmentation"] for one in each if one["segmentation"]]
    if not drawn:
        message = f"all {len(each)} annotations have an empty segmentation: boxes alone."
        return [("boxes_only", f"{annotated.path}: {message}")]
    if all(
        isinstance(s, list) and 0 <= min(map(min, s)) and max(map(max, s)) <= SHARE for s in drawn
    ):
        message = "all coordinates are within 0..1: shares of the photo, where pixels are expected."
        return [("relative_coordinates", f"{annotated.path}: {message}")]
    if not any(areas):
        message = f"none of the {len(each)} annotations covers a pixel of its photo."
        return [("nothing_drawn", f"{annotated.path}: {message}")]
    return []


def boxes_elsewhere(annotated, objects):
    """What is odd where most boxes of a file do not stand around their masks: `(kind, message)`s.

    Args:
        annotated: `Annotations`.
        objects: Of each image a list of dicts with `"counts"` of a mask and `"stated"`, x, y,
            width and height of its box, and its area.
    """
    compared, elsewhere = 0, 0
    for image, found in zip(annotated.images, objects):
        size = [image["height"], image["width"]]
        for each in found:
            *stated, _ = each["stated"]
            if math.isnan(stated[0]) or compared == COMPARED:
                continue
            rle = {"size": size, "counts": each["counts"].encode()}
            drawn = pycocotools_mask().toBbox([rle])[0]
            compared += 1
            elsewhere += _overlap(stated, drawn) < LEAST_OVERLAP
    if elsewhere <= compared / 2:
        return []
    message = f"{elsewhere} of {compared} boxes (bbox) do not stand around their masks."
    return [("boxes_elsewhere", f"{annotated.path}: {message}")]


def _overlap(a, b):
    """IoU of two boxes (x, y, width, height), each a pixel larger on every side."""
    first = [max(a[i], b[i]) - 1 for i in (0, 1)]
    last = [min(a[i] + a[i + 2], b[i] + b[i + 2]) + 1 for i in (0, 1)]
    inside = max(last[0] - first[0], 0) * max(last[1] - first[1], 0)
    return inside / sum((-inside, *((box[2] + 2) * (box[3] + 2) for box in (a, b))))


def turned(annotations, height, width):
    """The first annotation that lies in the photo on its side, and not in the photo; or None.

    Args:
        annotations: Of one image, as `to_rle` leaves them.
        height, width: Of the image.
    """
    reach = SLACK_SHARE * max(height, width)
    for annotation in annotations:
        polygons = annotation["segmentation"]
        if not isinstance(polygons, list) or not polygons:
            continue
        x = max(max(polygon[::2]) for polygon in polygons)
        y = max(max(polygon[1::2]) for polygon in polygons)
        if (x > width + reach or y > height + reach) and x <= height + 1 and y <= width + 1:
            return annotation
    return None

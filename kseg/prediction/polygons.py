"""Labels and objects as polygons: GeoJSON, and a COCO file for annotation tools."""

import json

import numpy as np

from kseg.base.atomic import replacing
from kseg.data.coco_format.results import of_box
from kseg.data.writers.outlines import rings

EPSG = (3072, 2048)  # keys of GeoTIFF: the projected system, or the geographic
KEYS, SCALE, TIE, MATRIX = 34735, 33550, 33922, 34264  # its tags
USER_DEFINED = 32767


def pieces_of(labels, void=255):
    """The connected regions of class ids, each with its rectangle.

    Args:
        labels: Class ids `(H, W)`; or `(H, W, C)`, of each class 1 where it is.
        void: Id that is no class. Default 255.

    Yields:
        Class id, first row, first column, and the mask in the rectangle from there on, bool.
    """
    from scipy import ndimage

    classes = range(labels.shape[2]) if labels.ndim == 3 else np.unique(labels)
    for class_id in classes:
        if labels.ndim == 2 and class_id == void:
            continue
        inside = labels[..., class_id] != 0 if labels.ndim == 3 else labels == class_id
        numbers, _ = ndimage.label(inside)
        for number, (rows, columns) in enumerate(ndimage.find_objects(numbers), 1):
            yield int(class_id), rows.start, columns.start, numbers[rows, columns] == number


def objects_of(instances):
    """The objects of `Instances`: class id, first row, first column, mask in its rectangle, score,
    box; those without a pixel are left out."""
    masks = instances.each_mask()
    for index in range(len(instances)):
        rows, columns, values = masks.part(index)
        top, left = int(rows.start or 0), int(columns.start or 0)
        inside = values if values.dtype == bool else values >= 0.5
        if inside.any():
            about = float(instances.scores[index]), instances.boxes[index]
            yield int(instances.classes[index]), top, left, inside, *about


def found_of(prediction, void=255):
    """What a prediction of any task says, one by one: as `objects_of`, without a score None."""
    if hasattr(prediction, "each_mask"):
        yield from objects_of(prediction)
        return
    for class_id, top, left, inside in pieces_of(np.asarray(prediction), void):
        box = np.array([left, top, left + inside.shape[1], top + inside.shape[0]], float)
        yield class_id, top, left, inside, None, box


def write_geojson(path, prediction, class_names, geo=None, void=255):
    """Writes a prediction as GeoJSON: a feature for each region, or object, as a MultiPolygon.

    Coordinates are those of the photo's place on earth, of whose system the file says the EPSG code
    as `crs`, as GDAL and QGIS read it; without a place pixels, x to the right and y down.

    Args:
        path: The file, a `pathlib.Path`.
        prediction: What `kseg.predict` gave: class ids `(H, W)`, bool `(H, W, C)` or `Instances`.
        class_names: Name of each class.
        geo: As of `kseg.data.rasters.Raster`.
        void: Id that is no class. Default 255.
    """
    place, code = placed(geo)
    features = []
    for class_id, top, left, inside, score, _ in found_of(prediction, void):
        polygons = [
            [[place(x + left, y + top) for x, y in (*ring, ring[0])] for ring in polygon]
            for polygon in rings(inside)
        ]
        about = {"class": class_names[class_id], "class_id": class_id}
        if score is not None:
            about["score"] = round(score, 4)
        geometry = {"type": "MultiPolygon", "coordinates": polygons}
        features.append({"type": "Feature", "properties": about, "geometry": geometry})
    whole = {"type": "FeatureCollection", "features": features}
    if code:
        crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}
        whole["crs"] = crs
    _write(path, whole)


def _write(path, content):
    """As `write_json`, but not a line for each number."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n")


def placed(geo):
    """How pixels become coordinates on earth: a function of x and y, and the EPSG code or None."""
    tags = {code: value for code, _, _, value, _ in geo or ()}
    keys = np.reshape(tags.get(KEYS, (1, 1, 0, 0)), (-1, 4))[1:]
    codes = {int(key): int(value) for key, where, _, value in keys if where == 0}
    code = next((codes[key] for key in EPSG if codes.get(key, USER_DEFINED) != USER_DEFINED), None)
    if MATRIX in tags:
        matrix = np.reshape(tags[MATRIX], (4, 4))
        return lambda x, y: (matrix[:2] @ (x, y, 0, 1)).tolist(), code
    if SCALE in tags and TIE in tags:
        (wide, high), (column, row, _, east, north) = tags[SCALE][:2], tags[TIE][:5]
        return lambda x, y: [east + (x - column) * wide, north - (y - row) * high], code
    return lambda x, y: [x, y], None


def write_coco(path, prediction, class_names, name, size, void=255):
    """Writes a prediction as a COCO file of one photo, with categories, that tools import.

    Holes have no place in COCO's polygons: an object with one is written as runs.

    Args:
        path, prediction, class_names, void: As of `write_geojson`.
        name: File name of the photo.
        size: Its `(height, width)`.
    """
    annotations = []
    for number, each in enumerate(found_of(prediction, void), 1):
        class_id, top, left, inside, score, box = each
        polygons = rings(inside)
        one = {
            "id": number,
            "image_id": 1,
            "category_id": class_id + 1,
            "iscrowd": 0,
            "bbox": of_box(box),
            "area": int(np.count_nonzero(inside)),
        }
        if any(len(polygon) > 1 for polygon in polygons):
            one["segmentation"] = {"size": list(size), "counts": runs(inside, top, left, size)}
        else:
            one["segmentation"] = [
                [float(n) for x, y in ring for n in (x + left, y + top)] for (ring,) in polygons
            ]
        if score is not None:
            one["score"] = round(score, 4)
        annotations.append(one)
    image = {"id": 1, "file_name": name, "height": size[0], "width": size[1]}
    categories = [{"id": i + 1, "name": each} for i, each in enumerate(class_names)]
    _write(path, {"images": [image], "annotations": annotations, "categories": categories})


def runs(inside, top, left, size):
    """COCO's runs, not compressed, of a mask in a rectangle of a photo: a list of counts.

    >>> runs(np.array([[True], [True]]), 1, 2, (4, 4))
    [9, 2, 5]
    """
    height, width = size
    padded = np.zeros((inside.shape[1], inside.shape[0] + 1), np.int8)  # a row for each column
    padded[:, :-1] = inside.T
    steps = np.diff(padded, axis=1, prepend=0)
    column, start = np.nonzero(steps == 1)
    _, stop = np.nonzero(steps == -1)  # as many, in the same order: columns end outside
    base = (column + left) * height + top
    flat = np.stack([base + start, base + stop], axis=1).reshape(-1)
    # where a run goes on at the top of the next column, its end and the next start are none
    places, times = np.unique(flat, return_counts=True)
    ends = np.concatenate([[0], places[times == 1], [height * width]])
    counts = np.diff(ends).tolist()
    return counts if counts[-1] else counts[:-1]

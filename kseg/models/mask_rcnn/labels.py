"""Objects that go into `fit` and `evaluate`, looked at while they are plain numbers.

Compiled code cannot raise: in it a box without area or a class that is none makes the loss NaN, and
a mask of 0 and 255 a loss of thousands. Axes: B batch, M objects of an image, H and W the image.
"""

import numpy as np

from kseg.base.arguments import refused
from kseg.models.inputs import CHUNK, numbers

KEYS = ("boxes", "classes", "masks")
FROM_BATCHES = "kseg.data.batches of a source opened with instances=True gives them."


def check_objects(y, num_classes, images=()):
    """Raises `ValueError` unless these are objects that a model can learn.

    Args:
        y: dict of `"boxes"` `(B, M, 4)`, `"classes"` `(B, M)`, `"masks"` `(B, M, H, W)` and maybe
            `"crowd"` `(B, M)`: arrays or tensors.
        num_classes: Of the model.
        images: Shape of the images; `()` where it is not known.
    """
    check_keys(y)
    _check_shapes(y, images)
    for start in range(0, len(y["classes"]), CHUNK):
        part = {key: numbers(y[key][start : start + CHUNK]) for key in (*KEYS, "crowd") if key in y}
        _check_classes(part, num_classes, start)
        _check_boxes(part, start)
        _check_masks(part["masks"])


def check_keys(y):
    """Raises `ValueError` unless labels, or what stands for them in a graph, are of objects."""
    if not isinstance(y, dict) or not y.keys() >= {*KEYS}:
        shown = sorted(y) if isinstance(y, dict) else type(y).__name__
        expected = f"a dict of {', '.join(map(repr, KEYS))} and, if there are any, 'crowd'"
        raise refused("y", shown, expected, FROM_BATCHES)


def _check_shapes(y, images):
    """Each has its axes, and masks are of the size of the images."""
    shapes = {key: tuple(map(int, np.shape(values))) for key, values in y.items()}
    count = shapes["classes"]
    height, width = images[1:3] if len(images) == 4 else shapes["masks"][2:4] or ("H", "W")
    batch = int(images[0]) if len(images) == 4 else count[0] if count else "B"
    objects = count[1] if len(count) == 2 else "M"
    expected = {
        "classes": (batch, objects),
        "boxes": (batch, objects, 4),
        "masks": (batch, objects, height, width),
        "crowd": (batch, objects),
    }
    for key, shape in expected.items():
        if key in shapes and shapes[key] != shape:
            what = f"({', '.join(map(str, shape))}), of images of {height} x {width}"
            raise refused(f"y[{key!r}].shape", shapes[key], what, FROM_BATCHES)


def _real(part):
    """Where there is an object to be learned: bool `(B, M)`. A crowd is none."""
    real = part["classes"] != -1
    return real & ~part["crowd"].astype(bool) if "crowd" in part else real


def _first(wrong, start):
    """The place of the first that is wrong, here and in the whole: as an index, and in words."""
    image, place = np.argwhere(wrong)[0].tolist()
    return (image, place), f"[{start + image}, {place}]"


def _check_classes(part, num_classes, start):
    classes = part["classes"]
    wrong = _real(part) & ~np.isin(classes, np.arange(num_classes))
    if wrong.any():
        index, place = _first(wrong, start)
        expected = f"a class, 0..{num_classes - 1}, or -1 where there is no object"
        remedy = "Build the model with more num_classes, or name the object's own class."
        raise refused(f"y['classes']{place}", classes[index].item(), expected, remedy)


def _check_boxes(part, start):
    """Boxes have an area, lie in the image, and are in pixels."""
    real, boxes = _real(part), part["boxes"]
    height, width = part["masks"].shape[2:]
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    inside = ((middle > 0) & (middle < (width, height))).all(-1)
    for right, expected, remedy in (
        (
            (boxes[..., 2:] > boxes[..., :2]).all(-1),  # not so of NaN
            "x1, y1, x2, y2 with x1 < x2 and y1 < y2",
            "Of x, y, width and height make x, y, x + width, y + height; leave out what is empty.",
        ),
        (
            inside,
            f"x1, y1, x2, y2 in an image of {height} x {width} (height x width) pixels",
            "Resize boxes with their images, or leave out what lies outside.",
        ),
    ):
        wrong = real & ~right
        if wrong.any():
            index, place = _first(wrong, start)
            raise refused(f"y['boxes']{place}", boxes[index].tolist(), expected, remedy)
    learned = boxes[real]
    if learned.size and learned.max() <= 1 and (learned % 1).any() and min(height, width) > 1:
        expected = "x1, y1, x2, y2 in pixels"
        remedy = "Multiply x by the width of the image and y by its height."
        raise refused("y['boxes'].max()", learned.max().item(), expected, remedy)


def _check_masks(masks):
    if masks.dtype == bool or not masks.size:
        return
    if masks.dtype == np.uint8 and masks.max() <= 1:  # as nearly all are
        return
    wrong = (masks != 0) & (masks != 1)
    if wrong.any():
        found = np.unique(masks[wrong])[:10].tolist()
        remedy = "Give (masks > 0).astype('uint8'), if all that is not 0 is the object."
        raise refused("values in y['masks']", found, "0 and 1", remedy)

"""Boxes as `(..., 4)` of x1, y1, x2, y2 in pixels, the right and bottom edges exclusive: width is
x2 - x1, without a "+1".

Axes: N and M boxes; leading axes (a batch) go along.
"""

import math

from keras import ops

# exp(dw) beyond it would make a box of more than 1000 / 16 times its anchor's side
MAX_LOG_SCALE = math.log(1000 / 16)


def area(boxes):
    """Areas of boxes: `(..., 4)` -> `(...)`; of a box that ends before it begins, 0.

    Example:

    >>> ops.convert_to_numpy(area(ops.array([[1.0, 2.0, 4.0, 6.0]])))
    array([12.], dtype=float32)
    """
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def overlaps(boxes, others, *, crowd=None):
    """Intersection over union of each box with each other one.

    Args:
        boxes: `(..., N, 4)`.
        others: `(..., M, 4)`.
        crowd: bool `(..., M)`, which of the others are regions of many objects: of these it is the
            intersection over the area of the box alone, as pycocotools has it. Default: none.

    Returns:
        `(..., N, M)`, 0..1; 0 where both areas are 0.

    Example:

    >>> boxes, others = ops.array([[0.0, 0, 2, 2]]), ops.array([[1.0, 0, 3, 2], [0.0, 0, 2, 2]])
    >>> ops.convert_to_numpy(overlaps(boxes, others)).round(3)
    array([[0.333, 1.   ]], dtype=float32)
    """
    x1, y1, x2, y2 = (boxes[..., :, None, i] for i in range(4))  # (..., N, 1)
    u1, v1, u2, v2 = (others[..., None, :, i] for i in range(4))  # (..., 1, M)
    width = ops.maximum(ops.minimum(x2, u2) - ops.maximum(x1, u1), 0)
    height = ops.maximum(ops.minimum(y2, v2) - ops.maximum(y1, v1), 0)
    common = width * height  # (..., N, M)
    own = area(boxes)[..., :, None]
    whole = own + area(others)[..., None, :] - common
    if crowd is not None:
        whole = ops.where(crowd[..., None, :], own, whole)
    return common / ops.where(whole > 0, whole, 1)


def encode(boxes, anchors, weights=(1.0, 1.0, 1.0, 1.0)):
    """What a network has to say to turn anchors into boxes (Ren et al. 2015, arXiv:1506.01497,
    equation 2): shift of the centre in sides of the anchor, logarithm of the change of the sides.

    Args:
        boxes: `(..., 4)`, with positive sides.
        anchors: `(..., 4)`, with positive sides.
        weights: Factors of dx, dy, dw, dh.

    Returns:
        Deltas `(..., 4)`; `decode(encode(boxes, anchors), anchors)` are the boxes.
    """
    corner, sides = anchors[..., :2], anchors[..., 2:] - anchors[..., :2]
    box_sides = boxes[..., 2:] - boxes[..., :2]
    shift = (boxes[..., :2] + box_sides / 2 - corner - sides / 2) / sides
    scale = ops.log(box_sides / sides)
    return ops.concatenate([shift, scale], axis=-1) * ops.convert_to_tensor(weights, shift.dtype)


def decode(deltas, anchors, weights=(1.0, 1.0, 1.0, 1.0)):
    """Anchors moved and scaled by deltas: the inverse of `encode`.

    Args:
        deltas: `(..., 4)`. The logarithms are held below log(1000 / 16), so that an untrained
            network makes no infinite box.
        anchors: `(..., 4)`.
        weights: As of `encode`.

    Returns:
        Boxes `(..., 4)`.
    """
    deltas = deltas / ops.convert_to_tensor(weights, deltas.dtype)
    sides = anchors[..., 2:] - anchors[..., :2]
    centre = anchors[..., :2] + sides / 2 + deltas[..., :2] * sides
    half = ops.exp(ops.minimum(deltas[..., 2:], MAX_LOG_SCALE)) * sides / 2
    return ops.concatenate([centre - half, centre + half], axis=-1)


def clip(boxes, size):
    """Boxes cut to an image.

    Args:
        boxes: `(..., N, 4)`.
        size: `(..., 2)`, height and width.

    Returns:
        `(..., N, 4)`.
    """
    size = ops.cast(size, boxes.dtype)
    limits = ops.stack([size[..., 1], size[..., 0]] * 2, axis=-1)[..., None, :]  # (..., 1, 4)
    return ops.minimum(ops.maximum(boxes, 0), limits)


def at_least(boxes, side):
    """Which boxes have both sides of at least `side` pixels: `(..., 4)` -> bool `(...)`."""
    return ops.all(boxes[..., 2:] - boxes[..., :2] >= side, axis=-1)

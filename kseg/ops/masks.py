"""Masks of objects cut to boxes, for the mask head to learn from.

Axes: B batch, M objects, R regions, H and W the image, P the target.
"""

from keras import ops

from kseg.ops.paste import LEAST
from kseg.ops.roi_align import neighbours


def crop_masks(masks, boxes, owner, size, *, centred=False):
    """What part of each cell of a P x P grid over a box the object's mask covers.

    RoIAlign of the mask at scale 1 with torchvision's adaptive number of samples: ceil(side / P) in
    each direction for a box of that side. It is separable: a matrix that averages rows, times the
    mask, times a matrix that averages columns. As `kseg.ops.paste` it goes by one of two rules: a
    pixel's value lies at its centre, as in detectron2, or at its upper left corner, as in
    torchvision, where what is cut out lies half a pixel further up and left than it does.

    Args:
        masks: `(B, M, H, W)`, 0 or 1.
        boxes: float32 `(B, R, 4)`, within the image.
        owner: int32 `(B, R)`, the mask of each box.
        size: P.
        centred: Whether values lie at the centres of pixels; False for torchvision's rule.

    Returns:
        float32 `(B, R, P, P)`, 0..1.

    Example:

    >>> masks = ops.broadcast_to(ops.arange(8) < 4, (1, 1, 8, 8))  # the left half
    >>> crops = crop_masks(masks, ops.array([[[0.0, 0, 8, 8]]]), ops.array([[0]]), 2)
    >>> ops.convert_to_numpy(crops).tolist()
    [[[[0.875, 0.0], [0.875, 0.0]]]]
    >>> box, owner = ops.array([[[0.0, 0, 8, 8]]]), ops.array([[0]])
    >>> ops.convert_to_numpy(crop_masks(masks, box, owner, 2, centred=True)).tolist()
    [[[[1.0, 0.0], [1.0, 0.0]]]]
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    height, width = ops.shape(masks)[2:]
    rows = _averages(boxes[..., 1], boxes[..., 3], height, size, centred)  # (B, R, P, H)
    columns = _averages(boxes[..., 0], boxes[..., 2], width, size, centred)
    batch, objects = ops.shape(masks)[:2]
    image = ops.arange(batch, dtype="int32")[:, None]
    masks = ops.reshape(masks, (batch * objects, height, width))
    masks = ops.take(masks, image * objects + owner, axis=0)  # (B, R, H, W)
    masks = ops.cast(masks, "float32")
    return ops.matmul(ops.matmul(rows, masks), ops.transpose(columns, (0, 1, 3, 2)))


def _averages(start, stop, length, size, centred):
    """Matrices whose row p is the mean of the samples in bin p: float32 `(B, R, P, length)`."""
    most = -(-length // size)  # samples: enough for a box as large as the image
    # torchvision's RoIs are at least a pixel wide; where values lie at centres they need not be
    least = LEAST if centred else 1.0
    side = ops.maximum(stop - start, least)[..., None, None]  # (B, R, 1, 1)
    samples = ops.arange(most, dtype="float32")  # (S,)
    # ceil(side / size), at least 1 and at most S. Compiled, XLA would multiply by 1 / size instead
    # and take 4 samples where the side is 84 and the size 28; comparing is exact.
    count = ops.sum(ops.cast(side > samples * size, "float32"), axis=-1, keepdims=True)
    bins = ops.arange(size, dtype="float32")[:, None]  # (P, 1)
    at = start[..., None, None] + (bins + (samples + 0.5) / count) * (side / size)  # (B, R, P, S)
    if centred:
        at = at - 0.5
    lower, upper, share, inside = neighbours(at, ops.convert_to_tensor(length, "int32"))
    inside = inside * ops.cast(samples < count, "float32") / count

    # Add up the samples' weights where they fall. One-hot rows would be `length` times as much.
    batch, regions = ops.shape(start)
    row = ops.reshape(ops.arange(batch * regions * size, dtype="int32"), (batch, regions, size, 1))
    place = ops.concatenate([row * length + lower, row * length + upper], axis=-1)
    weight = ops.concatenate([(1 - share) * inside, share * inside], axis=-1)
    total = batch * regions * size * length
    flat = ops.segment_sum(ops.reshape(weight, (-1,)), ops.reshape(place, (-1,)), total)
    return ops.reshape(flat, (batch, regions, size, length))

"""From scores and deltas of anchors to regions worth a look (Ren et al. 2015, section 3.1;
torchvision's `RegionProposalNetwork`).

Axes: B batch, A anchors of a level, K proposals.
"""

import keras
from keras import ops

from kseg.models.mask_rcnn.pyramid import STRIDES
from kseg.ops import boxes as box_ops
from kseg.ops.anchors import anchors
from kseg.ops.nms import NOTHING, nms

OVERLAP = 0.7  # above which the better proposal suppresses the other
SMALLEST = 1e-3  # pixels


def anchors_of(outputs, sizes, ratios):
    """Anchors of every level, with their scores and deltas in one row.

    Args:
        outputs: The trunk's: `"features"`, and lists of `"logits"` `(B, h, w, A)` and
            `"deltas"` `(B, h, w, 4 * A)`, one a level.
        sizes: One tuple of sizes a level.
        ratios: Height / width of the anchors.

    Returns:
        Lists of float32 anchors `(h * w * A, 4)`, logits `(B, h * w * A)` and deltas
        `(B, h * w * A, 4)`.
    """
    height, width = ops.shape(outputs["features"][0])[1:3]
    image = (STRIDES[0] * height, STRIDES[0] * width)
    boxes, logits, deltas = [], [], []
    for level_logits, level_deltas, level_sizes in zip(outputs["logits"], outputs["deltas"], sizes):
        batch, *grid, _ = ops.shape(level_logits)
        boxes.append(anchors(grid, image, level_sizes, ratios))
        logits.append(ops.reshape(level_logits, (batch, -1)))
        deltas.append(ops.reshape(level_deltas, (batch, -1, 4)))
    return boxes, logits, deltas


def propose(logits, deltas, boxes, size, *, before, after):
    """The best boxes of each level that do not overlap one another, and the best of those.

    Args:
        logits: List of `(B, A)`, one a level.
        deltas: List of `(B, A, 4)`.
        boxes: List of anchors `(A, 4)`.
        size: `(B, 2)`, valid height and width of each image, to which proposals are cut.
        before: How many of each level go into the suppression.
        after: K, how many proposals come out at most, of all levels together.

    Returns:
        Proposals float32 `(B, K, 4)`, in falling order of score, 0 where there is none, and bool
        `(B, K)`, which places are filled. No gradient flows into them.
    """
    levels = [_best(*level, size, before) for level in zip(logits, deltas, boxes)]
    places = [min(best.shape[1], after) for best, _, _ in levels]
    groups = [levels] if _together() else [[level] for level in levels]
    scores, proposals = zip(*(_kept(group, after) for group in groups))
    scores, proposals = ops.concatenate(scores, axis=1), ops.concatenate(proposals, axis=1)
    scores, index = ops.top_k(scores, min(after, sum(places)))
    proposals = ops.take_along_axis(proposals, ops.cast(index, "int32")[..., None], axis=1)
    valid = scores > NOTHING
    return ops.where(valid[..., None], proposals, 0.0), valid


def _together():
    """Whether all levels go into one suppression, which goes on until the last is done: on a GPU
    that takes as long as one level, and JAX compiles one loop in place of five (800x1344, CPU: 3.6
    in place of 6 s, 22 ms as before). TensorFlow on CPU takes a third longer then."""
    return keras.backend.backend() != "tensorflow"


def _best(logits, deltas, boxes, size, before):
    """The best boxes of a level, moved by their deltas: scores `(B, n)` in falling order, boxes
    `(B, n, 4)`, and bool `(B, n)`, which are large enough."""
    logits, deltas = map(ops.stop_gradient, (logits, deltas))
    if logits.shape[1] is None:  # of images of unknown size: there may be too few
        logits = ops.pad(logits, [[0, 0], [0, before]], constant_values=NOTHING)
    count = before if logits.shape[1] is None else min(before, logits.shape[1])
    best, index = ops.top_k(logits, count)
    index = ops.cast(index, "int32")
    index = ops.where(best > NOTHING, index, 0)
    moved = box_ops.decode(
        ops.take_along_axis(deltas, index[..., None], axis=1), ops.take(boxes, index, axis=0)
    )
    moved = box_ops.clip(moved, size)
    return best, moved, box_ops.at_least(moved, SMALLEST) & (best > NOTHING)


def _kept(levels, after):
    """The boxes of some levels that are kept: scores `(B, n)`, `NOTHING` where there is none, and
    `(B, n, 4)`."""
    most = max(best.shape[1] for best, _, _ in levels)
    best, moved, valid = (
        ops.stack([_filled(x, most, value) for x in each], axis=1)  # (B, levels, most, ...)
        for each, value in zip(zip(*levels), (NOTHING, 0.0, False))
    )
    best, moved, valid = (ops.reshape(x, (-1, *x.shape[2:])) for x in (best, moved, valid))
    places = min(most, after)
    index, kept = nms(moved, best, OVERLAP, places, valid=valid)
    scores = ops.where(kept, ops.take_along_axis(best, index, axis=1), NOTHING)
    proposals = ops.take_along_axis(moved, index[..., None], axis=1)
    total = len(levels) * places
    return ops.reshape(scores, (-1, total)), ops.reshape(proposals, (-1, total, 4))


def _filled(x, count, value):
    """`x` `(B, n, ...)` with a value up to `count` places."""
    missing = [[0, 0], [0, count - x.shape[1]], *[[0, 0]] * (len(x.shape) - 2)]
    return ops.pad(x, missing, constant_values=value) if missing[1][1] else x

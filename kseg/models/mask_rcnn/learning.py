"""What the heads of a Mask R-CNN learn from: which object each anchor and region stands for, and
the losses of the region proposals.

Axes: B batch, A anchors, K regions, S sampled anchors.
"""

from keras import ops

from kseg.models.mask_rcnn import losses
from kseg.ops import boxes as box_ops
from kseg.ops.matching import match


def match_anchors(anchors, truth):
    """The object of each anchor `(A, 4)`, for learning proposals: int32 `(B, A)` of `match`."""
    return match(
        box_ops.overlaps(anchors, truth["boxes"], crowd=truth["crowd"]),
        truth["valid"],
        positive=0.7,
        negative=0.3,
        keep_best=True,
        crowd=truth["crowd"],
    )


def match_regions(regions, truth):
    """The object of each region `(B, K, 4)`, for learning both heads: int32 `(B, K)`."""
    return match(
        box_ops.overlaps(regions, truth["boxes"], crowd=truth["crowd"]),
        truth["valid"],
        positive=0.5,
        negative=0.5,
        crowd=truth["crowd"],
    )


def proposal_losses_at(index, drawn, positive, matched, anchors, logits, deltas, truth):
    """The two losses of the region proposals at given anchors.

    Args:
        index: int32 `(B, S)` into the anchors. drawn, positive: bool `(B, S)`.
        matched: int32 `(B, A)`, the object of each anchor.
        anchors: `(A, 4)`. logits: `(B, A)`. deltas: `(B, A, 4)`.
        truth: dict of the labels.

    Returns:
        List of objectness and rpn_box loss.
    """
    owner = ops.maximum(ops.take_along_axis(matched, index, axis=1), 0)
    chosen = ops.take(anchors, index, axis=0)  # (B, S, 4)
    boxes = ops.take_along_axis(truth["boxes"], owner[..., None], axis=1)
    targets = box_ops.encode(ops.where(positive[..., None], boxes, chosen), chosen)
    return list(
        losses.proposal_losses(
            ops.take_along_axis(logits, index, axis=1),
            ops.take_along_axis(deltas, index[..., None], axis=1),
            targets,
            drawn,
            positive,
        )
    )

"""The five losses of Mask R-CNN (Ren et al. 2015, equation 1; He et al. 2017, section 3), each a
mean over what was sampled in the whole batch, as torchvision has them.

Axes: B batch, S sampled anchors or regions, R positive regions, P the mask's side.
"""

from keras import ops

from kseg.ops.replicas import summed

BETA = 1 / 9  # where smooth L1 turns from a parabola into a line


def smooth_l1(difference):
    """Sum over the last axis of: d**2 / (2 beta) below beta, d - beta / 2 above."""
    d = ops.abs(difference)
    return ops.sum(ops.where(d < BETA, d * d / (2 * BETA), d - BETA / 2), axis=-1)


def binary_cross_entropy(logits, truth):
    """Elementwise, of logits; exact for large ones."""
    return ops.maximum(logits, 0) - logits * truth + ops.log1p(ops.exp(-ops.abs(logits)))


def proposal_losses(logits, deltas, targets, drawn, positive):
    """Losses of the region proposals.

    Args:
        logits: `(B, S)` of the sampled anchors. deltas, targets: `(B, S, 4)`.
        drawn, positive: bool `(B, S)`, which places count, and which hold an object.

    Returns:
        Binary cross-entropy over the sample, and smooth L1 of its positives, both divided by the
        size of the sample.
    """
    entropy = binary_cross_entropy(logits, ops.cast(positive, "float32"))
    return _mean(entropy, drawn, drawn), _mean(smooth_l1(deltas - targets), positive, drawn)


def box_losses(logits, deltas, classes, targets, drawn, positive):
    """Losses of the box head.

    Args:
        logits: `(B, S, C + 1)`. deltas: `(B, S, C + 1, 4)`.
        classes: int32 `(B, S)`, 0 for the background. targets: `(B, S, 4)`.
        drawn, positive: bool `(B, S)`.

    Returns:
        Cross-entropy over the sample, and smooth L1 of the true class' deltas over its positives,
        both divided by the size of the sample.
    """
    probability = ops.log_softmax(logits, axis=-1)
    entropy = -ops.take_along_axis(probability, classes[..., None], axis=-1)[..., 0]
    own = ops.take_along_axis(deltas, classes[..., None, None], axis=2)[:, :, 0]
    return _mean(entropy, drawn, drawn), _mean(smooth_l1(own - targets), positive, drawn)


def mask_loss(logits, classes, targets, positive):
    """Sum over positive regions of the mean binary cross-entropy of the true class' mask.

    Args:
        logits: `(B, R, P, P, C + 1)`. classes: int32 `(B, R)`. targets: `(B, R, P, P)`.
        positive: bool `(B, R)`.

    Returns:
        Scalar; to be divided by the number of positive regions.
    """
    own = ops.take_along_axis(logits, classes[:, :, None, None, None], axis=-1)[..., 0]
    entropy = ops.mean(binary_cross_entropy(own, targets), axis=(2, 3))
    return ops.sum(ops.where(positive, entropy, 0.0))


def _mean(values, counted, total):
    """Sum of the counted values by the number in `total`; 0 of nothing."""
    number = ops.maximum(summed(ops.sum(ops.cast(total, "float32"))), 1.0)
    return summed(ops.sum(ops.where(counted, values, 0.0))) / number

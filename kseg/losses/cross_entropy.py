"""Cross-entropy of each pixel, averaged over the pixels that count."""

import keras
from keras import ops

from kseg.losses.base import SegmentationLoss, class_weights, mean_of_units, prepare, sum_pixels


def cross_entropy(
    y_true,
    y_pred,
    sample_weight=None,
    *,
    from_logits=True,
    ignore_class=255,
    class_weight=None,
    label_smoothing=0.0,
    reduce="batch",
):
    """Weighted mean of the pixels' cross-entropy: sum(w * ce) / sum(w).

    `w` of a pixel is the weight of its true class times its sample weight, as in
    `torch.nn.CrossEntropyLoss(weight=...)`, and 0 at void pixels. For a soft label, `w` is the
    mean class weight under the label. (With `label_smoothing` and `class_weight` together torch
    also weighs the smoothed part class by class; here the pixel keeps its one weight.)

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot or soft labels
            (B, ..., C), all zero at void pixels.
        y_pred: Scores (B, ..., C). C = 1 is binary: the one channel speaks for class 1.
        sample_weight: (B,), (B, ...) or (B, ..., 1). Defaults to None.
        from_logits: Whether `y_pred` are logits (softmax; sigmoid where C = 1) rather than
            probabilities, which are clipped at `keras.config.epsilon()`. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class (two where C = 1), or {class id: weight} with 1 for the
            rest. Defaults to None.
        label_smoothing: s in [0, 1): labels become (1 - s) * y_true + s / C, or with s / 2 where
            C = 1. Defaults to 0.0.
        reduce: `"batch"` takes the mean over all pixels; `"image"` over those of each image, then
            over the images with a valid pixel. Defaults to `"batch"`.

    Returns:
        float32 scalar; 0 where no pixel is valid, NaN where compiled code meets a label that is
        neither a class nor void.

    Raises:
        ValueError: Shapes or options that do not fit; eager, such a label.

    Example:

    >>> y_true = np.array([[0, 1, 255]])
    >>> y_pred = np.array([[[0.0, 0.0], [0.0, 0.0], [7.0, -3.0]]])
    >>> round(float(cross_entropy(y_true, y_pred)), 4)  # ln 2; the last pixel is void
    0.6931
    """
    _check_smoothing(label_smoothing)
    target, scores, weight, invalid = prepare(
        y_true, y_pred, sample_weight, ignore_class=ignore_class
    )
    num_classes = target.shape[-1]
    weigh = ops.convert_to_tensor(class_weights(class_weight, num_classes))  # (C,)
    weight = weight * ops.sum(target * weigh, axis=-1, keepdims=True)  # (B, ..., 1)
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / num_classes
    log_probabilities = _log_probabilities(scores, from_logits)  # (B, ..., C)
    losses = -ops.sum(target * log_probabilities, axis=-1, keepdims=True)  # (B, ..., 1)

    total = sum_pixels(weight, reduce)  # (U, 1)
    means = ops.divide_no_nan(sum_pixels(weight * losses, reduce), total)
    return mean_of_units(means, total > 0, invalid)


@keras.saving.register_keras_serializable(package="kseg")
class CrossEntropyLoss(SegmentationLoss):
    """Cross-entropy loss for segmentation; `cross_entropy` says what it computes.

    Args:
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        label_smoothing: In [0, 1). Defaults to 0.0.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        name: Defaults to `"cross_entropy"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model.compile("adam", loss=CrossEntropyLoss(class_weight={1: 5.0}))
    """

    function = staticmethod(cross_entropy)

    def __init__(
        self,
        from_logits=True,
        ignore_class=255,
        class_weight=None,
        label_smoothing=0.0,
        reduce="batch",
        name="cross_entropy",
    ):
        _check_smoothing(label_smoothing)
        super().__init__(
            name,
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            label_smoothing=float(label_smoothing),
            reduce=reduce,
        )


def _log_probabilities(scores, from_logits):
    """Log-probabilities (B, ..., C); one channel makes two, background first."""
    binary = scores.shape[-1] == 1
    if from_logits:
        if binary:  # log sigmoid(-x), log sigmoid(x): exact where 1 - sigmoid(x) would round to 0
            return -ops.softplus(ops.concatenate([scores, -scores], axis=-1))
        return ops.log_softmax(scores, axis=-1)
    if binary:
        scores = ops.concatenate([1 - scores, scores], axis=-1)
    epsilon = keras.config.epsilon()
    return ops.log(ops.clip(scores, epsilon, 1 - epsilon))


def _check_smoothing(label_smoothing):
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must lie in [0, 1), received {label_smoothing}.")

"""Cross-entropy of each pixel, averaged over the pixels that count."""

from __future__ import annotations

import keras
from keras import ops

from kseg.base.arguments import number
from kseg.base.types import ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.pixels import (
    log_probabilities,
    mean_of_labels,
    mean_of_pixels,
    prepare,
    weigh_by_class,
)


def cross_entropy(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    label_smoothing: float = 0.0,
    ohem: float | None = None,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
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
        ohem: Online hard example mining: the fraction, in (0, 1], of the pixels that count, those
            of the largest cross-entropy (before weights), over which the mean is taken: at least
            one pixel of each reduction unit, and pixels that tie for the last place share it.
            Shrivastava et al. 2016, for pixels Wu et al. 2016 (arXiv 1605.06885).
            Usual values are 0.1 to 0.25. Defaults to None: all pixels.
        reduce: `"batch"` takes the mean over all pixels; `"image"` over those of each image, then
            over the images with a valid pixel. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes: `y_true` is then 0, 1 or void for
            each, (B, ..., C), each channel a sigmoid, and the loss that of C binary problems, of
            which it is the mean, weighed by `class_weight`; `sample_weight` may be of each class
            too, (B, ..., C). Defaults to False.

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
    _check_options(label_smoothing, ohem)
    target, scores, weight, invalid = prepare(
        y_true, y_pred, sample_weight, ignore_class=ignore_class, multilabel=multilabel
    )
    if not multilabel:
        weight = weigh_by_class(weight, target, class_weight)  # (B, ..., 1)
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / target.shape[-1]
    log_p = log_probabilities(scores, from_logits)  # (B, ..., C)
    losses = -ops.sum(target * log_p, axis=-1, keepdims=True)  # (B, ..., 1)
    if ohem is not None:
        weight = weight * _hardest(losses, weight > 0, ohem, reduce, multilabel)
    if multilabel:
        return mean_of_labels(losses, weight, class_weight, reduce, invalid)
    return mean_of_pixels(losses, weight, reduce, invalid)


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
        ohem: Fraction of the pixels, the hardest, that count; in (0, 1]. Defaults to None: all.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"cross_entropy"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.CrossEntropyLoss(class_weight={1: 5.0}))
    """

    function = staticmethod(cross_entropy)

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        reduce: Reduce = "batch",
        ohem: float | None = None,
        multilabel: bool = False,
        name: str = "cross_entropy",
    ) -> None:
        _check_options(label_smoothing, ohem)
        super().__init__(
            name,
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            label_smoothing=float(label_smoothing),
            ohem=None if ohem is None else float(ohem),
            reduce=reduce,
            multilabel=multilabel,
        )


def _hardest(losses, counts, fraction, reduce, multilabel):
    """1 for the hardest `fraction` of the pixels that count, 0 for others; ties share what is left.

    Args:
        losses: float32 (B, ..., 1); (B, ..., C, 1) if `multilabel`, of each class by itself.
        counts: bool, of their shape.
        fraction: In (0, 1].
        reduce: `"batch"` or `"image"`: what the fraction is of.
    """
    shape = ops.shape(losses)
    units = 1 if reduce == "batch" else shape[0]
    # Pixels that do not count sort to the front: a cross-entropy is never negative.
    losses = ops.where(counts, ops.stop_gradient(losses), -1.0)
    classes = losses.shape[-2] if multilabel else 1
    losses = ops.reshape(losses, (units, -1, classes))  # (U, N, C)
    losses = ops.transpose(losses, (0, 2, 1))
    total = _count(losses >= 0)  # (U, C, 1)
    keep = ops.round(fraction * ops.cast(total, "float32"))
    keep = ops.maximum(ops.cast(keep, "int32"), 1)
    last = ops.shape(losses)[2] - keep
    threshold = ops.take_along_axis(ops.sort(losses, axis=-1), last, axis=-1)  # (U, C, 1)
    above, ties = losses > threshold, losses == threshold
    share = ops.cast(keep - _count(above), "float32") / ops.cast(_count(ties), "float32")
    kept = ops.cast(above, "float32") + share * ops.cast(ties, "float32")
    return ops.reshape(ops.transpose(kept, (0, 2, 1)), shape)


def _count(where):
    return ops.sum(ops.cast(where, "int32"), axis=-1, keepdims=True)


def _check_options(label_smoothing, ohem):
    number("label_smoothing", label_smoothing, at_least=0, below=1)
    if ohem is not None:
        number("ohem", ohem, above=0, at_most=1)

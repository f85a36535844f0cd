"""Focal loss: cross-entropy in which pixels that are right already weigh little."""

from __future__ import annotations

import keras
from keras import ops

from kseg.base.arguments import number, share
from kseg.base.types import ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.pixels import (
    log_probabilities,
    mean_of_labels,
    mean_of_pixels,
    prepare,
    weigh_by_class,
)


def focal(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """Weighted mean of the pixels' focal loss: sum(w * fl) / sum(w).

        fl = -a (1 - p) ** gamma * log p

    for the probability p of the true class: Lin et al. 2017, "Focal loss for dense object
    detection", equation 5, here for any number of classes. `w` is the weight of the true class
    times the sample weight, as in `cross_entropy`, which is gamma = 0. For a soft label fl is the
    mean under the label.

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot or soft labels
            (B, ..., C), all zero at void pixels.
        y_pred: Scores (B, ..., C). C = 1 is binary: the one channel speaks for class 1.
        sample_weight: (B,), (B, ...) or (B, ..., 1). Defaults to None.
        gamma: Focus on hard pixels, >= 0. Defaults to 2.0.
        alpha: In [0, 1]: `a` is 1 - alpha for class 0, the background, and alpha for the others.
            It scales the loss and, unlike `class_weight`, does not enter sum(w). Defaults to
            None: `a` = 1.
        from_logits: Whether `y_pred` are logits (softmax; sigmoid where C = 1) rather than
            probabilities, which are clipped at `keras.config.epsilon()`. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class (two where C = 1), or {class id: weight} with 1 for the
            rest. Defaults to None.
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

    >>> y_true = np.array([[0, 1, 255]])  # p = 1/2: 1/4 of ln 2
    >>> round(float(focal(y_true, np.zeros((1, 3, 2)))), 4)
    0.1733
    """
    _check_focal(gamma, alpha)
    target, scores, weight, invalid = prepare(
        y_true, y_pred, sample_weight, ignore_class=ignore_class, multilabel=multilabel
    )
    if not multilabel:
        weight = weigh_by_class(weight, target, class_weight)  # (B, ..., 1)
    if alpha is not None:
        balance = [1 - alpha] + [alpha] * (target.shape[-1] - 1)
        target = target * ops.convert_to_tensor(balance, dtype="float32")
    log_p = log_probabilities(scores, from_logits)  # (B, ..., C)
    if gamma:
        # At 1 - p = 0 the slope of a power < 1 is infinite, so 1 - p stops short of it.
        target = target * ops.maximum(-ops.expm1(log_p), keras.config.epsilon()) ** gamma
    losses = -ops.sum(target * log_p, axis=-1, keepdims=True)  # (B, ..., 1)
    if multilabel:
        return mean_of_labels(losses, weight, class_weight, reduce, invalid)
    return mean_of_pixels(losses, weight, reduce, invalid)


@keras.saving.register_keras_serializable(package="kseg")
class FocalLoss(SegmentationLoss):
    """Focal loss for segmentation; `focal` says what it computes.

    Args:
        gamma: Focus on hard pixels, >= 0. Defaults to 2.0.
        alpha: In [0, 1]: factor of the classes but 0, which gets 1 - alpha. Defaults to None: 1.
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"focal"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.DiceLoss() + 0.5 * kseg.FocalLoss())
    """

    function = staticmethod(focal)

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "focal",
    ) -> None:
        _check_focal(gamma, alpha)
        super().__init__(
            name,
            gamma=float(gamma),
            alpha=None if alpha is None else float(alpha),
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            reduce=reduce,
            multilabel=multilabel,
        )


def _check_focal(gamma, alpha):
    number("gamma", gamma, at_least=0)
    if alpha is not None:
        share("alpha", alpha)

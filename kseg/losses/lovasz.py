"""Lovasz-softmax: the Jaccard loss of hard decisions, extended to probabilities.

Axes: B batch, ... pixels, C classes scored (1 where there is one channel), U units of reduction,
N pixels of a unit.
"""

from __future__ import annotations

import keras
from keras import ops

from kseg.base.arguments import choice, refused
from kseg.base.types import Absent, ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.pixels import (
    ABSENT,
    REDUCE,
    harden,
    mean_of_classes,
    prepare,
    probabilities,
    scored_classes,
)


def lovasz(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    hinge: bool = False,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    absent: Absent = "ignore",
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """Mean over the classes of the Lovasz extension of the Jaccard loss.

    The Jaccard loss of a class, one minus intersection over union, is a function of the set of
    pixels that are decided wrongly. Its Lovasz extension takes an error of 0..1 at each pixel in
    place of right or wrong: with the errors m sorted downwards and S_i the first i pixels,

        loss = sum_i m_i (J(S_i) - J(S_i-1)),

    Berman et al. 2018, "The Lovasz-softmax loss: a tractable surrogate for the optimization of the
    intersection-over-union measure in neural networks". On hard predictions it is the Jaccard loss
    itself. A pixel of sample weight w counts as w pixels.

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot labels (B, ..., C), all
            zero at void pixels. A soft label counts as its likeliest class.
        y_pred: Scores (B, ..., C). C = 1 is binary, and only the foreground (class 1) is scored.
        sample_weight: (B,), (B, ...) or (B, ..., 1), >= 0. Defaults to None.
        hinge: False takes |p - t| as the error. True, with one channel of logits x only, takes
            max(0, 1 - x) where the truth is 1 and max(0, 1 + x) where it is 0: the Lovasz hinge,
            which can exceed 1. Defaults to False.
        from_logits: Whether `y_pred` are logits (softmax; sigmoid where C = 1) rather than
            probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Such a class is never
            scored either. Defaults to 255.
        class_weight: Weights of the mean over classes: one per class (two where C = 1), or
            {class id: weight} with 1 for the rest. Defaults to None.
        absent: `"ignore"` leaves a class without a truth pixel in the unit out of the mean (the
            paper's "present"); `"penalize"` keeps it, and it costs its largest error. Defaults to
            `"ignore"`.
        reduce: `"batch"` sorts all pixels together; `"image"` those of each image, then averages
            over the images with a scored class. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes: `y_true` is then 0, 1 or void for
            each, (B, ..., C), each channel a sigmoid, and the loss that of C binary problems, of
            which it is the mean, weighed by `class_weight`; `sample_weight` may be of each class
            too, (B, ..., C). Defaults to False.

    Returns:
        float32 scalar; 0 where no class is scored, NaN where compiled code meets a label that is
        neither a class nor void.

    Raises:
        ValueError: Shapes or options that do not fit; eager, such a label.

    Example:

    >>> y_true = np.array([[1, 1, 0]])  # one of two found, one too many: IoU 1/3
    >>> round(float(lovasz(y_true, np.array([[[1.0], [0.0], [1.0]]]), from_logits=False)), 4)
    0.6667
    """
    choice("absent", absent, ABSENT)
    choice("reduce", reduce, REDUCE)
    _check_hinge(hinge, from_logits)
    target, scores, weight, invalid = prepare(
        y_true, y_pred, sample_weight, ignore_class=ignore_class, multilabel=multilabel
    )
    channels = scores.shape[-1]
    if hinge and channels != 1:
        raise refused("hinge", hinge, f"False where y_pred has {channels} channels, and not one")
    target, weigh = scored_classes(harden(target), channels, class_weight, ignore_class, multilabel)
    p = scores if hinge else probabilities(scores, from_logits)
    if multilabel:
        p, weight = p[..., 0], weight[..., 0]  # (B, ..., C)
    errors = ops.relu(1 - p * (2 * target - 1)) if hinge else ops.absolute(target - p)
    errors = ops.where(weight > 0, errors, 0.0)  # (B, ..., C)

    errors = _by_unit(errors, reduce)  # (U, C, N)
    inside = _by_unit(weight * target, reduce)  # weight of the pixels of the class
    outside = _by_unit(weight * (1 - target), reduce)  # and of the others
    order = ops.argsort(-ops.stop_gradient(errors), axis=-1)
    errors, inside, outside = (ops.take_along_axis(x, order, -1) for x in (errors, inside, outside))
    losses = ops.sum(errors * _jaccard_steps(inside, outside), axis=-1)  # (U, C)

    valid = ops.sum(inside + outside, axis=-1) > 0
    present = ops.sum(inside, axis=-1) > 0
    if absent == "penalize":  # J of any set of wrong pixels is 1 there: the first step is all
        losses = ops.where(present, losses, ops.max(errors, axis=-1))
    return mean_of_classes(losses, present if absent == "ignore" else valid, weigh, invalid)


@keras.saving.register_keras_serializable(package="kseg")
class LovaszLoss(SegmentationLoss):
    """Lovasz-softmax loss (Lovasz hinge on request) for segmentation; `lovasz` says what it is.

    Args:
        hinge: Whether one channel of logits pays the Lovasz hinge. Defaults to False.
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        absent: `"ignore"` or `"penalize"` classes without a truth pixel. Defaults to `"ignore"`.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"lovasz"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.CrossEntropyLoss() + kseg.LovaszLoss(reduce="image"))
    """

    function = staticmethod(lovasz)

    def __init__(
        self,
        hinge: bool = False,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        absent: Absent = "ignore",
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "lovasz",
    ) -> None:
        choice("absent", absent, ABSENT)
        _check_hinge(hinge, from_logits)
        super().__init__(
            name,
            hinge=hinge,
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            absent=absent,
            reduce=reduce,
            multilabel=multilabel,
        )


def _by_unit(x, reduce):
    """(B, ..., C) as (U, C, N)."""
    units = 1 if reduce == "batch" else ops.shape(x)[0]
    return ops.transpose(ops.reshape(x, (units, -1, x.shape[-1])), (0, 2, 1))


def _jaccard_steps(inside, outside):
    """J(S_i) - J(S_i-1) of each pixel; a constant, as the paper's gradient has it.

    Pixels come in the order in which S takes them in. One of the class shrinks the intersection I
    by its weight w: the step is w / U with the union U. Any other widens the union from U - w to
    U: the step is w I / (U (U - w)). As a product neither loses the digits that a difference of
    two neighbouring J would. A void pixel weighs 0, so it takes no step.

    Args:
        inside, outside: float32 (U, C, N), the pixel's weight if it is of the class, and if not.
    """
    inside, outside = ops.stop_gradient(inside), ops.stop_gradient(outside)
    missed = ops.cumsum(inside, axis=-1)
    truth = missed[..., -1:]
    union = truth + ops.cumsum(outside, axis=-1)
    intersection = truth - missed
    return ops.divide_no_nan(inside, union) + ops.divide_no_nan(
        outside * intersection, union * (union - outside)
    )


def _check_hinge(hinge, from_logits):
    if hinge and not from_logits:
        raise refused("hinge", hinge, "False where from_logits=False", "The hinge is of logits.")

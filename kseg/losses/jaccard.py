"""Soft Jaccard loss: one minus intersection over union, class by class."""

from __future__ import annotations

import keras

from kseg.base.types import Absent, ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.overlap import check_overlap, overlap


def jaccard(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    absent: Absent = "ignore",
    smooth: float = 1e-5,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """One minus the mean soft intersection over union of the classes.

    With I, P and T, the sums of w p t, w p and w t over the reduction unit (see `dice`),

        J_c = (I_c + smooth) / (P_c + T_c - I_c + smooth):

    Rahman and Wang 2016, "Optimizing intersection-over-union in deep neural networks for image
    segmentation". At the same pixels J = D / (2 - D) of the Dice coefficient D.

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot or soft labels
            (B, ..., C), all zero at void pixels.
        y_pred: Scores (B, ..., C). C = 1 is binary, and only the foreground (class 1) is scored.
        sample_weight: (B,), (B, ...) or (B, ..., 1). Defaults to None.
        from_logits: Whether `y_pred` are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: Weights of the mean over classes: one per class, or {class id: weight} with
            1 for the rest. Defaults to None.
        absent: `"ignore"` leaves a class without a truth pixel in the unit out of the mean;
            `"penalize"` keeps it. Defaults to `"ignore"`.
        smooth: Added to numerator and denominator, > 0. Defaults to 1e-5.
        reduce: `"batch"` or `"image"`, as for `dice`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes: `y_true` is then 0, 1 or void for
            each, (B, ..., C), each channel a sigmoid, and the loss that of C binary problems, of
            which it is the mean, weighed by `class_weight`; `sample_weight` may be of each class
            too, (B, ..., C). Defaults to False.

    Returns:
        float32 scalar in [0, 1], 0 or NaN where `dice` is.

    Raises:
        ValueError: Shapes, options or labels that do not fit.

    Example:

    >>> y_true = np.array([[0, 0, 1, 255]])  # probabilities 1/2 each: J = (1 / 2.5, 0.5 / 2)
    >>> round(float(jaccard(y_true, np.zeros((1, 4, 2)))), 3)
    0.675
    """
    return overlap(
        y_true,
        y_pred,
        sample_weight,
        alpha=1.0,
        beta=1.0,
        gamma=1.0,
        from_logits=from_logits,
        ignore_class=ignore_class,
        class_weight=class_weight,
        absent=absent,
        smooth=smooth,
        reduce=reduce,
        multilabel=multilabel,
    )


@keras.saving.register_keras_serializable(package="kseg")
class JaccardLoss(SegmentationLoss):
    """Soft Jaccard (IoU) loss for segmentation; `jaccard` says what it computes.

    Args:
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        absent: `"ignore"` or `"penalize"` classes without a truth pixel. Defaults to `"ignore"`.
        smooth: Added to numerator and denominator, > 0. Defaults to 1e-5.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"jaccard"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.CrossEntropyLoss() + kseg.JaccardLoss())
    """

    function = staticmethod(jaccard)

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        absent: Absent = "ignore",
        smooth: float = 1e-5,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "jaccard",
    ) -> None:
        check_overlap(absent=absent, smooth=smooth)
        super().__init__(
            name,
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            absent=absent,
            smooth=float(smooth),
            reduce=reduce,
            multilabel=multilabel,
        )

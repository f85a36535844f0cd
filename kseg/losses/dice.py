"""Soft Dice loss: one minus the overlap of prediction and truth, class by class."""

from __future__ import annotations

import keras

from kseg.base.types import Absent, ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.overlap import check_overlap, overlap


def dice(
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
    """One minus the mean Dice coefficient of the classes.

    With probabilities p, labels t and pixel weights w, class c scores

        D_c = (2 * I_c + smooth) / (P_c + T_c + smooth),
        I_c = sum w p_c t_c,  P_c = sum w p_c,  T_c = sum w t_c:

    the soft Dice of Milletari et al. 2016 (V-Net, section 3) with the linear denominator of Sudre
    et al. 2017 (Generalised Dice overlap) in place of squares. Sums run over the reduction unit.

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot or soft labels
            (B, ..., C), all zero at void pixels.
        y_pred: Scores (B, ..., C). C = 1 is binary, and only the foreground (class 1) is scored.
        sample_weight: (B,), (B, ...) or (B, ..., 1); multiplies pixels before the sums. Defaults
            to None.
        from_logits: Whether `y_pred` are logits (softmax; sigmoid where C = 1) rather than
            probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Such a class is never
            scored either. Defaults to 255.
        class_weight: Weights of the mean over classes: one per class (two where C = 1), or
            {class id: weight} with 1 for the rest. Defaults to None.
        absent: `"ignore"` leaves a class without a truth pixel in the unit out of the mean;
            `"penalize"` keeps it, so predicting it anywhere costs, and nowhere costs nothing.
            Defaults to `"ignore"`.
        smooth: Added to numerator and denominator, > 0. Defaults to 1e-5.
        reduce: `"batch"` sums over all pixels; `"image"` over those of each image, then averages
            over the images with a scored class. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes: `y_true` is then 0, 1 or void for
            each, (B, ..., C), each channel a sigmoid, and the loss that of C binary problems, of
            which it is the mean, weighed by `class_weight`; `sample_weight` may be of each class
            too, (B, ..., C). Defaults to False.

    Returns:
        float32 scalar in [0, 1]; 0 where no class is scored, NaN where compiled code meets a label
        that is neither a class nor void.

    Raises:
        ValueError: Shapes or options that do not fit; eager, such a label.

    Example:

    >>> y_true = np.array([[0, 1, 255]])
    >>> y_pred = np.array([[[9.0, -9.0], [-9.0, 9.0], [7.0, -3.0]]])
    >>> float(dice(y_true, y_pred)) < 1e-6
    True
    """
    return overlap(
        y_true,
        y_pred,
        sample_weight,
        alpha=0.5,
        beta=0.5,
        gamma=1.0,
        from_logits=from_logits,
        ignore_class=ignore_class,
        class_weight=class_weight,
        absent=absent,
        smooth=smooth / 2,  # D_c is the Tversky index with both parts of its fraction doubled
        reduce=reduce,
        multilabel=multilabel,
    )


@keras.saving.register_keras_serializable(package="kseg")
class DiceLoss(SegmentationLoss):
    """Soft Dice loss for segmentation; `dice` says what it computes.

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
        name: Defaults to `"dice"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.DiceLoss() + 0.5 * kseg.CrossEntropyLoss())
    """

    function = staticmethod(dice)

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        absent: Absent = "ignore",
        smooth: float = 1e-5,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "dice",
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

"""Tversky losses: overlap in which false positives and false negatives weigh differently."""

from __future__ import annotations

import keras

from kseg.base.types import Absent, ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.overlap import check_overlap, overlap


def tversky(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    absent: Absent = "ignore",
    smooth: float = 1e-5,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """One minus the mean Tversky index of the classes.

    With the sums I of w p t (true positives), F+ of w p (1 - t) (false positives) and F- of
    w (1 - p) t (false negatives) over the reduction unit,

        T_c = (I_c + smooth) / (I_c + alpha F+_c + beta F-_c + smooth):

    Salehi et al. 2017, "Tversky loss function for image segmentation using 3D fully convolutional
    deep networks". alpha = beta = 1/2 is Dice (whose `smooth` is then twice this one),
    alpha = beta = 1 is Jaccard; beta > alpha favours recall, as small or thin objects need.

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot or soft labels
            (B, ..., C), all zero at void pixels.
        y_pred: Scores (B, ..., C). C = 1 is binary, and only the foreground (class 1) is scored.
        sample_weight: (B,), (B, ...) or (B, ..., 1). Defaults to None.
        alpha: Weight of false positives, >= 0. Defaults to 0.3, the best of the paper.
        beta: Weight of false negatives, >= 0. Defaults to 0.7.
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

    >>> y_true = np.array([[1, 1, 0, 0]])  # p = 1/2: I = 1, F+ = 1, F- = 1, T = 1 / 2
    >>> round(float(tversky(y_true, np.zeros((1, 4, 1)))), 3)
    0.5
    """
    return overlap(
        y_true,
        y_pred,
        sample_weight,
        alpha=alpha,
        beta=beta,
        gamma=1.0,
        from_logits=from_logits,
        ignore_class=ignore_class,
        class_weight=class_weight,
        absent=absent,
        smooth=smooth,
        reduce=reduce,
        multilabel=multilabel,
    )


def focal_tversky(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 0.75,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    absent: Absent = "ignore",
    smooth: float = 1e-5,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """Mean over the classes of (1 - T_c) ** gamma, T_c being the Tversky index of `tversky`.

    Abraham and Khan 2018, "A novel focal Tversky loss function with improved attention U-Net for
    lesion segmentation", whose exponent 1 / gamma with gamma = 4/3 is this 0.75.

    Args:
        gamma: Exponent, > 0; 1 is `tversky`. Defaults to 0.75.

    The other arguments, the errors and the value, again in [0, 1], are those of `tversky`. Below a
    loss of 1e-6 the power goes on as a straight line to 0, so that its slope stays finite.

    Example:

    >>> y_true = np.array([[1, 1, 0, 0]])  # T = 1 / 2
    >>> round(float(focal_tversky(y_true, np.zeros((1, 4, 1)), gamma=2.0)), 3)
    0.25
    """
    return overlap(
        y_true,
        y_pred,
        sample_weight,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        from_logits=from_logits,
        ignore_class=ignore_class,
        class_weight=class_weight,
        absent=absent,
        smooth=smooth,
        reduce=reduce,
        multilabel=multilabel,
    )


@keras.saving.register_keras_serializable(package="kseg")
class TverskyLoss(SegmentationLoss):
    """Tversky loss for segmentation; `tversky` says what it computes.

    Args:
        alpha: Weight of false positives, >= 0. Defaults to 0.3.
        beta: Weight of false negatives, >= 0. Defaults to 0.7.
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        absent: `"ignore"` or `"penalize"` classes without a truth pixel. Defaults to `"ignore"`.
        smooth: Added to numerator and denominator, > 0. Defaults to 1e-5.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"tversky"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.TverskyLoss(alpha=0.2, beta=0.8))
    """

    function = staticmethod(tversky)

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        absent: Absent = "ignore",
        smooth: float = 1e-5,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "tversky",
    ) -> None:
        check_overlap(absent=absent, smooth=smooth, alpha=alpha, beta=beta)
        super().__init__(
            name,
            alpha=float(alpha),
            beta=float(beta),
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            absent=absent,
            smooth=float(smooth),
            reduce=reduce,
            multilabel=multilabel,
        )


@keras.saving.register_keras_serializable(package="kseg")
class FocalTverskyLoss(SegmentationLoss):
    """Focal Tversky loss for segmentation; `focal_tversky` says what it computes.

    Args:
        alpha: Weight of false positives, >= 0. Defaults to 0.3.
        beta: Weight of false negatives, >= 0. Defaults to 0.7.
        gamma: Exponent of each class's loss, > 0. Defaults to 0.75.
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        absent: `"ignore"` or `"penalize"` classes without a truth pixel. Defaults to `"ignore"`.
        smooth: Added to numerator and denominator, > 0. Defaults to 1e-5.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"focal_tversky"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.FocalTverskyLoss(gamma=0.75))
    """

    function = staticmethod(focal_tversky)

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 0.75,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        absent: Absent = "ignore",
        smooth: float = 1e-5,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "focal_tversky",
    ) -> None:
        check_overlap(absent=absent, smooth=smooth, alpha=alpha, beta=beta, gamma=gamma)
        super().__init__(
            name,
            alpha=float(alpha),
            beta=float(beta),
            gamma=float(gamma),
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            absent=absent,
            smooth=float(smooth),
            reduce=reduce,
            multilabel=multilabel,
        )

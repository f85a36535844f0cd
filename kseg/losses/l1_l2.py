"""L1 and L2: the distance between a pixel's probabilities and its one-hot label."""

from __future__ import annotations

import keras
from keras import ops

from kseg.base.types import ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.base import SegmentationLoss
from kseg.losses.pixels import (
    mean_of_labels,
    mean_of_pixels,
    prepare,
    probabilities,
    weigh_by_class,
)


def l1(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """Weighted mean of the pixels' Manhattan distance, sum over channels of |p - t|.

    A hard label of probability p costs 2 (1 - p) whatever the number of classes, or 1 - p where
    C = 1. (`torch.nn.L1Loss` also divides by the number of channels.)

    Args:
        y_true: Class ids (B, ...) or (B, ..., 1); or, where C > 1, one-hot or soft labels
            (B, ..., C), all zero at void pixels.
        y_pred: Scores (B, ..., C). C = 1 is binary: the one channel speaks for class 1.
        sample_weight: (B,), (B, ...) or (B, ..., 1). Defaults to None.
        from_logits: Whether `y_pred` are logits (softmax; sigmoid where C = 1) rather than
            probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: Weights of the pixels by their class, which enter as in `cross_entropy`: one
            per class, or {class id: weight} with 1 for the rest. Defaults to None.
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

    >>> float(l1(np.array([[0, 1, 255]]), np.zeros((1, 3, 4))))  # p = 1/4: 2 (1 - 1/4)
    1.5
    """
    return _distance(
        y_true,
        y_pred,
        sample_weight,
        ops.absolute,
        from_logits,
        ignore_class,
        class_weight,
        reduce,
        multilabel,
    )


def l2(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor | None = None,
    *,
    from_logits: bool = True,
    ignore_class: ClassIds = 255,
    class_weight: ClassWeight = None,
    reduce: Reduce = "batch",
    multilabel: bool = False,
) -> Tensor:
    """Weighted mean of the pixels' squared distance, sum over channels of (p - t) ** 2.

    With C > 1 this is the score of Brier 1950, "Verification of forecasts expressed in terms of
    probability". (`torch.nn.MSELoss` also divides by the number of channels.)

    The arguments, the errors and the value are those of `l1`, but for the square.

    Example:

    >>> float(l2(np.array([[0, 1, 255]]), np.zeros((1, 3, 4))))  # 9/16 + 3/16
    0.75
    """
    return _distance(
        y_true,
        y_pred,
        sample_weight,
        ops.square,
        from_logits,
        ignore_class,
        class_weight,
        reduce,
        multilabel,
    )


@keras.saving.register_keras_serializable(package="kseg")
class L1Loss(SegmentationLoss):
    """Manhattan distance of probabilities to labels; `l1` says what it computes.

    Args:
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"l1"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.L1Loss())
    """

    function = staticmethod(l1)

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "l1",
    ) -> None:
        super().__init__(
            name,
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            reduce=reduce,
            multilabel=multilabel,
        )


@keras.saving.register_keras_serializable(package="kseg")
class L2Loss(SegmentationLoss):
    """Squared distance of probabilities to labels (Brier score); `l2` says what it computes.

    Args:
        from_logits: Whether predictions are logits rather than probabilities. Defaults to True.
        ignore_class: Void class id(s): int, sequence of ints, or None. Defaults to 255.
        class_weight: One weight per class, or {class id: weight} with 1 for the rest. Defaults to
            None.
        reduce: `"batch"` or `"image"`. Defaults to `"batch"`.
        multilabel: Whether a pixel may have several classes, each with a sigmoid of its own.
            Defaults to False.
        name: Defaults to `"l2"`.

    Raises:
        ValueError: On an option outside its range.

    Example:

    >>> model = kseg.build_unet(num_classes=3, width=2, compile=False)
    >>> model.compile("adam", loss=kseg.CrossEntropyLoss() + kseg.L2Loss())
    """

    function = staticmethod(l2)

    def __init__(
        self,
        from_logits: bool = True,
        ignore_class: ClassIds = 255,
        class_weight: ClassWeight = None,
        reduce: Reduce = "batch",
        multilabel: bool = False,
        name: str = "l2",
    ) -> None:
        super().__init__(
            name,
            from_logits=from_logits,
            ignore_class=ignore_class,
            class_weight=class_weight,
            reduce=reduce,
            multilabel=multilabel,
        )


def _distance(
    y_true,
    y_pred,
    sample_weight,
    measure,
    from_logits,
    ignore_class,
    class_weight,
    reduce,
    multilabel,
):
    """Mean over the pixels of sum over channels of measure(p - t)."""
    target, scores, weight, invalid = prepare(
        y_true, y_pred, sample_weight, ignore_class=ignore_class, multilabel=multilabel
    )
    if not multilabel:
        weight = weigh_by_class(weight, target, class_weight)  # (B, ..., 1)
    target = target[..., 1:] if scores.shape[-1] == 1 else target
    difference = probabilities(scores, from_logits) - target  # (B, ..., channels)
    losses = ops.sum(measure(difference), axis=-1, keepdims=True)
    if multilabel:
        return mean_of_labels(losses, weight, class_weight, reduce, invalid)
    return mean_of_pixels(losses, weight, reduce, invalid)

"""Mean intersection over union and its kin, all from one confusion matrix."""

import keras
from keras import ops

from kseg.metrics.confusion import ConfusionMetric


@keras.saving.register_keras_serializable(package="kseg")
class MeanIoU(ConfusionMetric):
    """Mean intersection over union (Jaccard index): per class TP / (TP + FP + FN).

    Classes in neither truth nor prediction (an empty union) leave the mean; with none left, as
    before any update, the result is 0. For a binary problem it is the IoU of the foreground.
    `per_class()` gives {class name: IoU} and `confusion()` the exact counts.

    Args:
        num_classes: Number of classes; 1 is a binary problem, of one channel and ids 0 and 1.
        ignore_class: Void class id(s) of `y_true`: int, sequence of ints, or None. Their pixels
            are not counted, and they are not scored. Defaults to 255.
        class_names: A name for each class (two where `num_classes` is 1). Defaults to None: the
            ids as strings.
        from_logits: Matters for one channel only: whether the threshold is 0 (logits) or 0.5
            (probabilities). Defaults to True.
        name: Defaults to `"mean_iou"`.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range; `update_state` says what it raises.

    Example:

    >>> metric = MeanIoU(2, class_names=["road", "car"])
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> float(metric.result()), metric.per_class()
    (0.5, {'road': 0.5, 'car': 0.5})
    """

    ratio = "iou"
    default_name = "mean_iou"


@keras.saving.register_keras_serializable(package="kseg")
class MeanDice(ConfusionMetric):
    """Mean Dice coefficient (F1) of the predicted classes: per class 2 TP / (2 TP + FP + FN).

    Absent classes and binary problems as in `MeanIoU`, whose arguments it takes; `name` defaults
    to `"mean_dice"`.

    Example:

    >>> metric = MeanDice(2)
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> round(float(metric.result()), 4)  # (2/3 + 2/3) / 2
    0.6667
    """

    ratio = "dice"
    default_name = "mean_dice"


@keras.saving.register_keras_serializable(package="kseg")
class PixelAccuracy(ConfusionMetric):
    """Fraction of the valid pixels whose class is right, background included.

    Takes the arguments of `MeanIoU`; `name` defaults to `"pixel_accuracy"`. 0 before any update.
    `per_class()` gives the accuracy (recall) of each true class.

    Example:

    >>> metric = PixelAccuracy(2)
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> round(float(metric.result()), 4)
    0.6667
    """

    ratio = "accuracy"
    default_name = "pixel_accuracy"

    def _score(self, confusion):
        return ops.divide_no_nan(ops.sum(ops.diagonal(confusion)), ops.sum(confusion))

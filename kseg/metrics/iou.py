"""Mean intersection over union and its kin, each from a confusion matrix."""

import keras
from keras import ops

from kseg.metrics.confusion import ConfusionMetric, parts


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
        classes: The class or classes that the result is the mean of, each by id or by name:
            `classes="car"` puts that class' IoU alone into the history. Defaults to None: all.
        from_logits: Matters for one channel only: whether the threshold is 0 (logits) or 0.5
            (probabilities). Defaults to True.
        multilabel: Whether a pixel may have several classes: `y_true` and `y_pred` are then
            (B, ..., C), of `y_true` 0, 1 or void for each class, of `y_pred` logits, probabilities
            or 0 and 1; the result is the mean over the classes of those of C binary problems, and
            `ignore_class` are no classes but values of `y_true`. Defaults to False.
        threshold: With `multilabel`, the probability above which a class is predicted: a number, or
            one for each class. Defaults to None: 0.5.
        name: Defaults to `"mean_iou"`; with `classes`, to `"iou_car"`, `"mean_iou_car_bus"`.
        dtype: Kept for Keras; the counts are int32 words and the result is float32.

    Raises:
        ValueError: On an option outside its range; `update_state` says what it raises.

    Example:

    >>> metric = MeanIoU(2, class_names=["road", "car"])
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> float(metric.result()), metric.per_class()
    (0.5, {'road': 0.5, 'car': 0.5})
    """

    kind = "iou"
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

    kind = "dice"
    default_name = "mean_dice"


@keras.saving.register_keras_serializable(package="kseg")
class MeanPrecision(ConfusionMetric):
    """Mean precision: per class TP / (TP + FP), over the classes that were predicted at all.

    A class of the truth that is never predicted has no precision and leaves the mean, so read it
    beside `MeanRecall`, where that class scores 0. Arguments and binary problems as in `MeanIoU`;
    `name` defaults to `"mean_precision"`.

    Example:

    >>> metric = MeanPrecision(2)
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> float(metric.result())  # (1/2 + 1) / 2
    0.75
    """

    kind = "precision"
    default_name = "mean_precision"


@keras.saving.register_keras_serializable(package="kseg")
class MeanRecall(ConfusionMetric):
    """Mean recall, also called mean class accuracy: per class TP / (TP + FN).

    Classes without a pixel of truth leave the mean. Arguments and binary problems as in `MeanIoU`;
    `name` defaults to `"mean_recall"`.

    Example:

    >>> metric = MeanRecall(2)
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> float(metric.result())  # (1 + 1/2) / 2
    0.75
    """

    kind = "accuracy"
    default_name = "mean_recall"


@keras.saving.register_keras_serializable(package="kseg")
class FrequencyWeightedIoU(ConfusionMetric):
    """Mean of the classes' IoU, each weighted by its pixels of truth.

    (sum over c of t_c IoU_c) / (sum over c of t_c), t_c the pixels of class c: Long et al. 2015,
    Fully convolutional networks, section 5. The background of a binary problem is a class here.
    Takes the arguments of `MeanIoU`; `name` defaults to `"frequency_weighted_iou"`. `per_class()`
    gives the IoU of each class.

    Example:

    >>> metric = FrequencyWeightedIoU(2)
    >>> metric.update_state(np.array([[0, 1, 1, 1]]), np.array([[0, 0, 1, 1]]))
    >>> round(float(metric.result()), 4)  # (1 * 1/2 + 3 * 2/3) / 4
    0.625
    """

    kind = "iou"
    default_name = "frequency_weighted_iou"
    foreground = False

    def score(self, counts):
        truth = parts(counts, ops)[1] * self.scored()
        iou = ops.divide_no_nan(*self.ratio(counts))
        return ops.divide_no_nan(ops.sum(truth * iou), ops.sum(truth))


@keras.saving.register_keras_serializable(package="kseg")
class PixelAccuracy(ConfusionMetric):
    """Fraction of the valid pixels whose class is right, background included.

    Takes the arguments of `MeanIoU`; with `classes`, only pixels whose truth is one of them count.
    `name` defaults to `"pixel_accuracy"`. 0 before any update. `per_class()` gives the accuracy
    (recall) of each true class. With `multilabel` it is the share of labels that are right, each of
    a pixel and a class.

    Example:

    >>> metric = PixelAccuracy(2)
    >>> metric.update_state(np.array([[0, 1, 1, 255]]), np.array([[0, 0, 1, 1]]))
    >>> round(float(metric.result()), 4)
    0.6667
    """

    kind = "accuracy"
    default_name = "pixel_accuracy"
    foreground = False

    def score(self, counts):
        right, truth = self.ratio(counts)
        if self.multilabel:  # what is rightly not of a class is right too
            right, truth = counts[:, 0, 0] + counts[:, 1, 1], ops.sum(counts, axis=(1, 2))
        right, truth = (ops.sum(part * self.scored()) for part in (right, truth))
        return ops.divide_no_nan(right, truth)

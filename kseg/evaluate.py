"""Model + Source -> a plain dict of numbers."""

import numpy as np


def evaluate(model, source, *, batch_size=8, progress=None):
    """Scores a model on every labelled pixel of a source, each photo at its own size.

    One confusion matrix is counted over the whole source in 64-bit integers and every number
    follows from it; void pixels are left out, nothing else is.

    Args:
        model: A semantic kseg model.
        source: A `Source` with the model's classes.
        batch_size: Photos of the same size predicted at once.
        progress: Optional function called with the number of photos done.

    Returns:
        dict with `"images"`, `"pixels"`, `"mean_iou"`, `"mean_dice"`, `"mean_accuracy"`,
        `"pixel_accuracy"`, `"frequency_weighted_iou"`, `"classes"` (class name -> dict of `"iou"`,
        `"dice"`, `"accuracy"`, `"precision"`, `"pixels"`) and `"confusion"` (rows are the truth).
        A class that is neither in the truth nor predicted is NaN and left out of the means.

    Raises:
        ValueError: the source's classes are not the model's, or a file cannot be read.

    Example:

    >>> scores = kseg.evaluate(model, kseg.data.camvid("CamVid", split="val"))
    >>> scores["mean_iou"], scores["classes"]["Road"]["iou"]
    """
    from kseg.data.check import check_classes, naming_bad_files
    from kseg.metrics.confusion import confusion_matrix, scores
    from kseg.predict import labels_on_batch

    check_classes(model, source)
    classes = max(2, model.outputs[0].shape[-1])
    confusion = np.zeros((classes, classes), np.int64)
    done = 0
    with naming_bad_files(source):
        for images, labels in _same_sized(source, batch_size):
            count = len(images)
            # a last, smaller batch would be one more shape to compile for
            images = np.concatenate([images, np.repeat(images[-1:], batch_size - count, axis=0)])
            predicted = labels_on_batch(model, images)[:count]
            confusion += confusion_matrix(labels, predicted, classes, ignore_class=source.void)
            done += count
            if progress:
                progress(done)
    result = scores(confusion)
    per_class = ("iou", "dice", "accuracy", "precision", "pixels")
    return {
        "images": done,
        "pixels": int(confusion.sum()),
        **{name: float(value) for name, value in result.items() if name not in per_class},
        "classes": {
            class_name: {name: result[name][i].item() for name in per_class}
            for i, class_name in enumerate(source.class_names)
        },
        "confusion": confusion.tolist(),
    }


def _same_sized(source, batch_size):
    """Batches of neighbouring photos of one size, as arrays."""
    from kseg.data.pipeline import samples

    images, labels = [], []
    for sample in samples(source):
        image, label = sample["image"], sample["label"]
        if images and (len(images) == batch_size or image.shape != images[0].shape):
            yield np.stack(images), np.stack(labels)
            images, labels = [], []
        images.append(image)
        labels.append(label)
    yield np.stack(images), np.stack(labels)

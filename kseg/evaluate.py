"""Model + Source -> a plain dict of numbers."""

import numpy as np

HELD = 64  # photos of other sizes that wait for their batch to be full


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
            predicted = labels_on_batch(model, _filled(images, batch_size))[:count]
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
    """Batches of photos of one size, as arrays; at most `HELD` photos wait for others like them."""
    from kseg.data.pipeline import samples

    waiting = {}

    def taken(shape):
        return tuple(map(np.stack, zip(*waiting.pop(shape))))

    for sample in samples(source):
        image, label = sample["image"], sample["label"]
        alike = waiting.setdefault(image.shape, [])
        alike.append((image, label))
        if len(alike) == batch_size:
            yield taken(image.shape)
        elif sum(map(len, waiting.values())) > HELD:
            yield taken(max(waiting, key=lambda shape: len(waiting[shape])))
    for shape in list(waiting):
        yield taken(shape)


def _filled(images, batch_size):
    """An incomplete batch, on JAX filled up to 1, 2, 4, ...: it compiles for every shape anew."""
    import keras

    count = len(images)
    if keras.backend.backend() != "jax" or count == batch_size:
        return images
    wanted = min(1 << (count - 1).bit_length(), batch_size)
    return np.concatenate([images, np.repeat(images[-1:], wanted - count, axis=0)])

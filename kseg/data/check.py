"""Finds what is wrong with a data set, and says which file and what to do."""

import contextlib

import numpy as np


def check_classes(model, source):
    """Raises `ValueError` if the model's channels are not the source's classes."""
    channels = model.outputs[0].shape[-1]
    if channels == source.num_classes or (channels == 1 and source.num_classes == 2):
        return
    raise ValueError(
        f"The model has {channels} classes but {source.name!r} has {source.num_classes} "
        f"({', '.join(source.class_names[:5])}{', ...' if source.num_classes > 5 else ''}). "
        f"Build the model with num_classes={source.num_classes}, or use the data it was trained on."
    )


def check_samples(source, limit=None):
    """Reads samples as training would and raises one clear error for the first bad one.

    Args:
        source: A `Source`.
        limit: At most this many samples, evenly spread; None for all.

    Returns:
        int64 array `(num_classes,)`: labelled pixels of each class in the samples read.

    Raises:
        ValueError: a file cannot be read, photo and mask differ in size, or a label is outside the
            class list. The message names the file and the remedy.
    """
    from kseg.data.pipeline import samples

    count = len(source)
    chosen = np.arange(count)
    if limit is not None and limit < count:
        chosen = np.linspace(0, count - 1, limit).astype(int)
    part = source.subset(chosen)
    pixels = np.zeros(source.num_classes, np.int64)
    with naming_bad_files(part):
        for index, sample in enumerate(samples(part)):
            pixels += _count_labels(part, index, sample["image"], sample["label"])
    return pixels


@contextlib.contextmanager
def naming_bad_files(source):
    """Turns TensorFlow's error over one bad sample into a `ValueError` that names its file."""
    from kseg.data._tensorflow import tensorflow

    tf = tensorflow()
    try:
        yield
    except tf.errors.OpError as error:
        index = first_bad_sample(source)
        if index is None:
            raise
        raise ValueError(explain(source, index)) from error


def first_bad_sample(source):
    """Position of the first sample that cannot be read, or None."""
    from kseg.data._tensorflow import tensorflow
    from kseg.data.pipeline import samples

    index = -1
    try:
        for index, _ in enumerate(samples(source)):  # noqa: B007
            pass
    except tensorflow().errors.OpError:
        return index + 1
    return None


def explain(source, index):
    """One line on why a sample cannot be read: the file, what is wrong, what to do."""
    from kseg.data.files import load_mask, load_photo

    row = {name: rows[index] for name, rows in source.columns.items()}
    shapes = {}
    for name, load in (("image", load_photo), ("label", load_mask)):
        if name in row and isinstance(row[name], str):
            try:
                shapes[name] = load(row[name]).shape[:2]
            except (ValueError, OSError) as error:
                return str(error)
    if len(set(shapes.values())) == 2:
        return size_mismatch(_file(source, index), shapes["image"], shapes["label"])
    try:
        source[index]
    except Exception as error:  # whatever a reader's decode raises
        message = getattr(error, "message", str(error))
        # TensorFlow wraps the text of an assertion in its own words and brackets
        _, _, text = message.partition("kseg: ")
        return (text or message).split("\n")[0].rstrip("'\"] ")
    return f"{source.ids[index]}: cannot be read."


def _count_labels(source, index, image, label):
    if image.shape[:2] != label.shape:
        raise ValueError(size_mismatch(_file(source, index), image.shape, label.shape))
    labels, counts = np.unique(label, return_counts=True)
    pixels = np.zeros(source.num_classes, np.int64)
    for value, number in zip(labels, counts):
        if value == source.void:
            continue
        if not 0 <= value < source.num_classes:
            raise ValueError(
                f"{_file(source, index)}: label {value} is outside the {source.num_classes} "
                f"classes 0..{source.num_classes - 1} and is not void ({source.void}). "
                "Correct the mask or the class list."
            )
        pixels[value] = number
    return pixels


def size_mismatch(file, image_shape, label_shape):
    return (
        f"{file}: the mask is {label_shape[1]}x{label_shape[0]} but its image is "
        f"{image_shape[1]}x{image_shape[0]} pixels (width x height). Export the mask at the "
        "image's size; never resize masks with interpolation."
    )


def _file(source, index):
    rows = source.columns.get("label")
    if rows is not None and rows.dtype.kind in "USO":
        return repr(str(rows[index]))
    return source.ids[index]

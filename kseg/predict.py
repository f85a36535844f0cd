"""A photo of any size -> its class ids at the same size."""

import weakref
from pathlib import Path

import numpy as np

_labellers = weakref.WeakKeyDictionary()
_confident_labellers = weakref.WeakKeyDictionary()


def predict(model, images):
    """Predicts the class of every pixel.

    Args:
        model: A semantic kseg model.
        images: A path, a Pillow image, or an array `(H, W)`, `(H, W, 1)` or `(H, W, C)` of 0..255;
            or a list of those, of any sizes.

    Returns:
        int32 array `(H, W)` of class ids at the image's own size; for a list, a list of them. A
        binary model (one class) gives 1 where its probability is above one half.

    Raises:
        FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape.

    Example:

    >>> mask = predict(model, "street.jpg")
    >>> mask.shape  # the photo's own
    (480, 640)
    """
    if isinstance(images, (list, tuple)):
        return [predict(model, image) for image in images]
    image = _as_array(images, channels=model.inputs[0].shape[-1])
    return labels_on_batch(model, image[None])[0]


def labels_on_batch(model, images):
    """Class ids of a batch: `(B, H, W, C)` -> int32 `(B, H, W)`.

    The argmax runs where the model runs, so that ids and not logits cross to the host.
    """
    if model not in _labellers:
        _labellers[model] = _labeller(model)
    return np.asarray(_labellers[model].predict_on_batch(images)).astype(np.int32)


def confident_labels_on_batch(model, images):
    """Class ids of a batch, and the probability of each: int32 and float32 `(B, H, W)`."""
    if model not in _confident_labellers:
        _confident_labellers[model] = _confident_labeller(model)
    labels, confidence = _confident_labellers[model].predict_on_batch(images)
    return np.asarray(labels).astype(np.int32), np.asarray(confidence)


def _confident_labeller(model):
    import keras

    from kseg.metrics.calibration import top_class

    return keras.Model(model.input, top_class(model.outputs[0]))


def _labeller(model):
    import keras

    logits = model.outputs[0]
    if logits.shape[-1] == 1:
        labels = keras.ops.cast(logits[..., 0] > 0, "int32")  # sigmoid(0) is one half
    else:
        labels = keras.ops.argmax(logits, axis=-1)
    return keras.Model(model.input, labels)


def _as_array(image, channels):
    from kseg.data.files import load_photo, photo_array

    if isinstance(image, (str, Path)):
        array = load_photo(image)
    elif isinstance(image, np.ndarray) or not hasattr(image, "convert"):
        array = np.asarray(image)
    else:
        array = photo_array(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim == 3 and array.shape[-1] == 1 and channels > 1:
        array = np.repeat(array, channels, axis=-1)
    if array.ndim != 3 or array.shape[-1] != channels or 0 in array.shape:
        raise ValueError(
            f"image of shape {array.shape}: expected (height, width, {channels}) for this model."
        )
    return array

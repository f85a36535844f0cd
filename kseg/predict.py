"""A photo of any size -> its class ids, or its objects, at the same size."""

import weakref
from pathlib import Path

import numpy as np

from kseg.instances import detect, is_instance, resized_size
from kseg.paste import bilinear

_labellers = weakref.WeakKeyDictionary()
_confident_labellers = weakref.WeakKeyDictionary()


def predict(model, images, *, resize=None, min_score=0.5, threshold=0.5, masks="binary"):
    """Predicts the class of every pixel, or finds the objects.

    Args:
        model: A kseg model, semantic or of instances.
        images: A path, a Pillow image, or an array `(H, W)`, `(H, W, 1)` or `(H, W, C)` of 0..255;
            or a list of those, of any sizes.
        resize: Of a semantic model: `(shortest, longest)` side in pixels that a photo gets for the
            network, its aspect kept; its logits are enlarged or shrunk back. Default None: photos
            go in as they are. An instance model says this itself.
        min_score: Of an instance model, as what follows: objects of a lower score are left out; 0
            keeps all that the model gives. Default 0.5.
        threshold: Probability from which on a pixel belongs to an object. Default 0.5.
        masks: `"binary"` (the default); `"probability"`; or `"rle"`, COCO's compressed runs, which
            pycocotools makes.

    Returns:
        Of a semantic model, an int32 array `(H, W)` of class ids at the image's own size; a binary
        model (one class) gives 1 where its probability is above one half. Of an instance model,
        `kseg.instances.Instances`, with boxes and masks in the image's own pixels. For a list of
        images, a list of them.

    Raises:
        FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape, or an
            option is out of its range or not the model's.
        ImportError: `masks="rle"` and pycocotools is not installed.

    Example:

    >>> mask = predict(model, "street.jpg")
    >>> mask.shape  # the photo's own
    (480, 640)
    >>> found = predict(mask_rcnn, "street.jpg", min_score=0.7)
    >>> found.boxes.shape, found.masks.shape
    ((7, 4), (7, 480, 640))
    """
    several = isinstance(images, (list, tuple))
    options = {"min_score": min_score, "threshold": threshold, "masks": masks}
    if is_instance(model):
        if resize is not None:
            raise ValueError(
                f"resize={resize!r} is of semantic models; this one was built with "
                f"resize={model.resize!r}."
            )
        arrays = (as_array(image, channels=3) for image in (images if several else [images]))
        found = [each for _, each in detect(model, enumerate(arrays), **options)]
        return found if several else found[0]
    for name, value in options.items():
        if value != predict.__kwdefaults__[name]:
            raise ValueError(f"{name}={value!r} is of instance models; this one labels pixels.")
    if several:
        return [predict(model, image, resize=resize) for image in images]
    image = as_array(images, channels=model.inputs[0].shape[-1])
    if resize is None:
        return labels_on_batch(model, image[None])[0]
    return _resized_labels(model, image, check_resize(resize))


def labels_on_batch(model, images):
    """Class ids of a batch: `(B, H, W, C)` -> int32 `(B, H, W)`.

    The argmax runs where the model runs, so that ids and not logits cross to the host.
    """
    if model not in _labellers:
        _labellers[model] = _labeller(model)
    return np.asarray(_labellers[model].predict_on_batch(images)).astype(np.int32)


def check_resize(resize):
    """`(shortest, longest)`, if it is one; None is one too.

    Raises:
        ValueError: it is not.
    """
    if resize is None:
        return None
    try:
        shortest, longest = (int(side) for side in resize)
    except (TypeError, ValueError):
        shortest, longest = 0, 0
    if not 1 <= shortest <= longest:
        raise ValueError(
            f"resize={resize!r}: expected (shortest, longest) side in pixels, or None."
        )
    return shortest, longest


def _resized_labels(model, image, resize):
    """Class ids of an image that the network sees at another size."""
    from keras import ops

    smaller = bilinear(image, *resized_size(image.shape[:2], resize))
    logits = ops.image.resize(
        model.predict_on_batch(smaller[None]), image.shape[:2], "bilinear", antialias=False
    )
    return winners(ops.convert_to_numpy(logits))[0]


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

    return keras.Model(model.input, _labels(model.outputs[0]))


def winners(logits):
    """Class ids of logits that are NumPy arrays: `(..., C)` -> int32 `(...)`."""
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0).astype(np.int32)
    return logits.argmax(axis=-1).astype(np.int32)


def _labels(logits):
    """`winners` of a backend's tensors."""
    from keras import ops

    if logits.shape[-1] == 1:
        return ops.cast(logits[..., 0] > 0, "int32")  # sigmoid(0) is one half
    return ops.argmax(logits, axis=-1)


def as_array(image, channels):
    """A path, a Pillow image or an array as an array `(H, W, channels)`; clear errors."""
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

"""TODO"""

import weakref

import numpy as np

from kseg.ops.resize import bilinear, resized_size

_labellers = weakref.WeakKeyDictionary()


_confident_labellers = weakref.WeakKeyDictionary()


def labels_on_batch(model, images):
    """Class ids of a batch: `(B, H, W, C)` -> int32 `(B, H, W)`.

    The argmax runs where the model runs, so that ids and not logits cross to the host.
    """
    if model not in _labellers:
        _labellers[model] = _labeller(model)
    return np.asarray(_labellers[model].predict_on_batch(images)).astype(np.int32)


def _resized_labels(model, image, resize):
    """Class ids of an image that the network sees at another size."""
    from keras import ops

    from kseg.ops.decisions import winners

    smaller = bilinear(image, *resized_size(image.shape[:2], resize))
    logits = ops.image.resize(
        model.predict_on_batch(smaller[None]), image.shape[:2], "bilinear", antialias=False
    )
    return ops.convert_to_numpy(winners(logits))[0]


def confident_labels_on_batch(model, images):
    """Class ids of a batch, and the probability of each: int32 and float32 `(B, H, W)`."""
    if model not in _confident_labellers:
        _confident_labellers[model] = _confident_labeller(model)
    labels, confidence = _confident_labellers[model].predict_on_batch(images)
    return np.asarray(labels).astype(np.int32), np.asarray(confidence)


def _confident_labeller(model):
    import keras

    from kseg.ops.decisions import top_class

    return keras.Model(model.input, top_class(model.outputs[0]))


def _labeller(model):
    import keras

    from kseg.ops.decisions import winners

    return keras.Model(model.input, winners(model.outputs[0]))

"""Photos of any size through a model that labels pixels: the class of each.

Axes: B batch, H and W the photo, C classes.
"""

import weakref

import numpy as np

from kseg.base.arguments import refused
from kseg.models.contract import fixed_size
from kseg.ops.resize import bilinear, check_resize, resized_size
from kseg.prediction.network import check_weights, forward, not_finite, once

OPTIONS = {"resize": None}
FOLDER, SUFFIX = "masks", ".png"  # where `kseg predict` writes, and how the files end

# model -> the same with its decision inside, so that ids and not logits cross to the host
_deciders = weakref.WeakKeyDictionary()


def predict(model, photos, *, resize=None):
    """Yields int32 class ids `(H, W)` of each photo `(H, W, channels)`; see `kseg.predict`."""
    resize = check_resize(resize)
    if resize is not None and None not in fixed_size(model):
        remedy = "It resizes photos to that by itself: leave resize= out."
        raise refused("resize", resize, f"None for a model of {fixed_size(model)} pixels", remedy)
    for photo in photos:
        yield labels_on_batch(model, photo[None], resize)[0]


def write(labels, path, class_names, colors):
    """Writes class ids as a palette PNG, whose pixels are the ids and whose palette the colours.

    More than 256 classes make a grey PNG of 16 bits.

    Args:
        labels: Class ids `(H, W)`.
        path: The file, a `pathlib.Path`; its folder is made.
        class_names: Name of each class.
        colors: RGB of each class.
    """
    from kseg.pictures.image import save, with_palette

    deep = len(class_names) > 256
    save(labels.astype(np.uint16) if deep else with_palette(labels, colors), path)


def labels_on_batch(model, images, resize=None):
    """Class ids of a batch: `(B, H, W, channels)` -> int32 `(B, H, W)`.

    Args:
        model: A semantic model. One that is built for images of one size gets them at that size.
        images: Photos of one size.
        resize: As of `kseg.predict`.

    Raises:
        ValueError: the logits are not finite.
    """
    from kseg.ops.decisions import winners

    return _decided(model, lambda logits: (winners(logits),), images, "ids", resize)[0]


def confident_labels_on_batch(model, images):
    """Class ids of a batch, and the probability of each: int32 and float32 `(B, H, W)`."""
    from kseg.ops.decisions import top_class

    return _decided(model, top_class, images, "confidence")


def _decided(model, decide, images, name, resize=None):
    """`decide` of the logits, computed where the model runs, and the first of it as int32.

    Args:
        model, images, resize: As of `labels_on_batch`.
        decide: Function of logits to a tuple of tensors `(B, H, W)`, the first of them ids.
        name: What to keep the network with this decision by.
    """
    import keras

    from kseg.models.any_size import any_size
    from kseg.ops.decisions import finite

    made = _deciders.setdefault(model, {})
    once(made, "weights", lambda: check_weights(model))
    network = model
    if any(fixed_size(model)):  # the model itself is not kept: it would live as long as its entry
        network = once(made, "network", lambda: any_size(model))
    if resize is None:
        decider = once(
            made,
            name,
            lambda: keras.Model(
                network.input, (*decide(network.outputs[0]), finite(network.outputs[0]))
            ),
        )
        *answers, whole = forward(decider, images)
    else:
        logits = _resized_logits(network, images, resize)
        *answers, whole = map(keras.ops.convert_to_numpy, (*decide(logits), finite(logits)))
    if not whole.all():
        raise not_finite(model)
    return [answers[0].astype(np.int32), *answers[1:]]


def _resized_logits(network, images, resize):
    """Logits of images that the network sees at another size."""
    from keras import ops

    size = images.shape[1:3]
    smaller = np.stack([bilinear(image, *resized_size(size, resize)) for image in images])
    return ops.image.resize(forward(network, smaller), size, "bilinear", antialias=False)

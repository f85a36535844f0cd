"""Photos of any size through a model that labels pixels: the class of each.

Axes: B batch, H and W the photo, C classes.
"""

import weakref

import numpy as np

from kseg.ops.resize import bilinear, check_resize, resized_size

OPTIONS = {"resize": None}
FOLDER, SUFFIX = "masks", ".png"  # where `kseg predict` writes, and how the files end

# model -> the same with its decision inside, so that ids and not logits cross to the host
_deciders = weakref.WeakKeyDictionary()


def predict(model, photos, *, resize=None):
    """Yields int32 class ids `(H, W)` of each photo `(H, W, channels)`; see `kseg.predict`."""
    resize = check_resize(resize)
    for photo in photos:
        if resize is None:
            yield labels_on_batch(model, photo[None])[0]
        else:
            yield _resized_labels(model, photo, resize)


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


def labels_on_batch(model, images):
    """Class ids of a batch: `(B, H, W, channels)` -> int32 `(B, H, W)`."""
    from kseg.ops.decisions import winners

    return np.asarray(_decided(model, winners, images)).astype(np.int32)


def confident_labels_on_batch(model, images):
    """Class ids of a batch, and the probability of each: int32 and float32 `(B, H, W)`."""
    from kseg.ops.decisions import top_class

    labels, confidence = _decided(model, top_class, images)
    return np.asarray(labels).astype(np.int32), np.asarray(confidence)


def _decided(model, decide, images):
    """`decide` of the logits, computed where the model runs."""
    import keras

    deciders = _deciders.setdefault(model, {})
    if decide not in deciders:
        deciders[decide] = keras.Model(model.input, decide(model.outputs[0]))
    return deciders[decide].predict_on_batch(images)


def _resized_labels(model, photo, resize):
    """Class ids of a photo that the network sees at another size."""
    from keras import ops

    from kseg.ops.decisions import winners

    smaller = bilinear(photo, *resized_size(photo.shape[:2], resize))
    logits = ops.image.resize(
        model.predict_on_batch(smaller[None]), photo.shape[:2], "bilinear", antialias=False
    )
    return ops.convert_to_numpy(winners(logits))[0]

"""Photos of any size through a model that says of each pixel which classes it has.

Axes: B batch, H and W the photo, C classes.
"""

import numpy as np

from kseg.base.arguments import threshold as checked_threshold
from kseg.base.atomic import replacing
from kseg.models.contract import contract
from kseg.prediction.semantic import checked, checked_views, decided, viewed

OPTIONS = {
    "resize": None,
    "tile": None,
    "tta": None,
    "threshold": 0.5,
    "probabilities": False,
}
FOLDER, SUFFIX = "masks", ".npz"  # where `kseg predict` writes, and how the files end


def predict(model, photos, *, resize=None, tile=None, tta=None, threshold=0.5, probabilities=False):
    """Yields bool `(H, W, C)`, or probabilities, of each photo; see `kseg.predict`."""
    resize, views = checked(model, resize, tile), checked_views(model, tta)
    threshold = checked_threshold("threshold", threshold, contract(model).num_classes)
    for photo in photos:
        if tta is None and not probabilities:
            yield labels_on_batch(model, photo[None], threshold, resize, tile)[0]
            continue
        (found,) = viewed(model, photo[None], views, resize, tile)
        yield found if probabilities else found > np.float32(threshold)


def stored(model, *, threshold=0.5, probabilities=False):
    """How an answer that does not fit into memory is decided and stored; as of labels.

    Of each class a band, 1 where it is.
    """
    count = contract(model).num_classes
    threshold = np.float32(checked_threshold("threshold", threshold, count))
    if probabilities:
        return (lambda found: found), np.float32, count
    return (lambda found: (found > threshold).astype(np.uint8)), np.uint8, count


def write(labels, path, class_names, colors):
    """Writes which classes each pixel has, as NumPy's compressed `.npz`.

    It holds `labels`, bool `(H, W, C)`, and `class_names`; `kseg.data.folder(multilabel=True)`
    reads it.

    Args:
        labels: bool `(H, W, C)`.
        path: The file, a `pathlib.Path`; its folder is made.
        class_names: Name of each class.
        colors: Not used: a pixel may have several.
    """
    with replacing(path) as temporary:
        np.savez_compressed(temporary, labels=labels, class_names=np.array(class_names))


def labels_on_batch(model, images, threshold, resize=None, tile=None):
    """Which classes pixels have: `(B, H, W, channels)` -> bool `(B, H, W, C)`.

    Args:
        model, images, resize, tile: As of `kseg.prediction.semantic.labels_on_batch`.
        threshold: Probability above which a pixel has a class: a number, or one for each class.

    Raises:
        ValueError: the logits are not finite.
    """
    from keras import ops

    from kseg.ops.decisions import above

    def decide(logits):
        return (above(ops.sigmoid(logits), threshold),)

    return decided(model, decide, images, ("labels", threshold), resize, tile)[0]


def probabilities_on_batch(model, images, resize=None, tile=None, scale=1.0):
    """The probability of each class, float32 `(B, H, W, C)`."""
    from keras import ops

    def decide(logits):
        return (ops.sigmoid(ops.cast(logits, "float32")),)

    return decided(model, decide, images, "probabilities", resize, tile, scale)[0]

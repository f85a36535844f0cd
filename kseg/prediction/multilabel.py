"""Photos of any size through a model that says of each pixel which classes it has.

Axes: B batch, H and W the photo, C classes.
"""

import numpy as np

from kseg.base.arguments import threshold as checked_threshold
from kseg.base.atomic import replacing
from kseg.models.contract import contract
from kseg.prediction.semantic import checked, decided

OPTIONS = {"resize": None, "tile": None, "threshold": 0.5, "probabilities": False}
FOLDER, SUFFIX = "masks", ".npz"  # where `kseg predict` writes, and how the files end


def predict(model, photos, *, resize=None, tile=None, threshold=0.5, probabilities=False):
    """Yields bool `(H, W, C)`, or probabilities, of each photo; see `kseg.predict`."""
    resize = checked(model, resize, tile)
    threshold = checked_threshold("threshold", threshold, contract(model).num_classes)
    for photo in photos:
        if probabilities:
            yield probabilities_on_batch(model, photo[None], resize, tile)[0]
        else:
            yield labels_on_batch(model, photo[None], threshold, resize, tile)[0]


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


def probabilities_on_batch(model, images, resize=None, tile=None):
    """The probability of each class, float32 `(B, H, W, C)`."""
    from keras import ops

    return decided(
        model, lambda logits: (ops.sigmoid(logits),), images, "probabilities", resize, tile
    )[0]

"""Several classes a pixel on their photo: colours mixed, and an outline of each class."""

import numpy as np

from kseg.base.colors import NOT_SCORED
from kseg.pictures.grid import legend as legend_of
from kseg.pictures.image import RIGHT, WRONG, overlay, picture_of

OPTIONS = {}
PANELS = ("photo", "truth", "prediction", "error (red)")


def truth(source, sample):
    """The photo of a sample with its labels: uint8 `(H, W, 3)`."""
    return overlay(picture_of(source, sample), sample["label"], source.colors)


def predicted(image, labels, class_names, colors, void):
    """A photo with the labels that `kseg.predict` gave it: uint8 `(H, W, 3)`.

    Args:
        image: uint8 `(H, W, 3)`.
        labels: bool `(H, W, C)`.
        class_names, void: Not used: a legend of its own tells them, and nothing predicted is void.
        colors: RGB of each class.
    """
    return overlay(image, labels, colors)


def panels(source, sample, labels):
    """What `PANELS` says, of a sample and the labels predicted for it."""
    image, true = picture_of(source, sample), sample["label"]
    scored = true != source.void
    wrong = (scored & (true != labels)).any(axis=-1)
    kind = np.where(scored.any(axis=-1), wrong, 2).astype(int)
    errors = np.array([RIGHT, WRONG, NOT_SCORED], np.uint8)[kind]
    return [image, truth(source, sample), overlay(image, labels, source.colors), errors]


def legend(source, width):
    """The classes and their colours, as a Pillow image of this width."""
    return legend_of(source.class_names, source.colors, width)

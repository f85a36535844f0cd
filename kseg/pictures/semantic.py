"""Labels on their photo: a colour for each class."""

from kseg.pictures.grid import legend as legend_of
from kseg.pictures.image import errors, overlay

OPTIONS = {}
PANELS = ("photo", "truth", "prediction", "error (red)")
OPACITY = 0.6  # of a panel, which is small


def truth(source, sample, *, opacity=0.5):
    """The photo of a sample with its labels: uint8 `(H, W, 3)`."""
    labels = sample["label"]
    return overlay(sample["image"], labels, source.colors, opacity=opacity, void=source.void)


def predicted(image, labels, class_names, colors, void, *, opacity=0.5):
    """A photo with the labels that `kseg.predict` gave it: uint8 `(H, W, 3)`."""
    return overlay(image, labels, colors, opacity=opacity, void=void)


def panels(source, sample, labels):
    """What `PANELS` says, of a sample and the labels predicted for it."""
    image = sample["image"]
    names, colors, void = source.class_names, source.colors, source.void
    return [
        image,
        truth(source, sample, opacity=OPACITY),
        predicted(image, labels, names, colors, void, opacity=OPACITY),
        errors(sample["label"], labels, void),
    ]


def legend(source, width):
    """The classes and their colours, as a Pillow image of this width."""
    return legend_of(source.class_names, source.colors, width)

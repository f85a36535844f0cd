"""Labels on their photo: a colour for each class."""

from kseg.pictures.grid import legend as legend_of
from kseg.pictures.image import errors, overlay, picture_of

OPTIONS = {}
PANELS = ("photo", "truth", "prediction", "error (red)")
OPACITY = 0.6  # in a panel, which is small


def truth(source, sample):
    """The photo of a sample with its labels: uint8 `(H, W, 3)`."""
    return overlay(picture_of(source, sample), sample["label"], source.colors, void=source.void)


def predicted(image, labels, class_names, colors, void):
    """A photo with the labels that `kseg.predict` gave it: uint8 `(H, W, 3)`.

    Args:
        image: uint8 `(H, W, 3)`.
        labels: Class ids `(H, W)`.
        class_names: Name of each class; a legend of its own tells them.
        colors: RGB of each class.
        void: Label id that shows the bare photo.
    """
    return overlay(image, labels, colors, void=void)


def panels(source, sample, labels):
    """What `PANELS` says, of a sample and the labels predicted for it."""
    image, options = picture_of(source, sample), {"opacity": OPACITY, "void": source.void}
    return [
        image,
        overlay(image, sample["label"], source.colors, **options),
        overlay(image, labels, source.colors, **options),
        errors(sample["label"], labels, source.void),
    ]


def legend(source, width):
    """The classes and their colours, as a Pillow image of this width."""
    return legend_of(source.class_names, source.colors, width)

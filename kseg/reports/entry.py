"""A line of a legend or a caption: text, after the colours that it explains."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A line of a legend or a caption.

    Args:
        text: What it says.
        colors: RGB of each swatch before it, 0..255; None for the hatching of void.
    """

    text: str
    colors: tuple = ()


def class_name(source, class_id):
    """The name of a class id of a sample, whatever it is."""
    if class_id == source.void:
        return "void"
    known = 0 <= class_id < source.num_classes
    return source.class_names[class_id] if known else f"unknown id {class_id}"

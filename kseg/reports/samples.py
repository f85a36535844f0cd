"""A few samples of a set with what is labelled on them, as one PNG."""

from __future__ import annotations

from kseg.base.types import PathLike
from kseg.data.source import Source, spread
from kseg.models.contract import part
from kseg.pictures.grid import grid, scaled, stack
from kseg.pictures.image import picture_of, save


def write_samples(source: Source, path: PathLike, *, count: int = 3, width: int = 480) -> None:
    """Writes a PNG with one row a sample: the photo, and the photo with its labels or objects.

    Args:
        source: A `Source`; `count` samples are taken evenly spread.
        path: The PNG file.
        count: Rows. Default 3.
        width: Width of one picture in pixels. Default 480.

    Example:

    >>> write_samples(kseg.data.shapes("val", count=2), "scenes.png")
    """
    drawing = part("kseg.pictures", source)
    rows = []
    for index in spread(len(source), count):
        sample = source[index]
        panels = (picture_of(source, sample), drawing.truth(source, sample))
        rows.append([scaled(panel, width) for panel in panels])
    picture = grid(rows, ("photo", drawing.PANELS[1]), width)
    legend = drawing.legend(source, picture.width)
    save(picture if legend is None else stack(picture, legend), path)

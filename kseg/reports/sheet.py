"""A file of photo, truth and prediction side by side."""

from __future__ import annotations

from kseg.base.types import Model, PathLike
from kseg.data.source import Source
from kseg.pictures.image import save
from kseg.prediction.sheet import sheet


def write_sheet(
    model: Model, source: Source, path: PathLike, *, count: int = 6, width: int = 320
) -> None:
    """Writes a PNG with one row a sample: photo, truth, prediction; of labels error and a legend.

    Args:
        model: A kseg model, semantic or of instances.
        source: Labelled `Source` of its task; `count` samples are taken evenly spread.
        path: The PNG file.
        count: Rows. Default 6.
        width: Width of one picture in pixels. Default 320.
    """
    save(sheet(model, source, count, width), path)

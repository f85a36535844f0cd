"""A sheet of predictions: photo, truth and prediction side by side."""

from __future__ import annotations

from kseg.base.types import Model, PathLike
from kseg.data.source import Source, spread
from kseg.models.contract import part
from kseg.pictures.grid import grid, scaled, stack
from kseg.pictures.image import save
from kseg.prediction.predict import predict


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
    drawing = part("kseg.pictures", model)
    rows = []
    for index in spread(len(source), count):
        sample = source[index]
        panels = drawing.panels(source, sample, predict(model, sample["image"]))
        rows.append([scaled(panel, width) for panel in panels])
    picture = grid(rows, drawing.PANELS, width)
    legend = drawing.legend(source, picture.width)
    save(picture if legend is None else stack(picture, legend), path)

"""A sheet of predictions: photo, truth and prediction side by side."""

from kseg.data.source import spread
from kseg.models.contract import part
from kseg.pictures.grid import grid, scaled, stack
from kseg.pictures.image import save
from kseg.prediction.predict import predict


def write_sheet(model, source, path, *, count=6, width=320):
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

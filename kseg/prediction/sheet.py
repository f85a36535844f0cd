"""A sheet of predictions: photo, truth and prediction of some samples, side by side."""

from kseg.data.source import spread
from kseg.models.contract import part
from kseg.pictures.grid import grid, scaled, stack
from kseg.prediction.predict import predict


def sheet(model, source, count, width):
    """One picture with a row a sample: photo, truth, prediction; of labels error and a legend.

    Args:
        model: A kseg model.
        source: Labelled `Source` of its task; the samples are taken evenly spread.
        count: Rows.
        width: Of one photo in pixels.
    """
    drawing = part("kseg.pictures", model)
    rows = []
    for index in spread(len(source), count):
        sample = source[index]
        panels = drawing.panels(source, sample, predict(model, sample["image"]))
        rows.append([scaled(panel, width) for panel in panels])
    picture = grid(rows, drawing.PANELS, width)
    legend = drawing.legend(source, picture.width)
    return picture if legend is None else stack(picture, legend)

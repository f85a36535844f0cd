"""How a model stands new scenes, as one HTML page: the worst pictures, then the numbers."""

from kseg.models.contract import part
from kseg.pictures.image import data_uri
from kseg.prediction.predict import predict
from kseg.prediction.predictor import KerasPredictor, Predictor
from kseg.reports.page import write_page
from kseg.shifts.conditions import made

WIDTH = 640  # pixels of a picture at most


def write_robustness(found, model, source, path):
    """Writes what `kseg.robustness` found, with pictures of the worst photos.

    Args:
        found: The `kseg.shifts.results.Robustness`.
        model: The model, or what `kseg.load` gives.
        source: The `Source` it was scored on, with the model's classes.
        path: The HTML file.
    """
    model = model.model if isinstance(model, KerasPredictor) else model
    drawing = part("kseg.pictures", model)
    write_page(
        path,
        "robustness.html",
        title=f"Robustness on {source.name}",
        found=found,
        tables=found.tables,
        headings=drawing.PANELS,
        worst=[_pictured(each, model, source, drawing, found) for each in found["worst"]],
        protocol=_protocol(found["protocol"]),
    )


def _pictured(row, model, source, drawing, found):
    """Caption and pictures of a photo under its condition: itself, truth, prediction, error."""
    seen = made(source, row["condition"], found["protocol"]["seed"])
    sample = seen[row["index"]]
    image = sample["image"]
    predicted = model.predict(image) if isinstance(model, Predictor) else predict(model, image)
    panels = drawing.panels(seen, sample, predicted)
    caption = f"{row['id']}, {row['condition']}: {found['score']} {row['score']:.3f}"
    return caption, [data_uri(panel, WIDTH) for panel in panels]


def _protocol(protocol):
    """What the numbers are of, as lines."""
    lines = {**protocol, "images": len(protocol["images"]), "classes": len(protocol["classes"])}
    return [f"{name}: {value}" for name, value in lines.items()]

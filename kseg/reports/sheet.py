"""Pictures: overlays, a sheet of photo, truth, prediction and error, and the curve of a run."""

from kseg.data.source import spread
from kseg.models.contract import is_instance
from kseg.pictures.grid import grid, legend, scaled, stack
from kseg.pictures.image import errors, overlay, save
from kseg.pictures.instance import captions, found_objects, objects


def write_sheet(model, source, path, *, count=6, width=320):
    """Writes a PNG with one row a sample: photo, truth, prediction; of labels error and a legend.

    Args:
        model: A kseg model, semantic or of instances.
        source: Labelled `Source` of its task; `count` samples are taken evenly spread.
        path: The PNG file.
        count: Rows.
        width: Width of one picture in pixels.
    """
    instances = is_instance(model)
    panels = _object_panels if instances else _label_panels
    samples = (source[index] for index in spread(len(source), count))
    rows = [[scaled(panel, width) for panel in panels(model, source, sample)] for sample in samples]
    if instances:
        picture = grid(rows, ("photo", "truth", "prediction"), width)
    else:
        picture = grid(rows, ("photo", "truth", "prediction", "error (red)"), width)
        picture = stack(picture, legend(source.class_names, source.colors, picture.width))
    save(picture, path)


def _label_panels(model, source, sample):
    from kseg.prediction.predict import predict

    image, labels = sample["image"], sample["label"]
    predicted = predict(model, image)
    return [
        image,
        overlay(image, labels, source.colors, opacity=0.6, void=source.void),
        overlay(image, predicted, source.colors, opacity=0.6, void=source.void),
        errors(labels, predicted, source.void),
    ]


def _object_panels(model, source, sample):
    from kseg.prediction.predict import predict

    image, names = sample["image"], captions(source.class_names, sample["classes"])
    truth = (sample["masks"], sample["boxes"])
    return [
        image,
        objects(image, *truth, crowd=sample["crowd"], captions=names),
        found_objects(image, predict(model, image), source.class_names),
    ]

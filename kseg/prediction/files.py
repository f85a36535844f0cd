"""Predictions of photos, written into a folder: what was found, and an overlay of each."""

from kseg.data.errors import DataError
from kseg.data.files import load_photo
from kseg.models.contract import part
from kseg.prediction.predict import predict


class BadPhotos(ValueError):
    """Some of several photos cannot be read; the others were predicted.

    Args:
        errors: The `DataError` of each of them.
        written: The paths of the results of the others.
    """

    def __init__(self, errors, written):
        super().__init__(errors, written)
        self.errors, self.written = errors, written

    def __str__(self):
        return f"{len(self.errors)} photos cannot be read: {' '.join(map(str, self.errors))}"


def predict_files(run, photos, output, *, min_score=None):
    """Writes what `kseg.predict` says of each photo, NAME.png or NAME.json, and NAME_overlay.png.

    Args:
        run: The `kseg.Run` whose model predicts.
        photos: Paths.
        output: The folder for the results.
        min_score: Of an instance model, as of `kseg.predict`.

    Returns:
        The paths of the results, without the overlays.

    Raises:
        BadPhotos: some of several photos cannot be read; it comes in the end, when all others are
            predicted, and names them.
        ValueError: two photos have one name, the one photo cannot be read, or an option is not the
            model's.
    """
    from kseg.pictures.image import save

    names = [photo.stem for photo in photos]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(
            f"Several photos are called {sorted(repeated)[0]!r}: their masks would overwrite each "
            "other. Predict them into different folders."
        )
    model = run.load_model()
    writing, drawing = part("kseg.prediction", model), part("kseg.pictures", model)
    written, bad = [], []
    for photo in photos:
        try:
            image, path = load_photo(photo), output / photo.stem
        except DataError as error:
            bad.append(error)
            continue
        prediction = predict(model, image, min_score=min_score)
        written.append(writing.write(prediction, path, run.class_names))
        picture = drawing.predicted(image, prediction, run.class_names, run.colors, run.void)
        save(picture, path.with_name(f"{path.name}_overlay.png"))
    if bad and len(photos) == 1:
        raise bad[0]
    if bad:
        raise BadPhotos(bad, written)
    return written

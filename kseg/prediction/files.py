"""Predictions of photos, written into a folder: what was found, and an overlay of each."""

import os
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.outputs import check_outputs, folded, identity
from kseg.data.errors import DataError
from kseg.data.files import load_photo
from kseg.data.source import check_bands
from kseg.models.contract import part

OVERLAYS = "overlays"  # the folder beside that of the results


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


def predict_files(
    predictor,
    photos,
    output,
    *,
    min_score=None,
    threshold=None,
    bands=None,
    clip=False,
    overwrite=False,
):
    """Writes what `kseg.predict` says of each photo, and an overlay of each.

    They go to `output/masks/NAME.png`, of several classes a pixel to `output/masks/NAME.npz`, of
    objects to `output/objects/NAME.json`, and to
    `output/overlays/NAME.png`; see `names_of` for NAME. Nothing is written where a photo or an
    earlier result would be lost.

    Args:
        predictor: What predicts, as `kseg.load` gives it.
        photos: Paths. One that comes twice is predicted once.
        output: The folder for the results.
        min_score, threshold: As of `kseg.predict`.
        bands: Those of the photos that overlays show, as of `Source`. Default None: as in training,
            or the first three.
        clip: Whether numbers of a photo beyond the model's `value_range` become its ends, in place
            of an error. Defaults to False.
        overwrite: Whether to replace earlier results. Defaults to False.

    Returns:
        The paths of the results, without the overlays.

    Raises:
        BadPhotos: some of several photos cannot be read; it comes in the end, when all others are
            predicted, and names them.
        ValueError: a result would replace a photo, the one photo cannot be read, or an option is
            not the model's.
        FileExistsError: there are results of these names, and `overwrite` is False.
    """
    from kseg.pictures.image import as_rgb, save

    bands = check_bands(bands, predictor.channels) or _bands_of(predictor)
    if clip and predictor.value_range is None:
        expected = "False for a model of 0..255, which no number of a file is beyond"
        raise refused("clip", clip, expected, "Leave it out.")
    writing, drawing = part("kseg.prediction", predictor), part("kseg.pictures", predictor)
    names, colors = predictor.class_names, predictor.colors
    photos = list({identity(photo): photo for photo in photos}.values())
    paths = [
        (output / writing.FOLDER / f"{name}{writing.SUFFIX}", output / OVERLAYS / f"{name}.png")
        for name in names_of(photos)
    ]
    outputs = [("output", path) for pair in paths for path in pair]
    check_outputs(outputs, [*photos, *predictor.files()], overwrite)
    written, bad = [], []
    for photo, (result, overlay) in zip(photos, paths):
        try:
            image = load_photo(photo, predictor.channels, predictor.value_range, clip)
        except DataError as error:
            bad.append(error)
            continue
        prediction = predictor.predict(image, min_score=min_score, threshold=threshold)
        writing.write(prediction, result, names, colors)
        picture = as_rgb(image, bands, predictor.value_range)
        shown = drawing.predicted(picture, prediction, names, colors, predictor.void)
        save(shown, overlay)
        written.append(result)
    if bad and len(photos) == 1:
        raise bad[0]
    if bad:
        raise BadPhotos(bad, written)
    return written


def _bands_of(predictor):
    """The bands that pictures of its data showed, where its photos have them: grey has not."""
    bands = predictor.bands
    return bands if bands and max(bands) < predictor.channels else None


def names_of(photos):
    """A name for the results of each photo, different for all, on every file system.

    The photo's own without its ending; where two photos are called alike, the path below the folder
    that holds all of them; where that is not enough, with the ending, and then with a number.

    >>> names_of(["a/1.jpg", "a/2.jpg"])
    ['1', '2']
    >>> names_of(["a/1.jpg", "b/1.jpg"])
    ['a/1', 'b/1']
    >>> names_of(["1.jpg", "1.png", "2.png", "1.PNG"])
    ['1.jpg', '1.png', '2.png', '1.PNG-2']
    """
    whole = [os.path.abspath(photo) for photo in photos]
    shared = os.path.commonpath([os.path.dirname(path) for path in whole])
    below = [Path(path).relative_to(shared) for path in whole]
    by_stem = [path.stem for path in below]
    by_path = [path.with_suffix("").as_posix() for path in below]
    for names in (by_stem, by_path):
        if len(set(map(folded, names))) == len(names):
            return names
    names = []
    for name in (path.as_posix() for path in below):
        taken, number, candidate = set(map(folded, names)), 1, name
        while folded(candidate) in taken:
            number += 1
            candidate = f"{name}-{number}"
        names.append(candidate)
    return names

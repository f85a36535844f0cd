"""Something that predicts photos, with the names and colours of its classes."""

from pathlib import Path

from kseg.models.contract import contract, names_and_colors
from kseg.prediction.predict import predict


class Predictor:
    """Something that predicts photos, with the names and colours of its classes.

    Args:
        path: Where it was loaded from.
        task: `"semantic"` or `"instance"`.
        class_names: Name of each class; ids as text where they are not known.
        colors: RGB of each class.
        channels: Of the photos that it takes.
        void: Label id that no class has. Default 255.

    Example:

    >>> loaded = kseg.load("runs/mine")  # or "mine.keras", or "models/street/1"
    >>> loaded.predict("street.jpg").shape, loaded.class_names[:2]
    ((48, 64), ('background', 'disk'))
    """

    def __init__(self, path, task, class_names, colors, channels, void=255):
        self.path, self.task, self.channels, self.void = Path(path), task, channels, void
        self.class_names = tuple(class_names)
        self.colors = tuple(tuple(color) for color in colors)

    def predict(self, images, *, min_score=None):
        """Class ids of photos, or their objects.

        Args:
            images: A path, a Pillow image or a uint8 array `(H, W, C)`; or a list of those.
            min_score: Of objects: those of a lower score are left out. Default None: 0.5, or what
                the export was told; what it has left out does not come back.

        Returns:
            As `kseg.predict`, with binary masks: int32 `(H, W)`, or
            `kseg.prediction.results.Instances`; a list of them for a list.

        Raises:
            FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape, or
                `min_score` is given for a model without objects.
        """
        raise NotImplementedError

    def files(self):
        """Paths of the files, or the folders of files, that it was loaded from."""
        return [self.path]


class KerasPredictor(Predictor):
    """A Keras model; it is `.model`, not compiled if it comes from a `.keras` file.

    Args:
        path: Where it was loaded from.
        model: The model.
        run: The `kseg.Run` that it comes from, which says names and colours; it is `.run`.
    """

    def __init__(self, path, model, run=None):
        about = contract(model)
        if run is None:
            super().__init__(path, about.task, *names_and_colors(model), about.channels)
        else:
            named = run.class_names, run.colors
            super().__init__(path, about.task, *named, about.channels, run.void)
        self.model, self.run = model, run

    def predict(self, images, *, min_score=None):
        return predict(self.model, images, min_score=min_score)

    def files(self):
        return self.run.files() if self.run else [self.path]

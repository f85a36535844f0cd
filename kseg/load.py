"""`kseg.load`: a run, a `.keras` file or an exported SavedModel, behind one way to predict."""

import json
from pathlib import Path

import numpy as np

from kseg.data.source import default_colors
from kseg.instances import Instances, is_instance
from kseg.paste import paste_masks
from kseg.predict import as_array, predict
from kseg.runs import Run, load_model
from kseg.serving import versions
from kseg.serving.saved_model import ABOUT


class Predictor:
    """Something that predicts photos, with the names and colours of its classes.

    Args:
        path: Where it was loaded from.
        task: `"semantic"` or `"instance"`.
        class_names: Name of each class; ids as text where they are not known.
        colors: RGB of each class.

    Example:

    >>> loaded = kseg.load("runs/mine")  # or "mine.keras", or "models/street/1"
    >>> loaded.predict("street.jpg").shape, loaded.class_names[:2]
    ((480, 640), ('Sky', 'Building'))
    """

    def __init__(self, path, task, class_names, colors):
        self.path, self.task = Path(path), task
        self.class_names = tuple(class_names)
        self.colors = tuple(tuple(color) for color in colors)

    def predict(self, images, *, min_score=None):
        """Class ids of photos, or their objects.

        Args:
            images: A path, a Pillow image or a uint8 array `(H, W, C)`; or a list of those.
            min_score: Of objects: those of a lower score are left out. Default None: 0.5, or what
                the export was told; what it has left out does not come back.

        Returns:
            As `kseg.predict`, with binary masks: int32 `(H, W)`, or `kseg.instances.Instances`;
            a list of them for a list.

        Raises:
            FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape.
        """
        raise NotImplementedError


class KerasPredictor(Predictor):
    """A Keras model; it is `.model`, not compiled if it comes from a `.keras` file."""

    def __init__(self, path, model, class_names=None, colors=None):
        names, default = names_and_colors(model)
        task = "instance" if is_instance(model) else "semantic"
        super().__init__(path, task, class_names or names, colors or default)
        self.model = model

    def predict(self, images, *, min_score=None):
        if self.task == "instance":
            return predict(self.model, images, min_score=0.5 if min_score is None else min_score)
        return predict(self.model, images)


class SavedModelPredictor(Predictor):
    """An exported SavedModel; TensorFlow runs it, whatever Keras' backend. It is `.model`."""

    def __init__(self, path):
        from kseg.data._tensorflow import tensorflow

        about = read_about(path)
        super().__init__(path, about["task"], about["class_names"], about["colors"])
        self.channels, self.threshold = about["channels"], about["options"]["threshold"]
        self.model = tensorflow().saved_model.load(str(path))
        self.signatures = self.model.signatures

    def predict(self, images, *, min_score=None):
        if isinstance(images, (list, tuple)):
            return [self.predict(image, min_score=min_score) for image in images]
        if "serving_default" not in self.signatures:
            raise ValueError(
                f"{str(self.path)!r} has no signature 'serving_default', which predict calls: "
                f"it has {sorted(self.signatures)}."
            )
        image = as_array(images, self.channels)
        if image.dtype != np.uint8:
            raise ValueError(
                f"image of type {image.dtype}: an exported model takes uint8, 0..255. "
                "Round it first."
            )
        found = self.signatures["serving_default"](images=image[None])
        found = {name: values.numpy()[0] for name, values in found.items()}
        if self.task == "semantic":
            return found["class_ids"].astype(np.int32)
        kept = (found["classes"] >= 0) & (found["scores"] >= (min_score or 0))
        boxes = found["boxes"][kept]
        masks = paste_masks(found["masks"][kept], boxes, *image.shape[:2], threshold=self.threshold)
        return Instances(boxes, found["classes"][kept], found["scores"][kept], masks)


def load(path):
    """Opens a run folder, a `.keras` file or an exported SavedModel.

    Args:
        path: The folder that `kseg fit` wrote; a `.keras` file; or a SavedModel that `kseg.export`
            wrote: `NAME/VERSION`, or `NAME` for its highest version.

    Returns:
        `Predictor`.

    Raises:
        FileNotFoundError: there is no such thing.
        ValueError: it is damaged, or a SavedModel of something else.

    Example:

    >>> kseg.load("models/street").predict(["a.jpg", "b.jpg"])
    """
    path = Path(path).expanduser()
    if (path / "run.json").is_file():
        run = Run.open(path)
        return KerasPredictor(path, run.load_model(), run.class_names, run.colors)
    if path.suffix == ".keras":
        return KerasPredictor(path, load_model(path, compile=False))
    folder = saved_model_folder(path)
    if folder is None:
        raise FileNotFoundError(
            f"{str(path)!r} is neither a run folder nor a .keras file nor an exported model: "
            "expected a folder with run.json, saved_model.pb, or numbered versions."
        )
    return SavedModelPredictor(folder)


def saved_model_folder(path):
    """The folder of a SavedModel: this one, or its highest version; None if there is none."""
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    return versions.latest(path) if versions.numbers(path) else None


def read_about(folder):
    """What `kseg.export` wrote down of a SavedModel: a dict.

    Raises:
        ValueError: it is not one of kseg's, or it is damaged.
    """
    file = Path(folder) / "assets.extra" / ABOUT
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        raise ValueError(
            f"{str(folder)!r} is a SavedModel, but not of kseg.export: it has no {file.name} in "
            "assets.extra. Load it with tf.saved_model.load."
        ) from None
    except ValueError as error:
        raise ValueError(f"{str(file)!r} cannot be read ({error}). Export again.") from error


def names_and_colors(model):
    """Names and colours of a model's classes, where nobody has said any."""
    count = model.num_classes if is_instance(model) else max(2, model.outputs[0].shape[-1])
    return tuple(map(str, range(count))), default_colors(count)

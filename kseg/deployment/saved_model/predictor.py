"""TODO"""

import json
from pathlib import Path

import numpy as np

from kseg.data.files import as_array
from kseg.deployment.saved_model import versions
from kseg.deployment.saved_model.write import ABOUT
from kseg.ops.paste import paste_masks
from kseg.prediction.predictor import Predictor
from kseg.prediction.results import Instances


class SavedModelPredictor(Predictor):
    """An exported SavedModel; TensorFlow runs it, whatever Keras' backend. It is `.model`."""

    def __init__(self, path):
        from kseg.base.tensorflow import tensorflow

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

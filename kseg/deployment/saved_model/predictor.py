"""An exported SavedModel behind `kseg.load`: it answers as `kseg.predict` does."""

import json
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused, tuples
from kseg.data.images import image_arrays
from kseg.deployment.metadata import FILE as ABOUT  # in assets.extra, which servers leave alone
from kseg.deployment.saved_model import versions
from kseg.models.contract import part
from kseg.prediction.predictor import ExportPredictor

TASKS = "kseg.deployment.saved_model"  # the room whose modules know the signatures


class SavedModelPredictor(ExportPredictor):
    """An exported SavedModel; TensorFlow runs it, whatever Keras' backend. It is `.model`.

    Attributes:
        told: What the export was told of the options of the model's task: dict by name. Objects of
            a score below its `min_score` are not in any answer.
        said: What of the model itself answers go by: dict by name.
    """

    tasks = TASKS

    def __init__(self, path):
        from kseg.base.tensorflow import tensorflow

        about = read_about(path)
        names = about["class_names"], about["colors"]
        task = part(TASKS, about["task"])
        score = about.get("score", "mean_iou")
        more = {name: tuples(about.get(name)) for name in ("value_range", "bands")}
        super().__init__(path, about["task"], *names, about["channels"], score, **more)
        self.told = {  # of what the export was told, what belongs to the task
            name: about["options"].get(name) for name in task.OPTIONS
        }
        self.said = {name: about.get(name, old) for name, old in task.OF_MODEL.items()}
        self.model = tensorflow().saved_model.load(str(path))
        self.signatures = self.model.signatures

    def predict(self, images, *, min_score=None, threshold=None):
        chosen = self.chosen(min_score=min_score, threshold=threshold)
        photos, several = image_arrays(images, self.channels, self.value_range)
        results = [self._answer(photo, chosen) for photo in photos]
        return results if several else results[0]

    def labels(self, images):
        outputs = self._outputs(images)
        size = images.shape[1:3]
        ids = part(TASKS, self.task).answer(outputs, size, **self.told, **self.said)
        return ids, outputs["scores"].astype(np.float32, copy=False)

    def detect(self, photos):
        for key, photo in photos:
            yield key, self._answer(photo, {**self.told, "min_score": 0.0}).in_runs()

    def _answer(self, image, chosen):
        outputs = {name: values[0] for name, values in self._outputs(image[None]).items()}
        return part(TASKS, self.task).answer(outputs, image.shape[:2], **chosen, **self.said)

    def _outputs(self, images):
        """The arrays of `serving_default`, of a batch `(B, H, W, C)`."""
        if "serving_default" not in self.signatures:
            raise ValueError(
                f"{str(self.path)!r} has no signature 'serving_default', which predict calls: "
                f"it has {sorted(self.signatures)}."
            )
        served = self.signatures["serving_default"]
        outputs = served(images=as_served(images, served))
        return {name: values.numpy() for name, values in outputs.items()}


def as_served(images, signature):
    """Images as a signature takes them, whose type is that of its input.

    Raises:
        ValueError: it takes integers, and these are none.
    """
    kind = signature.structured_input_signature[1]["images"].dtype.as_numpy_dtype
    if images.dtype.kind == "f" and np.dtype(kind).kind == "u" and (images % 1).any():
        expected = f"whole numbers, for this export takes {np.dtype(kind).name}"
        remedy = "Build the model with a value_range of floats, as (0.0, 10000.0), and export it."
        raise refused("image.dtype", str(images.dtype), expected, remedy)
    return images.astype(kind, copy=False)


def saved_model_folder(path):
    """The folder of a SavedModel: this one, or its highest version; None if there is none."""
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    return versions.latest(path) if versions.present(path) else None


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

"""TODO"""

import dataclasses

import numpy as np

from kseg.deployment.compare import Exported
from kseg.deployment.process import on_tensorflow
from kseg.deployment.saved_model import instance, semantic, versions, warmup
from kseg.deployment.saved_model import write as saved_model
from kseg.deployment.saved_model.predictor import SavedModelPredictor
from kseg.deployment.saved_model.signatures import ON_PHOTOS
from kseg.models.contract import is_instance
from kseg.prediction.predict import predict

WARM_SIDE = 64  # pixels of the photo in warm-up requests


def _saved_model(model, path, version, about, options, compared):
    with versions.new(path / about["name"], version) as (folder, final):
        on_tensorflow(
            saved_model.write,
            model,
            path=folder,
            about=about,
            options=dataclasses.asdict(options),
        )
        _warm_up(folder, about, options)
        of_model = {"min_score": options.min_score, "threshold": options.threshold}
        if not is_instance(model):
            of_model = {"resize": options.resize}
        rescored = compared(
            lambda image: predict(model, image, **of_model),
            SavedModelPredictor(folder).predict,
            "SavedModel",
            folder,
        )
    return Exported(final[0], "saved_model", rescored)


def _warm_up(folder, about, options):
    """A small photo for every signature, for TensorFlow Serving to replay."""
    from io import BytesIO

    from PIL import Image

    images = np.zeros((1, WARM_SIDE, WARM_SIDE, about["channels"]), np.uint8)
    photo = BytesIO()
    Image.fromarray(np.zeros((WARM_SIDE, WARM_SIDE, 3), np.uint8)).save(photo, "JPEG")
    inputs = {
        True: {"image_bytes": np.array([photo.getvalue()], object)},
        False: {"images": images},
    }
    requests = [(name, inputs[name in ON_PHOTOS]) for name in options.signatures]
    warmup.write(folder / "assets.extra", about["name"], requests)


def _about(model, name, class_names, colors):
    import keras

    from kseg.base.version import __version__

    return {
        "name": name,
        "task": "instance" if is_instance(model) else "semantic",
        "channels": 3 if is_instance(model) else model.inputs[0].shape[-1],
        "class_names": class_names,
        "colors": colors,
        "kseg": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }


def _signatures(model, asked):
    """Names of the signatures to export."""
    part = instance if is_instance(model) else semantic
    possible = (*part.DEFAULT, *part.OPTIONAL)
    if not is_instance(model) and model.inputs[0].shape[-1] != 3:
        possible = tuple(name for name in possible if name not in ON_PHOTOS)
    asked = tuple(name for name in part.DEFAULT if name in possible) if asked is None else asked
    for name in asked:
        if name not in possible:
            raise ValueError(
                f"signatures={tuple(asked)!r}: this model can have {', '.join(possible)}; "
                "those that take encoded photos need three channels."
            )
    if "serving_default" not in asked:
        raise ValueError(
            f"signatures={tuple(asked)!r}: expected 'serving_default' among them, by which the "
            "export is compared with the model."
        )
    return tuple(dict.fromkeys(asked))

"""LiteRT, once TensorFlow Lite: one file for phones and boards (https://ai.google.dev/edge/litert).

An artefact takes images of one size, one at a time.
"""

import dataclasses
import itertools
import re
import zipfile
from pathlib import Path

import numpy as np

from kseg.base.optional import import_package
from kseg.data.images import image_array
from kseg.deployment import metadata
from kseg.deployment.formats.network import NetworkOptions, export_network
from kseg.deployment.formats.shared import (
    INPUT,
    OUTPUT,
    check,
    checked_images,
    draft,
    fixed_shape,
    refusal,
    signature,
    uint8_model,
)
from kseg.deployment.options import documented
from kseg.models.contract import contract

CALIBRATION = 200  # images at most, of which the ranges for int8 are taken


@documented
@dataclasses.dataclass(frozen=True)
class LiteRTOptions(NetworkOptions):
    """LiteRT: one file that takes images of one size, one at a time; it needs a `shape`.

    float16 halves the weights in the file; int8 quarters them and computes in integers, whose
    ranges are taken from photos of the run's validation data, or of `source`.

    Example:

    >>> options = kseg.LiteRTOptions(shape=(64, 96), precision="float16")
    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> kseg.export(model, "small.tflite", options, samples=1, verbose=False).path
    PosixPath('small.tflite')
    """

    format = "litert"
    precisions = ("float32", "float16", "int8")
    suffix = ".tflite"


def export(job, path, options):
    """Exports a model to this format, compared with it: see `export_network`."""
    return export_network(job, path, options, write, Runtime, _one_size)


def write(model, path, *, shape=(None, None), precision="float32", samples=None, about=None):
    """Writes a semantic model as one LiteRT file for images of one size.

    Through `keras.Model.export`, with LiteRT's own operations only. Keras' backend must be
    TensorFlow.

    Args:
        model: A semantic `keras.Model` of kseg.
        path: The file to write, `.tflite`; an existing one is replaced.
        shape: `(H, W)` in pixels. Needed, unless the model itself is of one size.
        precision: `"float32"`; `"float16"` for weights of half the size; `"int8"` for weights of a
            quarter and integers inside: images stay uint8 and logits float32.
        samples: For "int8": images `(h, w, C)` of the kind that will come, of any sizes; 100 will
            do, and no more are taken. They are scaled to cover `shape` and cut to it.
        about: What the file says of itself, `kseg.deployment.metadata.about`. Default None:
            nothing.

    Raises:
        ValueError: an argument is out of its range, or LiteRT lacks an operation of the model.

    Example:

    >>> write(model, "unet.tflite", shape=(96, 128))
    >>> Runtime("unet.tflite").shape
    (96, 128)
    """
    options = check(model, LiteRTOptions(shape, precision))
    shape = _one_size(model, options.shape)
    own = contract(model)
    photos = []
    if precision == "int8":
        photos = [fitted(image, shape, own.channels, own.value_range) for image in _some(samples)]
    model = uint8_model(model, shape)
    with draft(path, "model.tflite") as made:
        try:
            model.export(
                made,
                format="litert",
                verbose=False,
                input_signature=signature(model, batch=1),
                **_conversion(precision, photos),
            )
        except Exception as error:  # the converter's own class is not public
            if lacking := re.findall(r"'tf\.(\w+)' op is neither", str(error)):
                raise refusal("litert", model, lacking) from error
            if precision == "int8" and "failed to prepare" in str(error):  # while calibrating
                raise ValueError(
                    f"precision='int8': LiteRT cannot calibrate model {model.name!r}: {error} "
                    "Use precision='float32' or 'float16'."
                ) from error
            raise
        if about is not None:
            with zipfile.ZipFile(made, "a") as behind:  # the interpreter reads the front alone
                behind.writestr(metadata.FILE, metadata.as_text(about))


def _one_size(model, shape):
    shape = fixed_shape(model, shape)
    if None in shape:
        raise ValueError(
            "LiteRT has no layer whose size is open, beginning with the model's input: give, for "
            "example, shape=(256, 320), or use format='onnx' for images of any size."
        )
    return shape


def _conversion(precision, photos):
    """What TensorFlow's converter is told: its attributes, as `keras.Model.export` takes them."""
    import tensorflow as tf

    if precision == "float32":
        return {"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}}
    attributes = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if precision == "float16":
        target = {
            "supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS],
            "supported_types": [tf.float16],
        }
    else:
        target = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}
        attributes["representative_dataset"] = lambda: ({INPUT: each[None]} for each in photos)
    return {**attributes, "target_spec": target}


def fitted(image, shape, channels, value_range=None):
    """An image `(h, w, C)` scaled to cover `(H, W)` and cut to its middle: `(H, W, C)`.

    It is uint8; float32 where the model has a `value_range`.
    """
    import tensorflow as tf

    image = image_array(image, channels, "an image of samples", value_range)
    scale = max(side / own for side, own in zip(shape, image.shape))
    size = [max(side, round(own * scale)) for side, own in zip(shape, image.shape)]
    image = tf.image.resize(image, size, antialias=True).numpy()
    top, left = ((own - side) // 2 for own, side in zip(size, shape))
    image = image[top : top + shape[0], left : left + shape[1]]
    return image if value_range else np.clip(np.rint(image), 0, 255).astype("uint8")


def _some(samples):
    photos = [] if samples is None else list(itertools.islice(samples, CALIBRATION))
    if not photos:
        raise ValueError(
            f"samples={samples!r}: precision='int8' takes the ranges of its numbers from images; "
            "give about 100, (height, width, channels), of the kind that will come."
        )
    return photos


class Runtime:
    """A LiteRT file in LiteRT's interpreter, on the CPU.

    Args:
        path: The file.

    Attributes:
        shape: `(H, W)` that images must have.
        about: As of an ONNX file's.

    Raises:
        ImportError: ai-edge-litert is not installed.
        FileNotFoundError: there is no such file.

    Example:

    >>> write(model, "unet.tflite", shape=(96, 128))
    >>> Runtime("unet.tflite")(np.zeros((3, 96, 128, 3), "uint8")).shape
    (3, 96, 128, 11)
    """

    def __init__(self, path):
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such LiteRT file.")
        litert = import_package("ai_edge_litert.interpreter", "litert", "format='litert'")
        self.about = metadata.from_text(_said(path), path)
        self.interpreter = litert.Interpreter(model_path=str(path))
        self.run = self.interpreter.get_signature_runner()
        _, *sides, self.channels = self.run.get_input_details()[INPUT]["shape"].tolist()
        self.shape = tuple(sides)
        self.kind = np.dtype(self.run.get_input_details()[INPUT]["dtype"]).name

    def __call__(self, images):
        """Photos, see `checked_images`, -> float32 logits `(B, H, W, K)`, one after the other."""
        images = checked_images(images, self.shape, self.channels, self.kind)
        return np.concatenate([self.run(**{INPUT: image[None]})[OUTPUT] for image in images])


def _said(path):
    """The text of `metadata.FILE` in the ZIP behind a network; None of a file without."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as behind:
        return behind.read(metadata.FILE).decode() if metadata.FILE in behind.namelist() else None

"""What the formats' writers share: the model as it is served, the checks before and after."""

import contextlib
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.data.images import image_array
from kseg.models.contract import contract, fixed_size, part

INPUT, OUTPUT = "images", "logits"


def check(model, options):
    """The options of a format, if this model can be written with them here and now.

    Raises:
        ValueError: it cannot.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"format={options.format!r} is written where Keras' backend is TensorFlow, and it is "
            f"{keras.backend.backend()!r}. Save the model and start with KERAS_BACKEND=tensorflow."
        )
    check_held(model, options)
    return options


def check_held(model, options):
    """Raises `ValueError` if the format cannot hold a model of this task."""
    task = part("kseg.deployment", model)
    if options.format not in task.HELD_BY:
        raise ValueError(
            f"format={options.format!r} cannot hold model {model.name!r}: {task.WHY_NOT}. "
            f"Use format={_listed(task.HELD_BY)}."
        )


def _listed(names):
    return ", ".join(map(repr, names))


def fixed_shape(model, shape):
    """`(H, W)` of the artefact: what is asked for, or what the model itself is fixed to."""
    own = fixed_size(model)
    for asked, given in zip(shape, own):
        if None not in (asked, given) and asked != given:
            raise ValueError(
                f"shape={shape!r}: the model was built for {own}. Give that, or build it with "
                "input_shape=(None, None, channels)."
            )
    return tuple(given if asked is None else asked for asked, given in zip(shape, own))


def uint8_model(model, shape):
    """The model from `images` of this `(H, W)` to `{"logits": ...}`, in float32.

    These are uint8; float32 where the model takes another range of numbers.
    """
    import keras

    from kseg.models.precision import in_float32

    own = contract(model)
    kind = "uint8" if own.value_range is None else "float32"
    images = keras.Input((*shape, own.channels), dtype=kind, name=INPUT)
    return keras.Model(images, {OUTPUT: in_float32(model)(images)}, name=model.name)


def signature(model, batch=None):
    """What `keras.Model.export` is told of the inputs of a served model."""
    import keras

    (images,) = model.inputs
    shape = (batch, *images.shape[1:])
    return [keras.layers.InputSpec(dtype=images.dtype, shape=shape, name=INPUT)]


@contextlib.contextmanager
def draft(path, name):
    """A path of this name in a temporary folder; what is there in the end is moved to `path`."""
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".kseg-") as folder:
        with warnings.catch_warnings():
            # Keras asks NumPy for a name that it no longer has, for the sake of an older tf2onnx
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            # TensorFlow's converter calibrates with TensorFlow's own interpreter
            warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated")
            yield Path(folder, name)
        Path(folder, name).replace(path)


def refusal(format, model, operations):
    """The `ValueError` for TensorFlow operations that a format lacks.

    Args:
        format: Its name.
        model: The served model.
        operations: Names of operations, as TensorFlow has them.
    """
    layers = _layers_with(model, operations)
    where = f" of layer {_listed(layers)}" if layers else ""
    return ValueError(
        f"format={format!r} has no {', '.join(sorted(set(operations)))}{where}. "
        "Use format='saved_model', or build the model without it."
    )


def _layers_with(model, operations):
    """Names of the layers whose operations these are, from the names of the graph's nodes."""
    import keras
    import tensorflow as tf

    from kseg.models.graph import layers_of

    names = {each.name for each in layers_of(model) if not isinstance(each, keras.Model)}
    (image,) = model.inputs
    spec = tf.TensorSpec(image.shape, image.dtype)
    graph = tf.function(model, autograph=False).get_concrete_function(spec).graph
    lacking = set()
    for node in graph.get_operations():
        if node.type in operations:
            for piece in node.name.split("/"):
                # the second call of a layer is named layer_1
                lacking |= {piece, re.sub(r"_\d+$", "", piece)} & names
    return sorted(lacking)


def checked_images(images, shape, channels, kind="uint8"):
    """The images as a runtime takes them: `(B, H, W, C)` of the artefact's shape and type.

    Args:
        images: Photos of one size: a list of what `kseg.predict` takes, or an array `(B, H, W)` or
            `(B, H, W, C)`. Their numbers and channels are read as there.
        shape, channels: Of the artefact; a side of None is any.
        kind: `"uint8"`; or `"float32"` of an artefact for another range of numbers, which it takes
            as they are.

    Raises:
        ValueError: they are not of the shape, or not the numbers of photos.
    """
    if not isinstance(images, (list, tuple)):
        images = np.asarray(images)
        if images.ndim < 3 or images.ndim == 3 and images.shape[-1] == channels:
            expected = f"a batch, (batch, height, width, {channels})"
            raise refused("images.shape", images.shape, expected, "Of one: images[None].")
    own = None if kind == "uint8" else (-np.inf, np.inf)
    photos = [image_array(each, channels, f"images[{i}]", own) for i, each in enumerate(images)]
    sizes = {photo.shape[:2] for photo in photos}
    if len(sizes) != 1:
        expected = "one or more photos, all of one size"
        raise refused("sizes of images", sorted(sizes), expected, "Give one after the other.")
    (size,) = sizes
    if any(fixed not in (None, side) for fixed, side in zip(shape, size)):
        expected = f"{shape}, for which it was written (None: any)"
        remedy = "Resize the images, or export with another shape."
        raise refused("height and width of images", size, expected, remedy)
    return np.stack(photos).astype(kind, copy=False)

"""Backbones of keras-cv and keras-hub, by the names `keras_cv:PRESET` and `keras_hub:PRESET`.

PRESET is what the package's own `from_preset` takes: a preset's name, which downloads, or a local
folder. Both packages take more than ten seconds to import, so they are imported when asked for.
"""

import importlib

import keras

from kseg.models.encoders.rebuild import adapted

PACKAGES = ("keras_cv", "keras_hub")


def encoder(name, weights, channels):
    """A preset's backbone, for images of `channels` channels.

    Args:
        name: `"keras_cv:PRESET"` or `"keras_hub:PRESET"`.
        weights: None for a random start, or `"imagenet"` for the weights that the preset brings.
        channels: Channels of the image; weights of the first convolution are adapted to it.

    Returns:
        `(model, (scale, offset))`: the model takes `image * scale + offset`.

    Raises:
        ImportError: the package is not installed.
        ValueError: `weights` is neither, or the preset cannot be loaded.
    """
    package, _, preset = name.partition(":")
    if weights not in (None, "imagenet"):
        raise ValueError(
            f"weights={weights!r} with encoder={name!r}: expected None, or 'imagenet' for the "
            "weights that the preset brings."
        )
    module = _imported(package, name)
    try:
        model = module.models.Backbone.from_preset(preset, load_weights=weights is not None)
    except Exception as error:  # each package, and its download client, raises its own kinds
        first = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"encoder={name!r}: {package} could not load this preset ({first}). It takes the name "
            "of one of its presets, which it downloads, or a local folder."
        ) from error
    if package == "keras_hub":
        scale, offset = _of_converter(module, preset)
    else:
        # keras-cv's networks take 0..1, unless they rescale by themselves
        kinds = (keras.layers.Rescaling, keras.layers.Normalization)
        inside = any(isinstance(layer, kinds) for layer in model.layers)
        scale, offset = (1.0 if inside else 1 / 255), 0.0
    if channels != 3:
        model = adapted(model, channels)
        scale, offset = (float(keras.ops.mean(value)) for value in (scale, offset))
    return model, (scale, offset)


def _of_converter(module, preset):
    """Scale and offset of the preset's own image converter; (1, 0) where it has none."""
    try:
        converter = module.layers.ImageConverter.from_preset(preset)
    except ValueError:
        return 1.0, 0.0
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    return tuple(v.tolist() if hasattr(v, "tolist") else v for v in (scale, offset))


def _imported(package, name):
    try:
        return importlib.import_module(package)
    except ImportError as error:
        extra = package.replace("_", "-")
        raise ImportError(
            f"encoder={name!r} needs the package {extra}: pip install 'kseg[{extra}]'. ({error})"
        ) from error

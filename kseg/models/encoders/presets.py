"""Backbones of keras-cv and keras-hub, by the names `keras_cv:PRESET` and `keras_hub:PRESET`.

PRESET is what the package's own `from_preset` takes: a preset's name, which downloads, or a local
folder. Both packages take more than ten seconds to import, so they are imported when asked for.
"""

import keras

from kseg.base.arguments import refused
from kseg.base.optional import import_package
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
        expected = f"None, or 'imagenet' for the weights that encoder={name!r} brings"
        raise refused("weights", weights, expected)
    module = import_package(package, package.replace("_", "-"), f"encoder={name!r}")
    try:
        model = module.models.Backbone.from_preset(preset, load_weights=weights is not None)
    except Exception as error:  # each package, and its download client, raises its own kinds
        first = str(error).strip().partition("\n")[0]
        expected = f"a preset that {package} can load: one of its names, or a local folder"
        raise refused("encoder", name, expected, f"It says: {first}") from error
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

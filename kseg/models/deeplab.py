"""DeepLabV3 and DeepLabV3+.

V3: Chen, Papandreou, Schroff, Adam, "Rethinking Atrous Convolution for Semantic Image
Segmentation", 2017 (arXiv:1706.05587), figure 5, as torchvision builds `deeplabv3_resnet50` and
`deeplabv3_resnet101`. With a ResNet-50 at output stride 8 and an image of H x W:

    encoder   layer4                             ceil(H/8) x ceil(W/8) x 2048
    ASPP      1x1; 3x3 at rates 12, 24, 36;
              image mean, 1x1                    ceil(H/8) x ceil(W/8) x 5 * 256
              1x1, dropout 0.5                   ceil(H/8) x ceil(W/8) x 256
    head      3x3; 1x1                           ceil(H/8) x ceil(W/8) x num_classes
    logits    bilinear                           H         x W         x num_classes

V3+: Chen, Zhu, Papandreou, Schroff, Adam, "Encoder-Decoder with Atrous Separable Convolution for
Semantic Image Segmentation", 2018 (arXiv:1802.02611), figure 2. At output stride 16, H and W
multiples of 32 (the image is padded inside the model):

    encoder   deepest feature                    H/16 x W/16 x 2048
    ASPP      as above, rates 6, 12, 18          H/16 x W/16 x 256
    decoder   bilinear                           H/4  x W/4  x 256
              + stride-4 feature through 1x1     H/4  x W/4  x 256 + 48
              3x3, 3x3                           H/4  x W/4  x 256
              1x1; bilinear                      H    x W    x num_classes

Every convolution but the last is followed by batch norm and ReLU.

Deviations. V3: the head's 3x3 convolution and the dropout are torchvision's, and so are the rates
12, 24, 36 at every output stride, where the paper halves them at 16. V3+: the encoder is a ResNet
unless another is given, where the paper's best is a modified Xception.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kseg.base.arguments import choice, integer, refused
from kseg.base.types import ImageShape, Model, PathLike, Range
from kseg.data.values import BYTE_RANGE, check_value_range
from kseg.models.arguments import check_arguments, check_deepest, check_strides
from kseg.models.blocks import (
    conv_norm_relu,
    logits_head,
    resized_logits,
    separable_conv_norm_relu,
)
from kseg.models.encoders import deepest_feature, encode
from kseg.models.finish import finished
from kseg.models.layers import Enlarge, PadToStride, ResizeLike, in_levels

RATES_V3 = (12, 24, 36)  # torchvision's at every output stride; the paper's at 8
RATES_V3PLUS = {16: (6, 12, 18), 8: (12, 24, 36)}  # by output stride: doubled as the stride halves
LOW_LEVEL_WIDTH = 48  # V3+, table 1
DROPOUT = 0.5


def build_deeplabv3(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "torchvision:resnet50",
    weights: PathLike | None = None,
    freeze: bool | int = False,
    output_stride: int = 8,
    rates: Sequence[int] = RATES_V3,
    width: int = 256,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "deeplabv3",
) -> Model:
    """Builds a DeepLabV3 for images of any size.

    Args:
        num_classes: Number of classes, >= 1. 1 builds a binary model with one sigmoid channel.
        input_shape: `(height, width, channels)` in pixels; None for any height or width.
        value_range: What black and white are in the images; another than 0..255 as the data's
            `Source` says it: `(0, 4095)` for 12 bits, `(0.0, 1.0)` for some floats.
        encoder: A name (`"torchvision:resnet50"`, `"resnet50"`, ...) or a Keras model.
        weights: Of a named encoder: None for a random start, `"imagenet"`, or a weights file.
            Weights of the whole model: `kseg.weights.torchvision.load(model, path)`.
        freeze: Whether the encoder's weights and statistics stay as they are in training.
        output_stride: The coarsest stride of the encoder: 8 as published, 16 or 32.
        rates: Dilations of the pyramid's three 3x3 convolutions.
        width: Channels of the pyramid and the head.
        multilabel: Whether a pixel may have several classes, each channel with a sigmoid of its
            own: labels are then 0, 1 or void of each class, `(B, H, W, C)`.
        compile: Whether to return a compiled model, ready for `fit`.
        name: Name of the model.

    Returns:
        `keras.Model` from RGB images `(B, H, W, C)`, uint8 or float, 0..255, to float32 logits
        `(B, H, W, num_classes)`. A torchvision encoder takes the image as it is; for any other
        the image is padded to a multiple of 32 inside the model and the logits are cut back.

    Raises:
        ValueError: an argument is out of its range, or the encoder does not end at
            `output_stride`.

    Example:

    >>> model = build_deeplabv3(num_classes=21, encoder="torchvision:resnet18", width=64)
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    shape = check_arguments(num_classes, input_shape)
    value_range = check_value_range(value_range)
    rates = _check_rates(rates)
    integer("width", width)
    image = keras.Input(shape, name="image")
    levels = in_levels(image, value_range)
    x, padded = deepest_feature(levels, encoder, weights, freeze, output_stride)
    x = atrous_pyramid(x, width, rates)
    x = conv_norm_relu(x, width, 3, name="decoder")
    logits = resized_logits(x, num_classes, padded, image)
    return finished(image, logits, multilabel=multilabel, compile=compile, name=name)


def build_deeplabv3plus(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "torchvision:resnet50",
    weights: PathLike | None = None,
    freeze: bool | int = False,
    output_stride: int = 16,
    rates: Sequence[int] | None = None,
    width: int = 256,
    separable: bool = False,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "deeplabv3plus",
) -> Model:
    """Builds a DeepLabV3+ for images of any size.

    Args:
        num_classes: Number of classes, >= 1. 1 builds a binary model with one sigmoid channel.
        input_shape: `(height, width, channels)` in pixels; None for any height or width.
        value_range: What black and white are in the images; another than 0..255 as the data's
            `Source` says it: `(0, 4095)` for 12 bits, `(0.0, 1.0)` for some floats.
        encoder: A name (`"torchvision:resnet50"`, `"mobilenetv2"`, ...) or a Keras model. It needs
            features at stride 4.
        weights: Of a named encoder: None for a random start, `"imagenet"`, or a weights file.
        freeze: Whether the encoder's weights and statistics stay as they are in training.
        output_stride: The coarsest stride of the encoder: 16, or 8 for finer, slower features.
        rates: Dilations of the pyramid's three 3x3 convolutions; None for (6, 12, 18) at stride
            16 and (12, 24, 36) at 8.
        width: Channels of the pyramid and the decoder; less is faster.
        separable: Whether 3x3 convolutions of the pyramid and the decoder are depthwise and then
            1x1, each with batch norm and ReLU: several times fewer operations (section 3.2).
        multilabel: Whether a pixel may have several classes, each channel with a sigmoid of its
            own: labels are then 0, 1 or void of each class, `(B, H, W, C)`.
        compile: Whether to return a compiled model, ready for `fit`.
        name: Name of the model.

    Returns:
        `keras.Model` from RGB images `(B, H, W, C)`, uint8 or float, 0..255, to float32 logits
        `(B, H, W, num_classes)`.

    Raises:
        ValueError: an argument is out of its range, or the encoder does not end at
            `output_stride` or has no features at stride 4.

    Example:

    >>> model = build_deeplabv3plus(num_classes=21, encoder="mobilenetv2", separable=True)
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    shape = check_arguments(num_classes, input_shape)
    value_range = check_value_range(value_range)
    choice("output_stride", output_stride, tuple(RATES_V3PLUS))
    rates = RATES_V3PLUS[output_stride] if rates is None else _check_rates(rates)
    integer("width", width)
    image = keras.Input(shape, name="image")
    levels = in_levels(image, value_range)
    x = PadToStride(32, dtype="float32", name="pad")(levels)
    features = encode(x, encoder, weights=weights, freeze=freeze, output_stride=output_stride)
    check_deepest(encoder, features, output_stride)
    check_strides(encoder, features, [4], "Use build_deeplabv3, which takes the deepest alone.")
    block = separable_conv_norm_relu if separable else conv_norm_relu
    x = atrous_pyramid(features[output_stride], width, rates, block=block)
    x = Enlarge(output_stride // 4, name="decoder_enlarge")(x)  # (B, H/4, W/4, width)
    low = conv_norm_relu(features[4], LOW_LEVEL_WIDTH, 1, name="decoder_low")
    x = keras.layers.Concatenate(name="decoder_skip")([x, low])  # (B, H/4, W/4, width + 48)
    x = block(x, width, 3, name="decoder1")
    x = block(x, width, 3, name="decoder2")
    logits = logits_head(x, num_classes, 4, like=image)
    return finished(image, logits, multilabel=multilabel, compile=compile, name=name)


def atrous_pyramid(x, width, rates, *, block=conv_norm_relu):
    """Atrous spatial pyramid pooling: 1x1, one 3x3 a rate and the image's mean, side by side.

    `(B, h, w, C)` -> `(B, h, w, width)`.
    """
    branches = [conv_norm_relu(x, width, 1, name="aspp_point")]
    for i, rate in enumerate(rates, start=1):
        branches.append(block(x, width, 3, dilation=rate, name=f"aspp_atrous{i}"))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)  # (B, 1, 1, C)
    mean = conv_norm_relu(mean, width, 1, name="aspp_mean")
    branches.append(ResizeLike(name="aspp_mean_resize")([mean, x]))
    x = keras.layers.Concatenate(name="aspp_concat")(branches)  # (B, h, w, 5 * width)
    x = conv_norm_relu(x, width, 1, name="aspp_project")
    return keras.layers.Dropout(DROPOUT, name="aspp_dropout")(x)


def _check_rates(rates):
    try:
        first, second, third = (integer("rates", rate) for rate in rates)
    except (TypeError, ValueError):
        raise refused("rates", rates, f"three integers >= 1, for example {RATES_V3}") from None
    return first, second, third

"""FCN with one small head on a dilated encoder, as torchvision builds `fcn_resnet50` and
`fcn_resnet101`, after Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic
Segmentation", 2014 (arXiv:1411.4038).

With a ResNet-50 at output stride 8 and an image of H x W:

    encoder   layer4           ceil(H/8) x ceil(W/8) x 2048
    head      3x3, ReLU        ceil(H/8) x ceil(W/8) x 512
              dropout 0.1, 1x1 ceil(H/8) x ceil(W/8) x num_classes
    logits    bilinear         H         x W         x num_classes

Deviations from the paper, torchvision's: no skip connections (`build_fcn8s` has them), the encoder
is dilated instead, and logits are enlarged bilinearly without a learned filter. From torchvision:
no auxiliary head on layer3.
"""

from __future__ import annotations

import keras

from kseg.base.arguments import integer
from kseg.base.types import ImageShape, Model, PathLike, Range
from kseg.data.values import BYTE_RANGE, check_value_range
from kseg.models.arguments import check_arguments
from kseg.models.blocks import conv_norm_relu, resized_logits
from kseg.models.encoders import deepest_feature
from kseg.models.finish import finished
from kseg.models.layers import in_levels

DROPOUT = 0.1


def build_fcn(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "torchvision:resnet50",
    weights: PathLike | None = None,
    freeze: bool | int = False,
    output_stride: int = 8,
    width: int | None = None,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "fcn",
) -> Model:
    """Builds an FCN with torchvision's head for images of any size.

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
        width: Channels of the head; None for a quarter of the encoder's, as published.
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

    >>> model = build_fcn(num_classes=21, encoder="torchvision:resnet18")
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    shape = check_arguments(num_classes, input_shape)
    value_range = check_value_range(value_range)
    if width is not None:
        integer("width", width)
    image = keras.Input(shape, name="image")
    levels = in_levels(image, value_range)
    x, padded = deepest_feature(levels, encoder, weights, freeze, output_stride)
    x = conv_norm_relu(x, width or max(1, x.shape[-1] // 4), 3, name="fcn")
    x = keras.layers.Dropout(DROPOUT, name="dropout")(x)
    logits = resized_logits(x, num_classes, padded, image)
    return finished(image, logits, multilabel=multilabel, compile=compile, name=name)

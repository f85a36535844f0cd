"""Blocks that two or more models use: normalised convolutions, padding to the stride, the head.

Axes: B batch, H and W rows and columns of the photo, C channels.
"""

import keras

from kseg.models.arguments import OUTPUT_STRIDES, check_deepest, check_output_stride
from kseg.models.convolutions import DepthwiseConv2D, PointwiseConv2D
from kseg.models.encoders import encode
from kseg.models.layers import BATCH_NORM, CropLike, Enlarge, PadToStride, ResizeLike


def convolutions(x, filters, *, count=2, batch_norm=True, name):
    """`count` times 3x3 convolution, batch norm, ReLU; keeps H and W."""
    for i in range(1, count + 1):
        x = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=not batch_norm,
            kernel_initializer="he_normal",
            name=f"{name}_conv{i}",
        )(x)
        if batch_norm:
            x = keras.layers.BatchNormalization(**BATCH_NORM, name=f"{name}_norm{i}")(x)
        x = keras.layers.ReLU(name=f"{name}_relu{i}")(x)
    return x  # (B, H, W, filters)


def logits_head(x, num_classes, stride, like):
    """1x1 convolution to class logits, enlarged by `stride` and cut to the photo's size.

    Float32 under every dtype policy.
    """
    x = keras.layers.Conv2D(num_classes, 1, dtype="float32", name="head")(x)
    if stride > 1:
        x = Enlarge(stride, dtype="float32", name="enlarge")(x)
    return CropLike(dtype="float32", name="logits")([x, like])  # (B, H, W, num_classes)


def separable_conv_norm_relu(x, filters, kernel, *, dilation=1, name):
    """Depthwise convolution, batch norm, ReLU, then 1x1 convolution, batch norm, ReLU."""
    x = DepthwiseConv2D(
        kernel,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        # each filter sees one channel: 9 values in and out, not the 9 * C of "he_normal"
        depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
        name=f"{name}_depthwise_conv",
    )(x)
    x = keras.layers.BatchNormalization(**BATCH_NORM, name=f"{name}_depthwise_norm")(x)
    x = keras.layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return conv_norm_relu(x, filters, 1, name=name)  # (B, H, W, filters)


def deepest_feature(image, encoder, weights, freeze, output_stride):
    """The encoder's feature at `output_stride`, and the image it was given.

    torchvision's networks round every size up, so they take any; others want multiples of 32.

    Returns:
        `(B, ceil(H' / output_stride), ceil(W' / output_stride), C)` and `(B, H', W', C)`.
    """
    check_output_stride(output_stride, OUTPUT_STRIDES)
    padded = image
    if not (isinstance(encoder, str) and encoder.startswith("torchvision:")):
        padded = PadToStride(32, dtype="float32", name="pad")(image)
    features = encode(padded, encoder, weights=weights, freeze=freeze, output_stride=output_stride)
    check_deepest(features, encoder, output_stride)
    return features[output_stride], padded


def resized_logits(x, num_classes, padded, image):
    """1x1 convolution to class logits, resized to `padded` and cut back to `image`; float32."""
    x = PointwiseConv2D(num_classes, 1, dtype="float32", name="head")(x)
    if padded is image:
        return ResizeLike(dtype="float32", name="logits")([x, image])  # (B, H, W, num_classes)
    x = ResizeLike(dtype="float32", name="resize")([x, padded])  # (B, H', W', num_classes)
    return CropLike(dtype="float32", name="logits")([x, image])  # (B, H, W, num_classes)


def conv_norm_relu(x, filters, kernel, *, dilation=1, name):
    """Convolution that keeps H and W, batch norm, ReLU."""
    layer = PointwiseConv2D if kernel == 1 else keras.layers.Conv2D
    x = layer(
        filters,
        kernel,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = keras.layers.BatchNormalization(**BATCH_NORM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)  # (B, H, W, filters)

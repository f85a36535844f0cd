"""Blocks that two or more networks use: normalised convolutions and the heads of class logits.

Axes: B batch, H and W rows and columns of the photo, C channels.
"""

import keras

from kseg.models.convolutions import Conv2D, DepthwiseConv2D, PointwiseConv2D, UpConv2D
from kseg.models.layers import BATCH_NORM, CropLike, Enlarge, ResizeLike
from kseg.models.normalization import BatchNormalization

DETAIL_WIDTH = 64  # channels: more than the 48 numbers of a patch of 4 x 4 colours


def conv_norm_relu(
    x,
    filters,
    kernel,
    *,
    strides=1,
    padding="same",
    dilation=1,
    norm=BATCH_NORM,
    activation=keras.layers.ReLU,
    initializer="he_normal",
    name=None,
    names=None,
):
    """Convolution, batch norm, ReLU: the one block that every network here is made of.

    Args:
        x: `(B, H, W, C)`.
        filters: Channels of the result.
        kernel: Its side.
        strides, padding, dilation: As of `keras.layers.Conv2D`.
        norm: Arguments of the batch norm; None for none, and a bias in its place.
        activation: Function of a `name` to a layer; None for none.
        initializer: Of the kernel.
        name: Prefix of the layers' names: `NAME_conv`, `NAME_norm`, `NAME_relu`.
        names: The three names, in place of `name`.

    Returns:
        `(B, H / strides, W / strides, filters)`.
    """
    conv, *after = names or layer_names(name)
    layer = PointwiseConv2D if kernel == 1 else Conv2D
    x = layer(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        use_bias=norm is None,
        kernel_initializer=initializer,
        name=conv,
    )(x)
    return norm_relu(x, norm, activation, *after)


def depthwise_norm_relu(
    x,
    kernel,
    *,
    strides=1,
    dilation=1,
    norm=BATCH_NORM,
    activation=keras.layers.ReLU,
    initializer="glorot_uniform",
    name=None,
    names=None,
):
    """As `conv_norm_relu`, each channel convolved by itself: `(B, H, W, C)` keeps its C."""
    conv, *after = names or layer_names(name)
    x = DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        dilation_rate=dilation,
        use_bias=norm is None,
        depthwise_initializer=initializer,
        name=conv,
    )(x)
    return norm_relu(x, norm, activation, *after)


def norm_relu(x, norm, activation, norm_name, activation_name):
    """What follows a convolution; see `conv_norm_relu`."""
    if norm is not None:
        x = BatchNormalization(**norm, name=norm_name)(x)
    return x if activation is None else activation(name=activation_name)(x)


def layer_names(name, number=""):
    """Names of a block's three layers.

    >>> layer_names("down1", 2)
    ('down1_conv2', 'down1_norm2', 'down1_relu2')
    """
    return tuple(f"{name}_{part}{number}" for part in ("conv", "norm", "relu"))


def convolutions(x, filters, *, count=2, batch_norm=True, name):
    """`count` times 3x3 convolution, batch norm, ReLU; keeps H and W."""
    for number in range(1, count + 1):
        norm = BATCH_NORM if batch_norm else None
        x = conv_norm_relu(x, filters, 3, norm=norm, names=layer_names(name, number))
    return x  # (B, H, W, filters)


def separable_conv_norm_relu(x, filters, kernel, *, dilation=1, name):
    """Depthwise convolution, batch norm, ReLU, then 1x1 convolution, batch norm, ReLU."""
    # each filter sees one channel: 9 values in and out, not the 9 * C of "he_normal"
    initializer = keras.initializers.VarianceScaling(2.0, mode="fan_out")
    depthwise = f"{name}_depthwise"
    x = depthwise_norm_relu(x, kernel, dilation=dilation, initializer=initializer, name=depthwise)
    return conv_norm_relu(x, filters, 1, name=name)  # (B, H, W, filters)


def logits_head(x, num_classes, stride, like):
    """1x1 convolution to class logits, enlarged by `stride` and cut to the photo's size.

    Float32 under every dtype policy.
    """
    x = Conv2D(num_classes, 1, dtype="float32", name="head")(x)
    if stride > 1:
        x = Enlarge(stride, dtype="float32", name="enlarge")(x)
    return CropLike(dtype="float32", name="logits")([x, like])  # (B, H, W, num_classes)


def detail_head(x, pixels, num_classes, stride, like):
    """Class logits of every pixel: those of the features, enlarged, and what the pixels add.

    A patch of stride x stride pixels becomes a vector and joins the features; what is decided there
    becomes a patch again, by a learned kernel for each of its pixels: the sub-pixel convolution of
    Shi et al. 2016 (arXiv:1609.05158). It is added to `logits_head`, and begins next to zero.
    Nothing is computed at the photo's own resolution but the logits, so it costs a fraction of what
    convolutions there would.

    Args:
        x: Features `(B, H' / stride, W' / stride, C)`.
        pixels: The normalised image `(B, H', W', channels)`, padded to the stride.
        num_classes: Channels of the logits.
        stride: Of the features.
        like: The image `(B, H, W, channels)`, to whose size the logits are cut.

    Returns:
        `(B, H, W, num_classes)`, float32 under every dtype policy.
    """
    coarse = Conv2D(num_classes, 1, dtype="float32", name="head")(x)
    coarse = Enlarge(stride, dtype="float32", name="enlarge")(coarse)
    patches = conv_norm_relu(pixels, DETAIL_WIDTH, stride, strides=stride, name="detail_patches")
    x = keras.layers.Concatenate(name="detail_skip")([x, patches])
    x = conv_norm_relu(x, DETAIL_WIDTH, 3, name="detail")  # (B, H' / stride, W' / stride, 64)
    fine = UpConv2D(
        num_classes,
        stride,
        strides=stride,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3),
        dtype="float32",
        name="detail_head",
    )(x)
    x = keras.layers.Add(dtype="float32", name="detail_add")([coarse, fine])
    return CropLike(dtype="float32", name="logits")([x, like])  # (B, H, W, num_classes)


def resized_logits(x, num_classes, padded, image):
    """1x1 convolution to class logits, resized to `padded` and cut back to `image`; float32."""
    x = PointwiseConv2D(num_classes, 1, dtype="float32", name="head")(x)
    if padded is image:
        return ResizeLike(dtype="float32", name="logits")([x, image])  # (B, H, W, num_classes)
    x = ResizeLike(dtype="float32", name="resize")([x, padded])  # (B, H', W', num_classes)
    return CropLike(dtype="float32", name="logits")([x, image])  # (B, H, W, num_classes)

"""ResNet in torchvision's layout: He, Zhang, Ren, Sun, "Deep Residual Learning for Image
Recognition", 2015 (arXiv:1512.03385), table 1, as torchvision builds and publishes it.

    stage                              H x W    channels (18, 34 | 50, 101, 152)
    conv1    7x7, stride 2             /2       64
    layer1   3x3 max pool, blocks      /4       64  | 256
    layer2   blocks                    /8       128 | 512
    layer3   blocks                    /16      256 | 1024
    layer4   blocks                    /32      512 | 2048

A size that a stride does not divide is rounded up: H / s means ceil(H / s), down to one pixel.

Deviations from the paper, all of them torchvision's: in the bottleneck the stride sits in the 3x3
convolution ("v1.5") and not in the first 1x1. Dilated by `rebuild.rebuilt`, the network is what
torchvision's `replace_stride_with_dilation` makes of it: the first block of a stage that loses its
stride has the dilation of the stage before it.

Layers carry the names of torchvision's parameters with underscores for dots (`layer1.0.conv1` is
`layer1_0_conv1`), which is all that `kseg.weights.torchvision` needs to know.
"""

import keras

from kseg.base.arguments import choice, integer
from kseg.models.blocks import conv_norm_relu
from kseg.models.convolutions import MaxPooling2D

# depth -> (blocks in layer1 to layer4, 3x3 blocks or bottlenecks): table 1
BLOCKS = {
    18: ((2, 2, 2, 2), "basic"),
    34: ((3, 4, 6, 3), "basic"),
    50: ((3, 4, 6, 3), "bottleneck"),
    101: ((3, 4, 23, 3), "bottleneck"),
    152: ((3, 8, 36, 3), "bottleneck"),
}

EXPANSION = {"basic": 1, "bottleneck": 4}


def build_resnet(depth, *, input_shape=(None, None, 3), width=64, name=None):
    """Builds the trunk of a ResNet, without its classifier, as a Keras model.

    Args:
        depth: 18, 34, 50, 101 or 152.
        input_shape: `(height, width, channels)` in pixels; None for any height or width.
        width: Channels of the stem, 64 in every published model.
        name: Name of the model; None for `"resnet50"` and so on.

    Returns:
        `keras.Model` from normalised images `(B, H, W, C)` (see `kseg.models.encoders` for the
        mean and deviation) to a dict of `"conv1"`, `"layer1"`, ... `"layer4"` and their features.

    Raises:
        ValueError: `depth` or `width` is not one of these.

    Example:

    >>> model = build_resnet(50)
    >>> model.compute_output_shape((1, 65, 97, 3))["layer4"]
    (1, 3, 4, 2048)
    """
    image = keras.Input(input_shape)
    stages = resnet(image, depth, width=width)
    return keras.Model(image, stages, name=name or f"resnet{depth}")


def resnet(x, depth, *, width=64):
    """Applies a ResNet trunk to a normalised image; arguments and errors as of `build_resnet`.

    Returns:
        dict of stage name -> tensor `(B, H / stride, W / stride, channels)`.
    """
    choice("depth", depth, tuple(BLOCKS))
    integer("width", width)
    counts, kind = BLOCKS[depth]
    x = _convolution(x, width, 7, stride=2, names=("conv1", "bn1", "relu"))
    stages = {"conv1": x}  # (B, H/2, W/2, width)
    # Zeros serve as well as the -inf of torchvision's padding: after ReLU nothing is below them,
    # and every window holds at least one real value.
    x = keras.layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = MaxPooling2D(3, strides=2, padding="valid", name="maxpool")(x)

    for stage, count in enumerate(counts, start=1):
        for block in range(count):
            x = _block(
                x,
                width * 2 ** (stage - 1),
                kind,
                stride=2 if stage > 1 and block == 0 else 1,
                name=f"layer{stage}_{block}",
            )
        stages[f"layer{stage}"] = x  # (B, H/2^(stage+1), W/..., expansion * width * 2^(stage-1))
    return stages


def _block(x, width, kind, *, stride, name):
    """A residual block: 3x3, 3x3, or 1x1, 3x3, 1x1, added to its input (figure 5)."""
    channels = EXPANSION[kind] * width
    kernels = {"basic": (3, 3), "bottleneck": (1, 3, 1)}[kind]
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        names = (f"{name}_downsample_0", f"{name}_downsample_1", None)
        shortcut = _convolution(x, channels, 1, stride=stride, names=names)
    strided = kernels.index(3)  # the first 3x3
    for i, kernel in enumerate(kernels, start=1):
        last = i == len(kernels)  # its ReLU follows the sum
        x = _convolution(
            x,
            channels if last else width,
            kernel,
            stride=stride if i - 1 == strided else 1,
            names=(f"{name}_conv{i}", f"{name}_bn{i}", None if last else f"{name}_relu{i}"),
        )
    x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu")(x)  # (B, ceil(H/stride), ceil(W/stride), ...)


def _convolution(x, filters, kernel, *, names, stride=1):
    """Convolution padded by half its kernel on every side, batch norm, and ReLU if it has a name.

    Args:
        x: `(B, H, W, C)`.
        filters, kernel, stride: Of the convolution.
        names: Of the three layers; None for no ReLU.
    """
    conv, _, relu = names
    padding = "same"
    if stride > 1:
        # Keras' "same" at stride 2 pads one pixel more at the bottom and right than at the top and
        # left, or none there, by the parity of the size; at stride 1 it is symmetric.
        padding = "valid"
        if kernel > 1:
            x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{conv}_pad")(x)
    return conv_norm_relu(
        x,
        filters,
        kernel,
        strides=stride,
        padding=padding,
        activation=keras.layers.ReLU if relu else None,
        initializer=keras.initializers.VarianceScaling(
            2.0, mode="fan_out", distribution="untruncated_normal"
        ),
        names=names,
    )

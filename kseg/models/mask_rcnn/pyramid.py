"""Feature pyramid: Lin, Dollar, Girshick, He, Hariharan, Belongie, "Feature Pyramid Networks for
Object Detection", 2016 (arXiv:1612.03144), figure 3.

    level   stride   made of
    P5      32       1x1(C5)                then 3x3
    P4      16       1x1(C4) + enlarged     then 3x3
    P3      8        1x1(C3) + enlarged     then 3x3
    P2      4        1x1(C2) + enlarged     then 3x3
    pool    64       every second pixel of P5: for the largest anchors only

No batch norm and no activation, as torchvision builds it.
"""

import keras

from kseg.models.convolutions import Conv2D, MaxPooling2D, PointwiseConv2D
from kseg.models.layers import Enlarge

STRIDES = (4, 8, 16, 32)


def feature_pyramid(features, width):
    """Joins the features of an encoder into maps of equal width.

    Args:
        features: dict of stride -> `(B, H / stride, W / stride, C)`, of `encode`; H and W
            multiples of 32.
        width: Channels of every level.

    Returns:
        List of P2, P3, P4, P5 and the pooled level, `(B, H / stride, W / stride, width)`.
    """
    laterals = [
        PointwiseConv2D(
            width, 1, kernel_initializer=_initializer(), name=f"fpn_inner_blocks_{level}"
        )(features[stride])
        for level, stride in enumerate(STRIDES)
    ]
    inner, levels = None, {}
    for level in reversed(range(len(STRIDES))):
        if inner is None:
            inner = laterals[level]
        else:
            inner = Enlarge(2, "nearest", name=f"fpn_enlarge_{level}")(inner)
            inner = keras.layers.Add(name=f"fpn_add_{level}")([laterals[level], inner])
        levels[level] = Conv2D(
            width,
            3,
            padding="same",
            kernel_initializer=_initializer(),
            name=f"fpn_layer_blocks_{level}",
        )(inner)
    pooled = MaxPooling2D(1, strides=2, name="fpn_pool")(levels[len(STRIDES) - 1])
    return [levels[level] for level in range(len(STRIDES))] + [pooled]


def _initializer():
    """PyTorch's kaiming_uniform(a=1): variance 1 / fan_in."""
    return keras.initializers.VarianceScaling(1.0, mode="fan_in", distribution="uniform")

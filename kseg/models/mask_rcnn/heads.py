"""The three heads of Mask R-CNN (He et al. 2017, figure 4, right; Ren et al. 2015, section 3.1).

    region proposals, on every level     3x3 + ReLU, then 1x1 to A scores and 4 A deltas
    box, of 7x7 regions                  two dense layers + ReLU, then classes and 4 deltas a class
    mask, of 14x14 regions               3x3 + ReLU four times, 2x2 up-convolution, 1x1 to classes

Class 0 of the box and mask heads is the background, as in torchvision; class c of a `Source` is
their class c + 1. Scores and deltas are float32 under every dtype policy.
"""

import keras

from kseg.models.convolutions import Conv2D, PatchConv2D, PointwiseConv2D, UpConv2D

REGION, MASK_REGION = 7, 14  # rows and columns of a region's features
MASK_CONVS = 4


class RegionProposalHead:
    """Scores and deltas of the anchors of each level; all levels share the weights.

    Args:
        width: Channels of the features.
        count: A, anchors a cell.

    Calling it with `(B, h, w, width)` gives `(B, h, w, A)` logits of "an object" and
    `(B, h, w, 4 * A)` deltas.
    """

    def __init__(self, width, count):
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.conv = Conv2D(
            width,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=small,
            name="rpn_head_conv",
        )
        options = {"dtype": "float32", "kernel_initializer": small}
        self.logits = PointwiseConv2D(count, 1, name="rpn_head_cls_logits", **options)
        self.deltas = PointwiseConv2D(4 * count, 1, name="rpn_head_bbox_pred", **options)

    def __call__(self, feature):
        x = self.conv(feature)
        return self.logits(x), self.deltas(x)


def build_box_head(num_classes, channels, width):
    """Regions `(N, 7, 7, channels)` -> logits `(N, num_classes + 1)` and deltas
    `(N, num_classes + 1, 4)`.

    Args:
        num_classes: Classes without the background.
        channels: Of the features.
        width: Of the two dense layers.

    Returns:
        `keras.Model`.
    """
    region = keras.Input((REGION, REGION, channels), name="region")
    x = keras.layers.Flatten(name="flatten")(region)
    for name in ("box_head_fc6", "box_head_fc7"):
        x = keras.layers.Dense(width, "relu", kernel_initializer="he_uniform", name=name)(x)
    classes = num_classes + 1
    logits = keras.layers.Dense(
        classes,
        dtype="float32",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name="box_predictor_cls_score",
    )(x)
    deltas = keras.layers.Dense(
        classes * 4,
        dtype="float32",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        name="box_predictor_bbox_pred",
    )(x)
    deltas = keras.layers.Reshape((classes, 4), dtype="float32", name="deltas")(deltas)
    return keras.Model(region, [logits, deltas], name="box_head")


def build_mask_head(num_classes, channels, width):
    """Regions `(N, 14, 14, channels)` -> logits `(N, 28, 28, num_classes + 1)`.

    Args:
        num_classes, channels: As of `build_box_head`.
        width: Channels of the convolutions.

    Returns:
        `keras.Model`.
    """
    region = keras.Input((MASK_REGION, MASK_REGION, channels), name="region")
    he = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")
    x = region
    for number in range(1, MASK_CONVS + 1):
        x = PatchConv2D(
            width,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=he,
            name=f"mask_head_mask_fcn{number}",
        )(x)
    x = UpConv2D(
        width,
        2,
        strides=2,
        activation="relu",
        kernel_initializer=he,
        name="mask_predictor_conv5_mask",
    )(x)
    logits = PointwiseConv2D(
        num_classes + 1,
        1,
        dtype="float32",
        kernel_initializer=he,
        name="mask_predictor_mask_fcn_logits",
    )(x)
    return keras.Model(region, logits, name="mask_head")

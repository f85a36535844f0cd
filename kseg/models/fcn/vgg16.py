"""VGG16 turned fully convolutional: the trunk of the FCN paper (Long et al. 2015, section 3.1).

At `width=64`, `fc_width=4096` and an image of H x W, padded to a multiple of 32:

    layers               size           channels
    conv1_1, conv1_2     H    x W       64
    conv2_1, conv2_2     H/2  x W/2     128
    conv3_1 .. conv3_3   H/4  x W/4     256    -> pool3  H/8  x W/8
    conv4_1 .. conv4_3   H/8  x W/8     512    -> pool4  H/16 x W/16
    conv5_1 .. conv5_3   H/16 x W/16    512    -> pool5  H/32 x W/32
    fc6 (7x7), fc7 (1x1) H/32 x W/32    4096

Layers carry the names of the original network, so that weights can be carried over by
name (`surgery.py`).
"""

import keras
from keras import ops

from kseg.models.convolutions import Conv2D, MaxPooling2D
from kseg.models.layers import Normalize

CONVOLUTIONS = (2, 2, 3, 3, 3)  # of each stage; 2x2 max pooling follows each stage
MULTIPLES = (1, 2, 4, 8, 8)  # of `width`, the channels of each stage
FC_WIDTH = 4096
FC_KERNEL = 7  # fc6 saw the whole 7x7 map of a 224x224 image

# Of `keras.applications`, on which its ImageNet weights were trained. The original network used
# (104.00699, 116.66877, 122.67892): less than one grey level away on the average photo.
MEAN_BGR = (103.939, 116.779, 123.68)
PAPER_BORDER = 100  # zeros around the photo in the original network


def vgg16(image, *, width, fc_width, dropout, freeze, padding):
    """The trunk on an image tensor.

    Args:
        image: Keras tensor `(B, H, W, C)`, RGB 0..255; with "same", H and W multiples of 32.
        width: Channels of the first stage, 64 in the paper.
        fc_width: Channels of fc6 and fc7, 4096 in the paper.
        dropout: Share of the channels dropped after fc6 and fc7, 0.5 in the paper.
        freeze: Whether the thirteen convolutions (not fc6 and fc7) keep their weights.
        padding: "same", or "paper" for 100 zeros around the photo and a fc6 without padding.

    Returns:
        dict of stride -> Keras tensor: 8 is pool3, 16 is pool4, 32 is fc7. Their sizes are
        H / stride with "same"; with "paper", ceil((H + 198) / stride), and 6 less at stride 32.
    """
    channels = image.shape[-1]
    if channels == 3:
        image = ops.flip(image, axis=-1)  # RGB -> BGR
        mean = MEAN_BGR
    else:
        mean = (sum(MEAN_BGR) / 3,) * channels
    x = Normalize(1.0, [-m for m in mean], name="preprocessing")(image)
    if padding == "paper":
        x = keras.layers.ZeroPadding2D(PAPER_BORDER, name="border")(x)  # (B, H + 200, W + 200, C)
    pools = {}
    for stage, (count, multiple) in enumerate(zip(CONVOLUTIONS, MULTIPLES), start=1):
        for i in range(1, count + 1):
            # the border of "paper" already holds what conv1_1 would pad
            inside = padding == "paper" and (stage, i) == (1, 1)
            x = Conv2D(
                width * multiple,
                3,
                padding="valid" if inside else "same",
                activation="relu",
                kernel_initializer="he_normal",
                trainable=not freeze,
                name=f"conv{stage}_{i}",
            )(x)
        # "same" pooling keeps the odd last row and column, as Caffe's, which rounds sizes up
        x = MaxPooling2D(2, padding="same", name=f"pool{stage}")(x)
        pools[2**stage] = x
    x = fully_connected(x, fc_width, dropout, "valid" if padding == "paper" else "same")
    return {8: pools[8], 16: pools[16], 32: x}


def fully_connected(x, fc_width, dropout, padding):
    """fc6 and fc7 as convolutions of 7x7 and 1x1, each with ReLU and dropout."""
    for name, size in (("fc6", FC_KERNEL), ("fc7", 1)):
        x = Conv2D(
            fc_width,
            size,
            padding=padding,
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )(x)
        x = keras.layers.Dropout(dropout, name=f"drop{name[-1]}")(x)
    return x  # (B, H / 32, W / 32, fc_width), 6 rows and columns less if "valid"

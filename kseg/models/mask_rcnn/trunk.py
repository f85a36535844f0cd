"""What the heads of a Mask R-CNN stand on: encoder, feature pyramid and region proposals."""

import keras

from kseg.models.arguments import check_strides
from kseg.models.encoders import encode
from kseg.models.layers import PadWithZeros, in_levels
from kseg.models.mask_rcnn.heads import RegionProposalHead
from kseg.models.mask_rcnn.pyramid import STRIDES, feature_pyramid

STRIDE = 32  # to which images are padded: that of C5


def build_trunk(shape, value_range, encoder, weights, freeze, width, anchors):
    """Image and valid size -> the pyramid's features, and logits and deltas of every anchor."""
    image = keras.Input(shape, name="image")
    size = keras.Input((2,), dtype="int32", name="size")
    padded = PadWithZeros(STRIDE, dtype="float32", name="pad")(in_levels(image, value_range))
    features = encode(padded, encoder, weights=weights, freeze=freeze, size=size)
    check_strides(encoder, features, STRIDES)
    levels = feature_pyramid(features, width)
    head = RegionProposalHead(width, anchors)
    logits, deltas = zip(*(head(level) for level in levels))
    outputs = {"features": levels, "logits": list(logits), "deltas": list(deltas)}
    return keras.Model([image, size], outputs, name="trunk")

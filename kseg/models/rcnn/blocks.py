"""Layers that only the instance models use."""

import keras
from keras import ops

from kseg.models.blocks import PadToStride


@keras.saving.register_keras_serializable(package="kseg")
class PadWithZeros(PadToStride):
    """`kseg.models.blocks.PadToStride` with zeros in place of the mirrored image.

    A batch of images of several sizes is padded anyway, and torchvision's networks know zeros.
    """

    def call(self, x):
        _, height, width, _ = ops.shape(x)
        more = [[0, -height % self.stride], [0, -width % self.stride]]
        return ops.pad(x, [[0, 0], *more, [0, 0]])

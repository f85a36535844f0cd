"""Layers that only the instance models use."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseg")
class PadWithZeros(keras.layers.Layer):
    """Extends H and W at the bottom and right with zeros to the next multiple of `stride`.

    (Semantic models mirror the image instead: `kseg.models.blocks.PadToStride`. Here a batch of
    images of several sizes is padded anyway, and torchvision's networks know zeros.)

    Args:
        stride: Positive integer.

    Shapes: `(B, H, W, C)` -> `(B, ceil(H / stride) * stride, ceil(W / stride) * stride, C)`.
    """

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x):
        _, height, width, _ = ops.shape(x)
        more = [[0, -height % self.stride], [0, -width % self.stride]]
        return ops.pad(x, [[0, 0], *more, [0, 0]])

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        sides = [s if s is None else -(-s // self.stride) * self.stride for s in sides]
        return (batch, *sides, channels)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}

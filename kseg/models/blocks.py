"""Blocks that two or more models use: normalised convolutions, padding to the stride, the head.

Axes: B batch, H and W rows and columns of the photo, C channels.
"""

import keras
from keras import ops

# Keras' own default of 0.99 needs thousands of steps before evaluation sees settled statistics;
# 0.9 with epsilon 1e-5 are the values of the PyTorch recipes that results are compared with.
BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}


@keras.saving.register_keras_serializable(package="kseg")
class PadToStride(keras.layers.Layer):
    """Extends H and W at the bottom and right to the next multiple of `stride`.

    The new rows and columns mirror the image (...3 2 1 | 1 2 3...), which suits a photo better
    than a black margin and is defined for every size down to one pixel. An image that fits
    already passes through untouched.

    Args:
        stride: Positive integer, the total stride of the network.

    Shapes: `(B, H, W, C)` -> `(B, ceil(H / stride) * stride, ceil(W / stride) * stride, C)`.

    Example:

    >>> PadToStride(16)(keras.ops.zeros((1, 97, 131, 3))).shape
    (1, 112, 144, 3)
    """

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x):
        for axis in (1, 2):
            x = self._extend(x, axis)
        return x

    def _extend(self, x, axis):
        size = ops.shape(x)[axis]  # an int, or a scalar tensor in a TensorFlow graph
        if isinstance(size, int) and size % self.stride == 0:
            return x
        index = ops.arange(-(-size // self.stride) * self.stride, dtype="int32")
        index = index % (2 * size)
        return ops.take(x, ops.minimum(index, 2 * size - 1 - index), axis=axis)

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        sides = [s if s is None else -(-s // self.stride) * self.stride for s in sides]
        return (batch, *sides, channels)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(package="kseg")
class Normalize(keras.layers.Layer):
    """`image * scale + offset`, in float32 under every policy, of uint8 or float images.

    In bfloat16, with 8 bits of mantissa, neighbouring grey values would already blur. Keras'
    `Rescaling` does the same but looks for TensorFlow at each call, on every backend.

    Args:
        scale: Number, or one number a channel.
        offset: Number, or one number a channel.

    Shapes: `(B, H, W, C)` -> `(B, H, W, C)`.
    """

    def __init__(self, scale, offset, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.scale, self.offset = scale, offset

    def call(self, image):
        scale = ops.convert_to_tensor(self.scale, dtype="float32")
        offset = ops.convert_to_tensor(self.offset, dtype="float32")
        return ops.cast(image, "float32") * scale + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@keras.saving.register_keras_serializable(package="kseg")
class CropLike(keras.layers.Layer):
    """Cuts a feature map `(B, H', W', C)` back to the H and W of a reference `(B, H, W, D)`.

    The inverse of `PadToStride`: `CropLike()([PadToStride(s)(x), x])` is `x`.
    """

    def call(self, inputs):
        x, reference = inputs
        _, height, width, _ = ops.shape(reference)
        return x[:, :height, :width, :]  # (B, H, W, C)

    def compute_output_shape(self, input_shape):
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])


@keras.saving.register_keras_serializable(package="kseg")
class Enlarge(keras.layers.Layer):
    """Bilinear enlargement by a whole factor, with half-pixel centres, for sizes known or not.

    Equals `keras.ops.image.resize` to `factor` times the size, which does not take a size that is
    unknown when a TensorFlow graph is made.

    Args:
        factor: Integer >= 2.

    Shapes: `(B, H, W, C)` -> `(B, factor * H, factor * W, C)`.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self._along(self._along(x, 1), 2)

    def _along(self, x, axis):
        """Each row (or column) becomes `factor` mixtures of itself and a neighbour."""

        def cut(tensor, start, stop):
            return tensor[:, start:stop] if axis == 1 else tensor[:, :, start:stop]

        padded = ops.concatenate([cut(x, 0, 1), x, cut(x, -1, None)], axis=axis)
        neighbours = [cut(padded, 0, -2), x, cut(padded, 2, None)]  # before, itself, after
        mixtures = []
        for part in range(self.factor):
            centre = (part + 0.5) / self.factor - 0.5  # of the new row, from the old row's centre
            lower = 0 if centre < 0 else 1
            share = centre + 1 - lower
            mixtures.append(neighbours[lower] * (1 - share) + neighbours[lower + 1] * share)
        shape = list(ops.shape(x))
        shape[axis] = shape[axis] * self.factor
        return ops.reshape(ops.stack(mixtures, axis=axis + 1), shape)

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(s if s is None else s * self.factor for s in sides), channels)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


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


def check_arguments(num_classes, input_shape):
    """Raises one clear `ValueError` for the arguments that every builder shares."""
    if not isinstance(num_classes, int) or isinstance(num_classes, bool) or num_classes < 1:
        raise ValueError(
            f"num_classes={num_classes!r}: expected an integer >= 1 "
            "(1 is a binary model with one sigmoid channel)."
        )
    shape = tuple(input_shape)
    if (
        len(shape) != 3
        or not isinstance(shape[2], int)
        or not all(s is None or (isinstance(s, int) and s >= 1) for s in shape)
    ):
        raise ValueError(
            f"input_shape={input_shape!r}: expected (height, width, channels), where height and "
            "width may be None for any size, for example (None, None, 3)."
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "kseg models are channels-last, but keras.config.image_data_format() is "
            f"{keras.config.image_data_format()!r}. "
            "Call keras.config.set_image_data_format('channels_last') first."
        )
    return shape

"""Layers that Keras has not: padding and cropping, resizing, normalising, fixed enlargement."""

import keras
from keras import ops

from kseg.base.platform import is_tensorflow, is_torch
from kseg.ops.channels_last import resized
from kseg.ops.enlarged import enlarged, has_kernel

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
        # not -(-size // stride): ONNX rounds a negative quotient towards zero
        length = (size + self.stride - 1) // self.stride * self.stride
        index = ops.arange(length, dtype="int32")
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
        # Keras makes of lists its own, of which torch.compile knows nothing
        self.scale, self.offset = (
            tuple(each) if isinstance(each, list) else each for each in (scale, offset)
        )

    def call(self, image):
        scale = ops.convert_to_tensor(self.scale, dtype="float32")
        offset = ops.convert_to_tensor(self.offset, dtype="float32")
        return ops.cast(image, "float32") * scale + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@keras.saving.register_keras_serializable(package="kseg")
class ValueRange(keras.layers.Layer):
    """Numbers of a range of their own, `low` to `high`, as grey levels 0..255, in float32.

    It says of a model what numbers it takes: `kseg.models.contract` asks for `value_range`.

    Args:
        low, high: What becomes 0, and what becomes 255.

    Shapes: `(B, H, W, C)` -> `(B, H, W, C)`.

    Example:

    >>> ValueRange(0, 4095)(np.array([[[[0, 4095]]]], "float32")).tolist()
    [[[[0.0, 255.0]]]]
    """

    def __init__(self, low, high, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.value_range = (low, high)

    def call(self, image):
        low, high = self.value_range
        return (ops.cast(image, "float32") - low) * (255 / (high - low))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        low, high = self.value_range
        return {**super().get_config(), "low": low, "high": high}


def in_levels(image, value_range):
    """The image of a network as grey levels 0..255.

    Args:
        image: Keras tensor `(B, H, W, C)`.
        value_range: What `check_value_range` gave; None for an image that has them already.
    """
    return image if value_range is None else ValueRange(*value_range, name="value_range")(image)


@keras.saving.register_keras_serializable(package="kseg")
class ZeroBeyond(keras.layers.Layer):
    """Sets to 0 what lies beyond the valid part of each image of a batch.

    Shapes: `(B, H, W, C)` and `(B, 2)` of valid height and width -> `(B, H, W, C)`.
    """

    def call(self, inputs):
        x, size = inputs
        _, height, width, _ = ops.shape(x)
        size = ops.cast(size, "int32")
        rows = ops.arange(height, dtype="int32") < size[:, :1]  # (B, H)
        columns = ops.arange(width, dtype="int32") < size[:, 1:]
        return ops.where(rows[:, :, None, None] & columns[:, None, :, None], x, 0)

    def compute_output_shape(self, input_shape):
        return input_shape[0]


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
    """Enlargement by a whole factor, with half-pixel centres, for sizes known or not.

    Equals `keras.ops.image.resize` to `factor` times the size, which does not take a size that is
    unknown when a TensorFlow graph is made.

    Args:
        factor: Integer >= 2.
        interpolation: `"bilinear"` or `"nearest"`. Defaults to `"bilinear"`.

    Shapes: `(B, H, W, C)` -> `(B, factor * H, factor * W, C)`.
    """

    def __init__(self, factor, interpolation="bilinear", **kwargs):
        super().__init__(**kwargs)
        self.factor, self.interpolation = factor, interpolation

    def call(self, x):
        if is_torch():
            return resized(x, *self._sides(x), self.interpolation)
        if is_tensorflow() and has_kernel():
            return enlarged(x, *self._sides(x), self.interpolation)
        return self._along(self._along(x, 1), 2)

    def _sides(self, x):
        """Height and width of the result."""
        return [self.factor * side for side in ops.shape(x)[1:3]]

    def _along(self, x, axis):
        """Each row (or column) becomes `factor` mixtures of itself and a neighbour, or copies."""
        copies = [x] * self.factor if self.interpolation == "nearest" else self._mixtures(x, axis)
        shape = list(ops.shape(x))
        shape[axis] = shape[axis] * self.factor
        return ops.reshape(ops.stack(copies, axis=axis + 1), shape)

    def _mixtures(self, x, axis):

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
        return mixtures

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return (batch, *(s if s is None else s * self.factor for s in sides), channels)

    def get_config(self):
        config = {"factor": self.factor, "interpolation": self.interpolation}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="kseg")
class ResizeLike(keras.layers.Layer):
    """Bilinear resizing of `(B, h, w, C)` to the H and W of a reference `(B, H, W, D)`.

    Half-pixel centres and no antialiasing, at any scale: output row i looks at row
    (i + 0.5) * h / H - 0.5 of the input, held within it; the definition of torch's
    `interpolate(align_corners=False)`. `keras.ops.image.resize` agrees where it enlarges, but does
    not take a size that is unknown when a TensorFlow graph is made.

    Shapes: `[(B, h, w, C), (B, H, W, D)]` -> `(B, H, W, C)`.

    Example:

    >>> ResizeLike()([keras.ops.zeros((1, 9, 13, 5)), keras.ops.zeros((1, 65, 97, 3))]).shape
    (1, 65, 97, 5)
    """

    def call(self, inputs):
        x, reference = inputs
        _, height, width, _ = ops.shape(reference)
        return _resized(x, height, width)

    def compute_output_shape(self, input_shape):
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])


def _resized(x, height, width):
    """Images `(B, h, w, C)` at another size, bilinearly."""
    if is_torch():
        same = (height, width) == tuple(x.shape[1:3])
        return x if same else resized(x, height, width)
    return _resized_along(_resized_along(x, 1, height), 2, width)


def _resized_along(x, axis, size):
    """Each new row (or column) is a mixture of two neighbours."""
    old = ops.shape(x)[axis]  # an int, or a scalar tensor in a TensorFlow graph
    if isinstance(old, int) and isinstance(size, int) and old == size:
        return x
    centre = ops.cast(ops.arange(size), "float32") + 0.5
    centre = centre * (ops.cast(old, "float32") / ops.cast(size, "float32")) - 0.5
    centre = ops.maximum(centre, 0.0)
    lower = ops.minimum(ops.cast(ops.floor(centre), "int32"), old - 1)
    upper = ops.minimum(lower + 1, old - 1)
    share = ops.cast(centre - ops.cast(lower, "float32"), x.dtype)
    share = ops.reshape(share, (-1, 1, 1) if axis == 1 else (-1, 1))
    below, above = ops.take(x, lower, axis=axis), ops.take(x, upper, axis=axis)
    return below + (above - below) * share


@keras.saving.register_keras_serializable(package="kseg")
class ResizeTo(keras.layers.Layer):
    """Bilinear resizing to a fixed size, as `ResizeLike` does it.

    Args:
        height, width: In pixels; None leaves that side as it is.

    Shapes: `(B, h, w, C)` -> `(B, height, width, C)`.

    Example:

    >>> ResizeTo(64, None)(keras.ops.zeros((1, 9, 13, 5))).shape
    (1, 64, 13, 5)
    """

    def __init__(self, height, width, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def call(self, x):
        _, height, width, _ = ops.shape(x)
        return _resized(x, self.height or height, self.width or width)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, self.height or height, self.width or width, channels)

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}


@keras.saving.register_keras_serializable(package="kseg")
class CropAt(keras.layers.Layer):
    """Cuts the H and W of a reference `(B, H, W, D)` out of a larger map, `offset` from its corner.

    Where `CropLike` undoes a padding at the bottom and right, this undoes one on every side.

    Args:
        offset: Integer >= 0, the first row and column to keep. 0 is `CropLike`.

    Shapes: `(B, H', W', C)` and `(B, H, W, D)` -> `(B, H, W, C)`, where H' >= offset + H.

    Example:

    >>> CropAt(5)([keras.ops.zeros((1, 20, 20, 3)), keras.ops.zeros((1, 9, 8, 1))]).shape
    (1, 9, 8, 3)
    """

    def __init__(self, offset, **kwargs):
        super().__init__(**kwargs)
        self.offset = offset

    def call(self, inputs):
        x, reference = inputs
        _, height, width, _ = ops.shape(reference)
        start = self.offset
        return x[:, start : start + height, start : start + width, :]  # (B, H, W, C)

    def compute_output_shape(self, input_shape):
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])

    def get_config(self):
        return {**super().get_config(), "offset": self.offset}


@keras.saving.register_keras_serializable(package="kseg")
class MultiLabel(keras.layers.Identity):
    """Says, at the end of a network, that a pixel may have several classes; changes nothing.

    `kseg.models.contract` knows such a network by it, in a file, a copy or a wrapper too.

    Shapes: logits `(B, H, W, C)` -> the same, each to be read by a sigmoid.

    Example:

    >>> image = keras.Input((None, None, 3))
    >>> logits = keras.layers.Conv2D(5, 1)(image)
    >>> model = keras.Model(image, MultiLabel()(logits))
    >>> kseg.predict(model, np.zeros((8, 9, 3), "uint8")).shape
    (8, 9, 5)
    """

    task = "multilabel"


@keras.saving.register_keras_serializable(package="kseg")
class PadWithZeros(PadToStride):
    """`PadToStride` with zeros in place of the mirrored image.

    A batch of images of several sizes is padded anyway, and torchvision's networks know zeros.
    """

    def call(self, x):
        _, height, width, _ = ops.shape(x)
        more = [[0, -height % self.stride], [0, -width % self.stride]]
        return ops.pad(x, [[0, 0], *more, [0, 0]])

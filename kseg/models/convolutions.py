"""Keras' convolutions in forms that are quick on every backend: arguments, weights, numbers alike.

A convolution that looks at no neighbours is a matrix product, and says so here: compilers that do
not see it themselves lose up to 30 times. Milliseconds of CPU for forward and backward, float32,
one core (2026-11-24, JAX 0.10.2, PyTorch 2.13, TensorFlow 2.21):

    layer                                       JAX            PyTorch       TensorFlow
                                             Keras  here     Keras  here     Keras  here
    up-convolution, 8 x 56 x 80, 64 -> 32     1434    46        64    37        21    21
    1x1, 8 x 56 x 80, 144 -> 24                 47    14        27    10        14    14
    depthwise 3x3, 8 x 56 x 80 x 144           733    42        72    72        13    13
    3x3 in a condition, 32 x 14 x 14, 64       796    21          (same)          (same)
"""

import keras
import numpy as np
from keras import ops

from kseg.base.arguments import choice
from kseg.base.platform import is_jax_on_cpu, is_tensorflow, is_torch
from kseg.ops.channels_last import convolved, max_pooled
from kseg.ops.depthwise import depthwise_conv
from kseg.ops.dilated import dilated_conv, has_gradient


@keras.saving.register_keras_serializable(package="kseg")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, without Keras' copies of each feature map on PyTorch.

    On TensorFlow dilation is one operation; see `kseg.ops.dilated`.

    Example:

    >>> Conv2D(8, 3, strides=2, padding="same")(keras.ops.zeros((1, 5, 6, 4))).shape
    (1, 3, 3, 8)
    """

    def convolution_op(self, inputs, kernel):
        kernel = ops.convert_to_tensor(kernel)
        if _as_one_dilation(self):
            return dilated_conv(inputs, kernel, self.padding, self.dilation_rate)
        if not _as_views(self):
            return super().convolution_op(inputs, kernel)
        return convolved(inputs, kernel, self.strides, self.padding, self.dilation_rate)


@keras.saving.register_keras_serializable(package="kseg")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D`, without Keras' copy of the feature map on PyTorch.

    Example:

    >>> MaxPooling2D(2)(keras.ops.zeros((1, 6, 8, 4))).shape
    (1, 3, 4, 4)
    """

    def call(self, inputs):
        if not _as_views(self):
            return super().call(inputs)
        return max_pooled(inputs, self.pool_size, self.strides, self.padding)


@keras.saving.register_keras_serializable(package="kseg")
class PointwiseConv2D(Conv2D):
    """`keras.layers.Conv2D`, which is a matrix product where the kernel is 1x1 and takes no steps.

    Example:

    >>> PointwiseConv2D(8, 1)(keras.ops.zeros((1, 5, 6, 4))).shape
    (1, 5, 6, 8)
    """

    def call(self, inputs):
        if {*self.kernel_size, *self.strides, self.groups} != {1}:
            return super().call(inputs)
        return _finish(self, ops.matmul(inputs, self.kernel[0, 0]))


@keras.saving.register_keras_serializable(package="kseg")
class PatchConv2D(Conv2D):
    """`keras.layers.Conv2D`, quick within a condition or a loop as well.

    XLA does not optimise the gradient of a convolution there on CPU. So on JAX, on CPU, a
    convolution that keeps its size is the product of each pixel's patch with the kernel; anywhere
    else it is Keras' own.

    Example:

    >>> PatchConv2D(8, 3, padding="same")(keras.ops.zeros((1, 5, 6, 4))).shape
    (1, 5, 6, 8)
    """

    def call(self, inputs):
        plain = {*self.strides, *self.dilation_rate, self.groups} == {1}
        odd = all(side % 2 for side in self.kernel_size)
        if not (plain and odd and self.padding == "same" and is_jax_on_cpu()):
            return super().call(inputs)
        # of patches, 9 times as large as the input, none are kept for the gradient
        x = keras.remat(_patches_times)(inputs, ops.convert_to_tensor(self.kernel))
        return _finish(self, x)


def _patches_times(inputs, kernel):
    """Patches around each pixel of `(B, H, W, C)`, times a kernel `(rows, columns, C, D)`."""
    _, height, width, channels = ops.shape(inputs)
    rows, columns, _, filters = kernel.shape
    x = ops.pad(inputs, [[0, 0], [rows // 2] * 2, [columns // 2] * 2, [0, 0]])
    patches = [
        x[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)
    ]  # (B, H, W, C) each
    kernel = ops.reshape(kernel, (rows * columns * channels, filters))
    return ops.matmul(ops.concatenate(patches, axis=-1), kernel)


@keras.saving.register_keras_serializable(package="kseg")
class UpConv2D(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`, quick where the stride is the kernel's side.

    Its patches then do not overlap: each pixel becomes a patch by a matrix product. (TensorFlow's
    own is quick already.)

    Example:

    >>> UpConv2D(8, 2, strides=2)(keras.ops.zeros((1, 5, 6, 4))).shape
    (1, 10, 12, 8)
    """

    def call(self, inputs):
        overlap = self.kernel_size != self.strides or {*self.dilation_rate} != {1}
        if overlap or keras.config.backend() == "tensorflow":
            return super().call(inputs)
        batch, height, width, _ = ops.shape(inputs)
        rows, columns = self.strides
        patches = ops.einsum("bhwc,ijoc->bhiwjo", inputs, self.kernel)
        x = ops.reshape(patches, (batch, height * rows, width * columns, self.filters))
        return _finish(self, x)


@keras.saving.register_keras_serializable(package="kseg")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` through `kseg.ops.depthwise.depthwise_conv`.

    Example:

    >>> DepthwiseConv2D(3, padding="same")(keras.ops.zeros((1, 8, 8, 4))).shape
    (1, 8, 8, 4)
    """

    def call(self, inputs):
        if self.depth_multiplier == 1 and _as_views(self):
            kernel = ops.transpose(ops.convert_to_tensor(self.kernel), (0, 1, 3, 2))
            y = convolved(inputs, kernel, self.strides, self.padding, self.dilation_rate)
            return _finish(self, y)
        square = len({*self.strides}) == len({*self.dilation_rate}) == len({*self.kernel_size}) == 1
        if not square or self.depth_multiplier != 1:
            return super().call(inputs)
        stride, dilation = self.strides[0], self.dilation_rate[0]
        return _finish(self, depthwise_conv(inputs, self.kernel, stride, self.padding, dilation))


def bilinear_kernel(factor):
    """The kernel `(2 * factor, 2 * factor)` whose transposed convolution of stride `factor` is
    bilinear interpolation: 1 - distance / factor along each axis, from the kernel's centre.

    Example:

    >>> bilinear_kernel(2)[1]
    array([0.1875, 0.5625, 0.5625, 0.1875], dtype=float32)
    """
    distance = np.abs(np.arange(2 * factor) - (factor - 0.5))
    weights = 1 - distance / factor
    return np.outer(weights, weights).astype("float32")


@keras.saving.register_keras_serializable(package="kseg")
class DepthwiseConv2DTranspose(keras.layers.Layer):
    """Transposed convolution with a kernel for each channel, which starts as bilinear
    interpolation (Long et al. 2015, sections 3.3 and 4.3).

    Each pixel adds its value times the kernel to a square of `2 * factor` pixels, `factor` pixels
    further for each next one. There is nothing beyond the border, so that the result fades towards
    zero within `factor` / 2 pixels of it, where `Enlarge` repeats the border. Channels do not mix:
    `keras.layers.Conv2DTranspose` holds, and multiplies with, C kernels for each of C channels.

    Args:
        factor: Integer >= 2, the stride; the kernel has `2 * factor` rows and columns.
        padding: `"valid"` for all that is reached, `"same"` for `factor` times the size, with
            half-pixel centres: `factor // 2` rows and columns less at each side.
        learned: Whether the kernels are trained, or stay bilinear.

    Shapes: `(B, H, W, C)` -> `(B, factor * (H + 1), factor * (W + 1), C)` if "valid",
    `(B, factor * H, factor * W, C)` if "same".
    """

    def __init__(self, factor, *, padding="same", learned=True, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.learned = factor, learned
        self.padding = choice("padding", padding, ("same", "valid"))

    def build(self, input_shape):
        size = 2 * self.factor
        self.kernel = self.add_weight(
            shape=(size, size, input_shape[-1]),
            initializer=_bilinear,
            trainable=self.learned,
            name="kernel",
        )

    def call(self, x):
        f = self.factor
        kernel = ops.convert_to_tensor(self.kernel)[:, None, :, :]  # (2f, 1, 2f, C)
        x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        batch, height, width, channels = ops.shape(x)  # H + 2, W + 2
        # Row f * i + p of the result is x[i] kernel[p] + x[i - 1] kernel[p + f], and so along W.
        y = 0
        for up in (0, 1):
            for left in (0, 1):
                pixels = x[:, 1 - up : height - up, 1 - left : width - left]  # (B, H + 1, W + 1, C)
                part = kernel[up * f : (up + 1) * f, :, left * f : (left + 1) * f]  # (f, 1, f, C)
                # expand_dims, as LiteRT's calibration knows no slices of six axes
                y = y + ops.expand_dims(pixels, (2, 4)) * part  # (B, H + 1, f, W + 1, f, C)
        y = ops.reshape(y, (batch, f * (height - 1), f * (width - 1), channels))
        if self.padding == "same":
            cut = f // 2
            y = y[:, cut : cut + f * (height - 2), cut : cut + f * (width - 2)]
        return y

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        more = 1 if self.padding == "valid" else 0
        return (batch, *(s if s is None else self.factor * (s + more) for s in sides), channels)

    def get_config(self):
        own = {"factor": self.factor, "padding": self.padding, "learned": self.learned}
        return {**super().get_config(), **own}


def _bilinear(shape, dtype=None):
    """Initializer: the bilinear kernel for each channel, `(2 * factor, 2 * factor, C)`."""
    kernel = np.repeat(bilinear_kernel(shape[0] // 2)[:, :, None], shape[2], axis=2)
    return ops.convert_to_tensor(kernel, dtype=dtype)


def _as_views(layer):
    """Whether a layer's feature maps may go to PyTorch's kernels as they are."""
    return is_torch() and layer.data_format == "channels_last"


def _as_one_dilation(layer):
    """Whether TensorFlow should convolve with gaps by one operation."""
    dilated = {*layer.dilation_rate} != {1} and layer.data_format == "channels_last"
    return dilated and layer.groups == 1 and is_tensorflow() and has_gradient()


def _finish(layer, x):
    """Bias and activation."""
    if layer.use_bias:
        x = ops.add(x, layer.bias)
    return x if layer.activation is None else layer.activation(x)

"""A convolution, its batch norm and its ReLU as one operation, for predictions on PyTorch.

At inference batch norm is `x * scale + offset` for each channel, so that it goes into the kernel
and the bias of the convolution before it; a ReLU then works in place. Weights stay the model's own,
and what is computed of them here is never stale, see `prepared`. `kseg.models.graph.run` asks what
may be put together, and calls it.

Only on PyTorch, which runs operation by operation. A prediction of 2 x 192 x 192 pixels as a share
of one with batch norm, one thread, U-Net (ResNet-18), the paper's of width 32, U-Net (Lite0),
DeepLabV3+ (ResNet-18); 2026-11-26, a shared machine:

    PyTorch 2.13, folded at each call          0.98   0.95   0.90   0.99
    the same, and all of this module           0.65   0.74   0.61   0.64
    JAX 0.10.2, folded at each call            1.22   1.01   1.23   1.21
    JAX, weights as constants                  0.98   1.04   1.04   1.04
    TensorFlow 2.21, folded at each call       1.05   0.96   1.00   1.07
    TensorFlow, weights as constants           0.84   0.91   0.88   0.89

XLA computes batch norm and ReLU in one pass as it is. TensorFlow gains by weights that are
constants of its graph, which would have to be made anew, for seconds, whenever a weight changes.
"""

import weakref

import keras
from keras import ops

from kseg.base.platform import is_torch
from kseg.models.convolutions import Conv2D, DepthwiseConv2D, PatchConv2D, PointwiseConv2D
from kseg.models.direct import directly, is_direct
from kseg.models.normalization import BatchNormalization
from kseg.ops.channels_last import (
    bits,
    convolved,
    in_dtype,
    in_place_relu,
    keeps_gradients,
    laid_out,
    normalized,
    on_cpu,
    product,
)

CONVOLUTIONS = (keras.layers.Conv2D, Conv2D, PointwiseConv2D, PatchConv2D)
DEPTHWISE = (keras.layers.DepthwiseConv2D, DepthwiseConv2D)
NORMS = (keras.layers.BatchNormalization, BatchNormalization)
DENSE, ADD = keras.layers.Dense, keras.layers.Add
KEPT = range(1 << 16, (1 << 24) + 1)  # numbers of a kernel that is kept as it was prepared

_kept = weakref.WeakKeyDictionary()  # layer -> stamp of its weights, and what was made of them


def allowed():
    """Whether operations may be computed as one: on PyTorch, where no gradient is asked for."""
    return is_torch() and not keeps_gradients()


def begins(operation):
    """Whether an operation is computed here, alone or with what `joins` it."""
    return _multiplies(operation) or _normalizes(operation) or type(operation) is ADD


def joins(operations, following):
    """Whether an operation is computed along with those before it.

    Args:
        operations: The first `begins`, the others joined.
        following: The only reader of the last one's only result.
    """
    last = operations[-1]
    if _compute_type(last) != _compute_type(following) or not _linear(last):
        return False
    if type(following) in NORMS:
        return len(operations) == 1 and _multiplies(last) and _over_last_axis(following)
    return _limits(following)


def _compute_type(operation):
    return getattr(operation, "compute_dtype", None)


def _linear(operation):
    """Whether an operation ends in no activation, and is none."""
    if _limits(operation):
        return False
    return getattr(operation, "activation", None) in (None, keras.activations.linear)


def _multiplies(operation):
    """Whether an operation multiplies with a kernel, by which batch norm can be folded."""
    if type(operation) in DEPTHWISE and operation.depth_multiplier != 1:
        return False
    known = type(operation) in (*CONVOLUTIONS, *DEPTHWISE, DENSE)
    return known and _channels_last(operation) and operation.quantization_mode is None


def _channels_last(layer):
    return getattr(layer, "data_format", "channels_last") == "channels_last"


def _normalizes(operation):
    """Whether an operation is a batch norm of images in float32."""
    of_images = type(operation) in NORMS and _over_last_axis(operation)
    return of_images and operation.input_spec.ndim == 4 and operation.compute_dtype == "float32"


def _over_last_axis(norm):
    return norm.axis in (-1, norm.input_spec.ndim - 1)


def _limits(operation):
    """Whether an operation is a ReLU, with a largest value or without."""
    if type(operation) is keras.layers.ReLU:
        return operation.negative_slope == 0 == operation.threshold
    if type(operation) is keras.layers.Activation:
        return operation.activation in (keras.activations.relu, keras.activations.relu6)
    return False


def computed(operations, x):
    """What operations that join give, one after the other.

    Args:
        operations: The first `begins`, the others `joins`.
        x: Input of the first; of a sum the list of inputs.
    """
    first, *others = operations
    if type(first) is ADD:
        y = directly(first, x, training=False) if is_direct(first) else first(x)
    elif type(first) in NORMS:
        y = normalized(x, *_scale_and_offset(first))
    else:
        norm = others.pop(0) if others and type(others[0]) in NORMS else None
        y = _multiplied(first, _as_number(x, first.compute_dtype), norm)
    for relu in others:
        y = in_place_relu(y, _limit(relu))
    return y


def _as_number(x, dtype):
    """`keras.ops.cast`, which takes longer than a GPU for a layer."""
    return in_dtype(x, dtype) if x.is_floating_point() else ops.cast(x, dtype)


def _limit(relu):
    """The largest value that a ReLU gives, or None."""
    if type(relu) is keras.layers.Activation:
        return 6.0 if relu.activation is keras.activations.relu6 else None
    return relu.max_value


def _multiplied(layer, x, norm):
    """A layer's product with its kernel, and what follows within it."""
    kernel, bias = prepared(layer, norm)
    if _is_product(layer):
        y = product(x, kernel, bias)
    else:
        y = convolved(x, kernel, layer.strides, layer.padding, layer.dilation_rate, bias, True)
    return y if _linear(layer) else layer.activation(y)


def _is_product(layer):
    """Whether a layer looks at no neighbours."""
    if type(layer) is DENSE:
        return True
    sides = {*layer.kernel_size, *layer.strides}
    return sides == {1} and type(layer) in CONVOLUTIONS and layer.groups == 1


def prepared(layer, norm=None):
    """The kernel and the bias of a layer with its batch norm, as PyTorch takes them.

    They are kept where making them takes time, in memory as much as the weights themselves: on CPU,
    for kernels of `KEPT` numbers. What is kept goes by the weights' identity, by PyTorch's count of
    what was written into them, and by the sum of their bits, for `weight.data` is not counted.

    Args:
        layer: A layer of which `begins` holds.
        norm: The batch norm that follows it, or None.

    Returns:
        `(D, C, rows, columns)`, of a product `(C, D)`; and `(D,)` or None; in the layer's
        `compute_dtype`.
    """
    weights = [each.value for each in (*layer.variables, *(norm.variables if norm else ()))]
    if not (on_cpu(weights[0]) and sum(each.numel() for each in weights) in KEPT):
        return _made(layer, norm)
    stamp = [(each, each._version, bits(each)) for each in weights]  # before they are read
    found = _kept.get(layer)
    if found is None or not _same(found[0], stamp):
        found = _kept[layer] = stamp, _made(layer, norm)
    return found[1]


def _same(stamp, other):
    """Whether two stamps are of the same tensors with the same numbers in them."""
    pairs = zip(stamp, other)
    return len(stamp) == len(other) and all(a is b and m == n for (a, *m), (b, *n) in pairs)


def _made(layer, norm):
    """`prepared`, made anew: by PyTorch's own operations, for a GPU waits for Keras' words."""
    kernel, bias = _tensor(layer.kernel), _tensor(layer.bias) if layer.use_bias else None
    if type(layer) in DEPTHWISE:
        kernel = kernel.swapaxes(2, 3)  # (rows, columns, 1, C)
    if norm is not None:
        scale, offset = _scale_and_offset(norm)
        kernel = kernel * scale
        bias = offset if bias is None else offset + bias * scale
    kernel = in_dtype(kernel, layer.compute_dtype)
    bias = None if bias is None else in_dtype(bias, layer.compute_dtype)
    if _is_product(layer):
        return kernel.reshape(kernel.shape[-2:]), bias
    return laid_out(kernel), bias


def _scale_and_offset(norm):
    """Batch norm at inference is `x * scale + offset`: `(C,)` each, in float32."""
    mean, variance = map(_in_float32, (norm.moving_mean, norm.moving_variance))
    scale = (variance + norm.epsilon).rsqrt()
    if norm.scale:
        scale = scale * _in_float32(norm.gamma)
    offset = -mean * scale
    return scale, offset + _in_float32(norm.beta) if norm.center else offset


def _in_float32(weight):
    return in_dtype(_tensor(weight), "float32")


def _tensor(weight):
    """A weight's tensor; of a kernel that LoRA adapts it is no variable but that tensor itself."""
    return getattr(weight, "value", weight)

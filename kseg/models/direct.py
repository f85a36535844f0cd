"""Layers called by their `call`, without Keras' words around it.

Keras asks of every layer at every call what its arguments mean, which scope it is in, whether its
input fits: 0.3 ms a layer (2026-11-27, one core), 35 ms for a training step of U-Net (ResNet-18)
and 10 for a prediction, which is about what a GPU takes for all that it computes. Layers that are
known to need none of it are called by their `call`; all others as ever.
"""

from keras import layers
from keras.src.backend.common.variables import AutocastScope

from kseg.models import convolutions
from kseg.models.normalization import BatchNormalization
from kseg.ops.channels_last import in_dtype

PLAIN = (
    layers.Activation,
    layers.Add,
    layers.AveragePooling2D,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dense,
    layers.DepthwiseConv2D,
    layers.Dropout,
    layers.GlobalAveragePooling2D,
    layers.MaxPooling2D,
    layers.Multiply,
    layers.ReLU,
    layers.Rescaling,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
    BatchNormalization,
    convolutions.Conv2D,
    convolutions.DepthwiseConv2D,
    convolutions.MaxPooling2D,
    convolutions.PatchConv2D,
    convolutions.PointwiseConv2D,
    convolutions.UpConv2D,
)


def takes_training(operation):
    """Whether a layer asks whether it is trained."""
    return getattr(operation, "_call_has_training_arg", False)


def watched(layer):
    """Whether somebody looks at a layer's calls: by PyTorch's hooks, or a `call` of its own."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or "call" in vars(layer))


def recomputes(layer):
    """Whether a layer computes its feature maps again for the gradient."""
    return getattr(layer, "_remat_mode", None) is not None


def is_direct(layer):
    """Whether a layer's `call` on PyTorch, of one argument, is all that its result takes."""
    quiet = type(layer) in PLAIN and not (layer.quantization_mode or layer.activity_regularizer)
    return quiet and not recomputes(layer)


def directly(layer, x, training):
    """What a layer of which `is_direct` holds gives: `layer(x, training=training)`, to the bit.

    Args:
        layer: The layer.
        x: A tensor, or a list of tensors.
        training: Whether it is trained.
    """
    dtype = layer.compute_dtype
    if layer.autocast:
        several = isinstance(x, (list, tuple))
        x = [in_dtype(each, dtype) for each in x] if several else in_dtype(x, dtype)
    more = {"training": training} if takes_training(layer) else {}
    if dtype == layer.variable_dtype:
        return layer.call(x, **more)
    with AutocastScope(dtype if layer.autocast else None):
        return layer.call(x, **more)

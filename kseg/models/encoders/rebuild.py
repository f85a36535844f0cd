"""The same network with other channels or another stride: a Keras model rebuilt layer by layer.

Dilation keeps what the network computes. Where a stride of 2 is taken out, every convolution behind
it reads its input two pixels further apart, with its zeros before and after moved accordingly, so
that every second pixel of the new feature map is exactly the old feature map. (Holschneider et al.
1989, the algorithme a trous; Chen et al. 2015, arXiv:1412.7062.)
"""

import math

import keras
import numpy as np

from kseg.base.arguments import refused
from kseg.models.convolutions import Conv2D, DepthwiseConv2D, MaxPooling2D
from kseg.models.graph import PROBE, maker_of, nodes_of, shapes_of
from kseg.models.normalization import BatchNormalization

LARGEST_STRIDE = 32  # what works beyond is no feature map
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
QUICK = {
    keras.layers.Conv2D: Conv2D,
    keras.layers.DepthwiseConv2D: DepthwiseConv2D,
    keras.layers.MaxPooling2D: MaxPooling2D,
    keras.layers.BatchNormalization: BatchNormalization,
}
POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


def adapted(model, channels):
    """`model` for images of another number of channels, weights adapted.

    The kernel of the first convolution is repeated over the channels (R, G, B, R, ...) and scaled
    by 3 / channels; for one channel it is summed. So a grey image gives what it gives in RGB with
    one channel or a multiple of three, and about that otherwise.
    """
    image = keras.Input((None, None, channels))
    new = keras.models.clone_model(model, input_tensors=image)
    for old, fresh in zip(model.weights, new.weights):
        value = keras.ops.convert_to_numpy(old)
        if value.shape != tuple(fresh.shape):  # (K, K, 3, filters)
            repeated = np.arange(channels) % value.shape[2]
            if channels == 1:
                value = value.sum(axis=2, keepdims=True)
            else:
                value = value[:, :, repeated] * (value.shape[2] / channels)
        fresh.assign(value)
    return new


def rebuilt(model, output_stride=32):
    """`model` with its strides beyond `output_stride` turned into dilation.

    Convolutions, max pooling and batch norm become kseg's, which give the same and are quick on
    every backend.

    Args:
        model: A functional Keras model of one image input.
        output_stride: The largest stride to keep; 32 keeps the model's own.

    Returns:
        The same model where nothing changes, else one with new layers and the same weights.

    Raises:
        ValueError: a layer beyond the output stride cannot be dilated; it is named.
    """
    configs, margins = _plan(model, output_stride)
    if not configs and not any(type(layer) in QUICK for layer in model.layers):
        return model

    def layer_for(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation without state
        kind = QUICK.get(type(layer), type(layer))
        return kind.from_config(configs.get(layer.name) or layer.get_config())

    def call(layer, *args, **arguments):
        if layer.name in margins:
            pad = keras.layers.ZeroPadding2D(margins[layer.name], name=f"{layer.name}_margin")
            args = (pad(args[0]), *args[1:])
        return layer(*args, **arguments)

    new = keras.models.clone_model(model, clone_function=layer_for, call_function=call)
    new.set_weights(model.get_weights())
    return new


def _plan(model, output_stride):
    """What dilation changes: {layer: its new config}, {layer: zeros to put round its input}."""
    nodes = [node for node in nodes_of(model) if _maps_images(node)]
    configs, margins = {}, {}
    if not nodes or output_stride == LARGEST_STRIDE:
        return configs, margins
    before = shapes_of(model, [node.input_tensors[0] for node in nodes])
    after = shapes_of(model, [node.outputs[0] for node in nodes])
    for node, stride, end in zip(nodes, map(_stride, before), map(_stride, after)):
        layer = node.operation
        dilation = max(1, stride // output_stride)
        removed = end > max(stride, output_stride)
        if end > LARGEST_STRIDE or (dilation == 1 and not removed):
            continue  # a squeeze-and-excite branch, or nothing to change
        if isinstance(layer, CONVOLUTIONS):
            _dilate(node, dilation, removed, configs, margins)
        elif isinstance(layer, POOLINGS) and set(layer.pool_size) == {1}:
            configs[layer.name] = {**layer.get_config(), "strides": (1, 1)}
        elif removed or isinstance(layer, POOLINGS) or _convolves(layer):
            raise refused(
                "output_stride",
                output_stride,
                f"32 for {model.name!r}",
                f"Its layer {layer.name!r} ({type(layer).__name__}) works at stride {end} and "
                "cannot be dilated. Or use another encoder, for example a ResNet.",
            )
    return configs, margins


def _dilate(node, dilation, removed, configs, margins):
    """Plans that a convolution reads every `dilation`-th pixel, without its stride if `removed`."""
    layer = node.operation
    config = layer.get_config()
    sides, gaps, strides = layer.kernel_size, layer.dilation_rate, layer.strides
    reaches = [(side - 1) * gap for side, gap in zip(sides, gaps)]
    previous = maker_of(node.input_tensors[0])
    if layer.padding == "same":  # the smaller half comes first, of a size that the stride divides
        firsts = [max(reach + 1 - step, 0) // 2 for reach, step in zip(reaches, strides)]
    elif isinstance(previous, keras.layers.ZeroPadding2D):
        firsts = [first for first, _ in previous.padding]
    else:
        firsts = [0, 0]
    padding = tuple(
        (dilation * first, dilation * (reach - first)) for first, reach in zip(firsts, reaches)
    )
    config.update(dilation_rate=tuple(dilation * gap for gap in gaps))
    if removed:
        config.update(strides=(1, 1))
    if isinstance(previous, keras.layers.ZeroPadding2D) and layer.padding == "valid":
        configs[previous.name] = {**previous.get_config(), "padding": padding}
    elif any(first != last for first, last in padding) or layer.padding == "valid":
        config.update(padding="valid")
        if any(reaches):
            margins[layer.name] = padding
    configs[layer.name] = config


def _maps_images(node):
    """Whether a layer takes one image-like tensor and gives one."""
    ends = (node.input_tensors, node.outputs)
    return all(len(end) == 1 and len(end[0].shape) == 4 for end in ends)


def _stride(shape):
    """The power of two nearest to what divides the probe's side; padding moves a size a little."""
    return 2 ** round(math.log2(PROBE / shape[1]))


def _convolves(layer):
    """Whether a layer holds a kernel of more than one pixel."""
    weights = getattr(layer, "weights", ())
    return any(len(w.shape) == 4 and max(w.shape[:2]) > 1 for w in weights)

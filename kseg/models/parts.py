"""What the weights of a network are of: encoder, decoder or head, a layer, a class.

Weights are called by the way to them, `encoder/block1_conv/kernel`, as long as two networks are
built alike; numbers that Keras counts up for layers without a name (`conv2d_17`) are counted anew
within each network.
"""

import re
from collections import Counter

import keras
import numpy as np

from kseg.models.graph import flattened, is_functional, layers_of, nodes_of

ENCODER = "encoder"  # name of the layer, in all networks of kseg
PARTS = (ENCODER, "decoder", "head")
OUT_FIRST = (keras.layers.Conv2DTranspose, keras.layers.DepthwiseConv2D)  # kernels (.., out, in)

# where a word begins, as Keras names layers: max_pooling2d
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])")


def encoder_of(model):
    """The encoder in a network, or None."""
    return next((each for each in layers_of(model) if each.name == ENCODER), None)


def head_of(model):
    """The layers that a network ends with: of labels those whose channels are the classes."""
    own = getattr(model, "head_layers", None)  # of a Mask R-CNN
    return own if own is not None else [layer for layer, _ in scoring(model)]


def parts_of(model):
    """Part -> the weights of a network that are of it; all weights have one.

    Example:

    >>> model = kseg.build_unet(3, width=4, depth=2)
    >>> {part: len(weights) for part, weights in parts_of(model).items()}
    {'encoder': 0, 'decoder': 54, 'head': 2}
    """
    encoder, head = encoder_of(model), head_of(model)
    inside = {id(each) for each in (encoder.weights if encoder is not None else ())}
    last = {id(each) for layer in head for each in layer.weights} - inside
    parts = {name: [] for name in PARTS}
    for each in model.weights:
        is_of = ENCODER if id(each) in inside else "head" if id(each) in last else "decoder"
        parts[is_of].append(each)
    return parts


def scoring(model):
    """Layers of a network that labels pixels whose channels are the classes, from its end back.

    They are found by going back from the logits through what has no weights, and through what works
    channel by channel.

    Returns:
        List of pairs: layer, and the axis of its kernel that is of the classes.
    """
    if not is_functional(model):
        return []
    model = flattened(model)
    made = {id(tensor): node for node in nodes_of(model) for tensor in node.outputs}
    found, seen, queue = [], set(), list(keras.tree.flatten(model.outputs))
    while queue:
        node = made.get(id(queue.pop(0)))
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        layer = node.operation
        weighted = bool(getattr(layer, "weights", ()))
        if weighted:
            found.append((layer, -2 if isinstance(layer, OUT_FIRST) else -1))
        if not weighted or _is_depthwise(layer):
            queue += node.input_tensors
    return found


def _is_depthwise(layer):
    """Whether a layer works channel by channel: classes go in and come out."""
    is_norm = isinstance(layer, keras.layers.BatchNormalization)
    return is_norm or "Depthwise" in type(layer).__name__


def class_axes(model):
    """The weights that hold numbers for each class.

    Returns:
        `id(variable)` -> its axis, how many numbers a class has on it, and how many stand before
        those of class 0.
    """
    own = getattr(model, "class_axes", None)  # of a Mask R-CNN
    if own is not None:
        return own()
    axes = {}
    for layer, axis in scoring(model):
        for each in layer.weights:
            axes[id(each)] = (axis if len(each.shape) > 1 else 0, 1, 0)
    return axes


def named_weights(model):
    """Name -> weight, in order. Of an encoder it begins with `encoder/`, in whatever network."""
    found, times, seen = {}, Counter(), set()
    for path, variable in _walk(model, ()):
        if id(variable) in seen:  # of a layer in two places
            continue
        seen.add(id(variable))
        if ENCODER in path:
            path = path[path.index(ENCODER) :]
        name = "/".join(path)
        times[name] += 1
        found[name if times[name] == 1 else f"{name}:{times[name]}"] = variable
    return found


def _walk(layer, path):
    """Pairs of the way to a weight, and the weight."""
    inner = getattr(layer, "layers", None)
    if isinstance(layer, keras.Model) and inner:
        names = _counted_anew(inner)
        for each, name in zip(inner, names):
            yield from _walk(each, (*path, name))
        return
    for each in getattr(layer, "weights", ()):
        yield (*path, each.name), each


def _counted_anew(layers):
    """Names of layers; those that Keras has counted up are counted from 1 on."""
    names, times = [], Counter()
    for layer in layers:
        kind = WORDS.sub("_", type(layer).__name__).lower()
        if re.fullmatch(rf"{re.escape(kind)}(_\d+)?", layer.name):
            times[kind] += 1
            names.append(f"{kind}#{times[kind]}")
        else:
            names.append(layer.name)
    return names


def numbers_of(weights):
    """How many numbers there are in weights."""
    return int(sum(np.prod(each.shape) for each in weights))

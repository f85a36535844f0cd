"""A training step's way through a functional model on PyTorch: its layers are called directly, see
`kseg.models.direct`. Each feature map goes after its last reader, unless a gradient needs it.
"""

import weakref

import keras

from kseg.base.platform import is_torch
from kseg.models.direct import PLAIN, directly, is_direct, takes_training, watched
from kseg.models.graph import calls_of, is_plain, layers_of, run, walked
from kseg.ops.channels_last import is_compiling, keeps_gradients

_inside = weakref.WeakKeyDictionary()  # model -> its layers
_ways = weakref.WeakKeyDictionary()  # model -> its calls, and how each is made


def called(model, inputs, training, otherwise=None):
    """What `model(inputs, training=training)` gives, the quick way where there is one.

    Args:
        model, inputs: A Keras model, and what it is called with.
        training: Whether it is trained.
        otherwise: What to call where there is none; the model itself by default.
    """
    if _walks(model, inputs):
        if training:
            return learned(model, inputs)
        if not keeps_gradients():
            return run(model, inputs)
    return (otherwise or model)(inputs, training=training)


def _walks(model, inputs):
    """Whether the layers of a model may be called one by one in its place."""
    if not (is_torch() and is_plain(model)):
        return False
    if model not in _inside:
        _inside[model] = layers_of(model)
    symbolic = any(isinstance(x, keras.KerasTensor) for x in keras.tree.flatten(inputs))
    looked_at = watched(model) or any(map(watched, _inside[model]))
    return not (symbolic or looked_at or is_compiling() or keras.distribution.distribution())


def learned(model, inputs):
    """What `model(inputs, training=True)` gives on PyTorch, to the bit.

    Args:
        model: A functional model of which `_walks` holds.
        inputs: Its inputs.
    """
    if model not in _ways:
        calls = list(calls_of(model))
        steps = [([node], done) for node, done in calls]
        _ways[model] = steps, {id(node): way_of(node) for node, _ in calls}
    steps, ways = _ways[model]

    def operate(nodes, args, kwargs):
        operation = nodes[0].operation
        return ways[id(nodes[0])](operation, args, kwargs)

    return walked(model, inputs, steps, operate)


def way_of(node):
    """How a call is made: a function of the operation and its arguments."""
    operation, arguments = node.operation, node.arguments
    others = {name: x for name, x in arguments.kwargs.items() if name != "training"}
    alone = len(arguments.args) == 1 and all(x is None for x in others.values())
    if alone and isinstance(operation, keras.Model) and is_plain(operation):
        return _nested
    return _directly if alone and type(operation) in PLAIN else as_ever


def _nested(model, args, kwargs):
    return learned(model, args[0])


def as_ever(operation, args, kwargs):
    if takes_training(operation):  # whatever was said where the model was built, as in Keras
        kwargs = {**kwargs, "training": True}
    return operation(*args, **kwargs)


def _directly(layer, args, kwargs):
    if not is_direct(layer):
        return as_ever(layer, args, kwargs)
    return directly(layer, args[0], training=True)

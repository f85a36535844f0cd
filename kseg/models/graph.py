"""The graph inside a Keras model, for which Keras has no public words: nested layers, calls of a
layer, what made a tensor, `compile`. Keras' private attributes are read in this file alone."""

import keras

PROBE = 512  # pixels; every stride divides it


def layers_of(model):
    """The layers of a model, nested ones too, but not the model itself."""
    return model._flatten_layers(include_self=False)


def nodes_of(model):
    """Every call of a layer inside a functional model, in order: `.operation`, `.outputs`, ...

    Not `layer.output`, which speaks of the first call: a layer may serve in several models.
    """
    inside = {node for nodes in model._nodes_by_depth.values() for node in nodes}
    return [
        node
        for operation in model.operations
        for node in operation._inbound_nodes
        if node in inside and not node.is_input
    ]


def compilation(model):
    """What tells one `compile` of a model from another: an object that each makes anew."""
    return model._compile_config


def maker_of(tensor):
    """The layer, or operation, whose result a Keras tensor is."""
    return tensor._keras_history.operation


def operations_before(model, tensor):
    """The set of layers and operations that lead from a model's input to a tensor inside it."""
    return set(keras.Model(model.input, tensor).operations)


def shapes_of(model, tensors):
    """Shapes of tensors inside `model` for an image of `PROBE` x `PROBE` pixels."""
    probe = keras.KerasTensor((1, PROBE, PROBE, model.inputs[0].shape[-1]))
    specs = keras.Model(model.input, tensors).compute_output_spec(probe)
    return [tuple(spec.shape) for spec in keras.tree.flatten(specs)]


def computes_in(model):
    """float16 if any layer computes in 16 bits, whose near ties fall either way."""
    half = any("16" in str(getattr(layer, "compute_dtype", "")) for layer in layers_of(model))
    return "float16" if half else "float32"


def in_float32(model):
    """The model, or a copy of it that computes in float32 where its policy is a lower precision.

    Weights are float32 under mixed policies too, so that nothing is lost; the formats' runtimes
    lack bfloat16 for most operations.
    """
    if all(layer.compute_dtype in (None, "float32") for layer in layers_of(model)):
        return model

    def copied(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    copy.set_weights(model.get_weights())
    return copy

"""The graph inside a Keras model, for which Keras has no public words: nested layers, calls of a
layer, what made a tensor, `compile`. Keras' private attributes are read in this file alone."""

import collections
import contextlib
import math
import weakref

import keras
from keras.src.backend.common import global_state
from keras.src.models.functional import Functional
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

from kseg.base.platform import is_torch
from kseg.models import folding
from kseg.models.direct import directly, is_direct, takes_training, watched
from kseg.ops.channels_last import is_compiling

PROBE = 512  # pixels; every stride divides it

_made_steps = weakref.WeakKeyDictionary()  # model -> whether they are folded -> its steps


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


def flattened(model):
    """The functional model with the layers of nested ones in it as its own: one graph to look into.

    Layers and weights stay the same objects; nothing changes in what is computed.
    """
    if not any(_inner(node.operation) for node in nodes_of(model)):
        return model
    inputs = [
        keras.Input(tensor.shape[1:], tensor.shape[0], tensor.dtype) for tensor in model.inputs
    ]
    outputs = _called_again(model, inputs, {})
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=model.name)


def _called_again(model, tensors, more):
    """The model's outputs of other Keras tensors, by calling each of its layers.

    Args:
        model: A functional model.
        tensors: For its inputs.
        more: Arguments of the call of the model that its layers inherit, as `training`.
    """
    by_depth = model._nodes_by_depth
    values = dict(zip(map(id, model.inputs), tensors))
    for node in (x for depth in sorted(by_depth, reverse=True) for x in by_depth[depth]):
        if node.is_input:
            continue
        args, kwargs = node.arguments.fill_in(values)
        operation = node.operation
        if takes_training(operation):
            kwargs |= {key: value for key, value in more.items() if kwargs.get(key) is None}
        inner = _inner(operation)
        if inner is not None and len(keras.tree.flatten(args)) == len(inner.inputs):
            given = {key: kwargs[key] for key in ("training",) if kwargs.get(key) is not None}
            results = _called_again(inner, keras.tree.flatten(args), given)
        else:
            results = operation(*args, **kwargs)
        values.update(zip(map(id, node.outputs), keras.tree.flatten(results)))
    return keras.tree.map_structure(lambda x: values[id(x)], model._outputs_struct)


def _inner(operation):
    """The functional model that a layer is or, if it is a `Sequential`, holds; or None."""
    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if is_plain(operation) else None


def is_plain(model):
    """Whether calling a model is calling its layers, and nothing else."""
    return type(model).call is Functional.call


def is_functional(model):
    """Whether a model says which layers are in it."""
    return isinstance(model, Functional)


def inferred(model, inputs):
    """What `model(inputs, training=False)` gives, by `run` where nothing compiles it."""
    return run(model, inputs) if is_torch() else model(inputs, training=False)


def run(model, inputs):
    """What `model(inputs, training=False)` gives, in less memory and time: without a compiler.

    Keras keeps every feature map until its call ends; here each goes after its last reader. On
    PyTorch layers are called directly, and where no gradient is asked for batch norm and ReLU are
    folded into what is before them: see `kseg.models.direct` and `kseg.models.folding`. Nested
    functional models are run alike; any other model is simply called.
    """
    if not is_plain(model):
        return model(inputs, training=False)
    return walked(model, inputs, _steps(model), _operate)


def walked(model, inputs, steps, operate):
    """The outputs of a functional model, step by step; each feature map goes after its last reader.

    Args:
        model, inputs: As of `run`.
        steps: Lists of the calls that are computed as one, in order, and what is freed after each.
        operate: Function of the calls of a step and of the first one's arguments to its results.
    """
    values = entered(model, inputs)
    del inputs
    for nodes, done in steps:
        args, kwargs = nodes[0].arguments.fill_in(values)
        results = operate(nodes, args, kwargs)
        del args, kwargs
        made = nodes[-1].outputs
        if len(made) == 1 and not isinstance(results, (list, tuple)):
            values[id(made[0])] = results
        else:  # flattening takes longer than some layers
            values.update(zip(map(id, made), keras.tree.flatten(results)))
        del results
        for x in done:
            values.pop(x, None)
    return left(model, values)


def entered(model, inputs):
    """Ids of a functional model's inputs -> the tensors it is called with, as it takes them."""
    return dict(zip(map(id, model.inputs), model._standardize_inputs(inputs)))


def left(model, values):
    """What a functional model gives, of the tensors inside it by their ids."""
    outputs = keras.tree.map_structure(lambda x: values[id(x)], model._outputs_struct)
    return outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs


def _steps(model):
    """Lists of the calls that are computed as one, in order, and what is freed after each."""
    folds = folding.allowed()
    made = _made_steps.setdefault(model, {})
    if folds not in made:
        calls = calls_of(model)
        made[folds] = _joined(calls) if folds else [([node], done) for node, done in calls]
    return made[folds]


def _joined(calls):
    """Steps of calls, those in one that `kseg.models.folding` computes as one."""
    freed, readers = {id(node): done for node, done in calls}, collections.defaultdict(list)
    for node, _ in calls:
        for tensor in node.input_tensors:
            readers[id(tensor)].append(node)
    steps, taken = [], set()
    for node, _ in calls:
        if id(node) in taken:
            continue
        nodes = [node]
        if _of_one_argument(node) and folding.begins(node.operation):
            while (following := _joining(nodes, readers, freed)) is not None:
                nodes.append(following)
        taken.update(map(id, nodes))
        steps.append((nodes, set().union(*(freed[id(each)] for each in nodes))))
    return steps


def _joining(nodes, readers, freed):
    """The call that is computed along with others: the last to read what they give, or None."""
    (result,) = map(id, nodes[-1].outputs)
    following = readers[result]
    if len(following) != 1 or result not in freed[id(following[0])]:
        return None  # several read it, or the model itself gives it
    if len(following[0].input_tensors) != 1 or not _of_one_argument(following[0]):
        return None
    joins = folding.joins([each.operation for each in nodes], following[0].operation)
    return following[0] if joins else None


def _of_one_argument(node):
    """Whether a layer is called with what it reads alone."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    return len(args) == 1 and _plain(kwargs, but=("training",))


def calls_of(model):
    """Each call inside a functional model, in order, and the ids of what it is the last to read."""
    by_depth = model._nodes_by_depth
    nodes = [x for depth in sorted(by_depth, reverse=True) for x in by_depth[depth]]
    nodes = [node for node in nodes if not node.is_input]
    kept = {id(tensor) for tensor in keras.tree.flatten(model.outputs)}
    last = {id(x): node for node in nodes for x in node.input_tensors}
    return [
        (node, {id(x) for x in node.input_tensors if last[id(x)] is node} - kept) for node in nodes
    ]


def _operate(nodes, args, kwargs):
    """What the calls of a step give at inference."""
    operation = nodes[0].operation
    if _nested(operation, args, kwargs):
        return run(operation, args[0])
    if folding.allowed() and _of_one_argument(nodes[0]) and folding.begins(operation):
        return folding.computed([node.operation for node in nodes], args[0])
    if _of_one_argument(nodes[0]) and is_torch() and is_direct(operation):
        if not (watched(operation) or is_compiling()):
            return directly(operation, args[0], training=False)
    if takes_training(operation):
        kwargs = {**kwargs, "training": False}
    return operation(*args, **kwargs)


def _nested(operation, args, kwargs):
    """Whether an operation is a model that is called of nothing but its input."""
    return isinstance(operation, keras.Model) and len(args) == 1 and _plain(kwargs)


def _plain(kwargs, but=()):
    """Whether a call has no arguments of its own; mask=None is always there."""
    return all(value is None for name, value in kwargs.items() if name not in but)


@contextlib.contextmanager
def weights_kept(model):
    """What runs inside may fail and the model stays usable, on JAX too.

    There Keras takes the weights out of the model for the time of a training, and leaves it empty
    if the training ends in an error.
    """
    if not hasattr(model, "jax_state_sync"):
        yield
        return
    optimizer = getattr(model, "optimizer", None)  # not of a model that was never compiled
    variables = [*model.variables, *(optimizer.variables if optimizer is not None else ())]
    before = [variable._value for variable in variables]
    try:
        yield
    except BaseException:
        model.jax_state_sync()  # those of the last step, if there was one
        for variable, value in zip(variables, before):
            if variable._value is None and not value.is_deleted():
                variable._value = value
        raise


def compilation(model):
    """What tells one `compile` of a model from another: an object that each makes anew."""
    return model._compile_config


def maker_of(tensor):
    """The layer, or operation, whose result a Keras tensor is."""
    return tensor._keras_history.operation


def last_layer(model):
    """The layer that gives a functional model's first output, within nested models, or None."""
    while True:
        made = getattr(keras.tree.flatten(model.outputs)[0], "_keras_history", None)
        layer = None if made is None else made.operation
        if not isinstance(layer, (Functional, keras.Sequential)):
            return layer
        model = layer


def operations_before(model, tensor):
    """The set of layers and operations that lead from a model's input to a tensor inside it."""
    return set(keras.Model(model.input, tensor).operations)


def shapes_of(model, tensors):
    """Shapes of tensors inside `model` for an image of `PROBE` x `PROBE` pixels."""
    probe = keras.KerasTensor((1, PROBE, PROBE, model.inputs[0].shape[-1]))
    specs = keras.Model(model.input, tensors).compute_output_spec(probe)
    return [tuple(spec.shape) for spec in keras.tree.flatten(specs)]


def bytes_a_pixel(model):
    """Bytes of the feature maps that are in memory at once, at most, for each pixel of an image.

    Of a network that forgets a map after its last reader, as `run` and compilers do.
    """
    probe = keras.KerasTensor((1, PROBE, PROBE, model.inputs[0].shape[-1]))
    return _most_bytes(model, probe)[0] / PROBE**2


def _most_bytes(model, image):
    """The most that is held at once inside a model, and its outputs for the image's spec."""
    if type(model).call is not Functional.call:
        outputs = model.compute_output_spec(image)
        return _bytes(image) + sum(map(_bytes, keras.tree.flatten(outputs))), outputs
    specs, most = {id(model.inputs[0]): image}, 0
    for node, done in calls_of(model):
        args, kwargs = node.arguments.fill_in(specs)
        before = sum(map(_bytes, specs.values()))
        inner = 0
        if _nested(node.operation, args, kwargs):
            inner, results = _most_bytes(node.operation, args[0])
        else:
            results = node.operation.compute_output_spec(*args, **kwargs)
        specs.update(zip(map(id, node.outputs), keras.tree.flatten(results)))
        most = max(most, before + inner, sum(map(_bytes, specs.values())))
        for x in done:
            specs.pop(x, None)
    return most, keras.tree.map_structure(lambda x: specs[id(x)], model.outputs)


def _bytes(spec):
    return math.prod(spec.shape) * (2 if "16" in spec.dtype else 4)


def left_out_of_decay(optimizer):
    """Places, among the weights that an optimizer trains, of those that its decay leaves."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not inner.weight_decay:
        return []
    weights = inner._trainable_variables
    return [place for place, each in enumerate(weights) if not inner._use_weight_decay(each)]


def leave_out_of_decay(optimizer, places):
    """The inverse, of an optimizer from a file, which does not say it."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._exclude_from_weight_decay = {
        inner._var_key(inner._trainable_variables[place]) for place in places
    }
    inner._exclude_from_weight_decay_pattern = None
    inner._exclude_from_weight_decay_cache = {}


def step_of(optimizer):
    """The variable in which an optimizer counts its steps."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def shared_seeds():
    """The state of the random generator that is everybody's, if anybody has drawn from it."""
    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    return [] if generator is None else [generator.state]


def build_metrics(model, batch):
    """Makes the variables of a compiled model's metrics before the first step.

    On TensorFlow they come in it, when what they had counted cannot be given to them any more.

    Args:
        model: The model.
        batch: The spec of a batch, as of a `tf.data.Dataset`.
    """
    model._symbolic_build(
        data_batch=keras.tree.map_structure(
            lambda each: keras.KerasTensor(tuple(each.shape), each.dtype.name), batch
        )
    )

"""What of a training is in no `.keras` file of Keras, and decides the next step all the same.

Beside weights and optimizer that is the state of every random generator, of dropout and of Mask
R-CNN's sampling; what metrics have counted in the epoch; and what callbacks remember.
"""

import contextlib

import keras
import numpy as np

from kseg.models.graph import leave_out_of_decay, left_out_of_decay, shared_seeds

SEED, METRIC, TORCH = "seed", "metric", "torch"  # what arrays are called after

# What callbacks of Keras go by, `EarlyStopping` and `ReduceLROnPlateau` among them
REMEMBERED = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


def arrays_of(model):
    """Random generators and metrics of a model, as arrays by name."""
    kinds = {SEED: seeds_of(model), METRIC: model.metrics_variables}
    arrays = {
        f"{kind}{place}": keras.ops.convert_to_numpy(each)
        for kind, variables in kinds.items()
        for place, each in enumerate(variables)
    }
    return arrays | {f"{TORCH}{place}": each.numpy() for place, each in enumerate(_torch_states())}


def _torch_states():
    """States of PyTorch's own generators, from which Keras' dropout draws there: CPU, each GPU."""
    if keras.backend.backend() != "torch":
        return []
    import torch

    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *gpus]


def seeds_of(model):
    """The variables that are no weights of a model: the states of its random generators, and of
    the one that layers without their own draw from."""
    weights = {id(each) for each in model.weights}
    return [*(each for each in model.variables if id(each) not in weights), *shared_seeds()]


def restore_arrays(model, arrays, assign):
    """Takes up random generators and metrics where they stood, before the next step.

    Args:
        model, arrays: The model; of `arrays_of`.
        assign: Function of a variable and its value.
    """
    _restore(seeds_of(model), arrays, SEED, assign)
    _restore(model.metrics_variables, arrays, METRIC, assign)
    states = [arrays.get(f"{TORCH}{place}") for place in range(len(_torch_states()))]
    if states and states[0] is not None:  # a checkpoint of another backend has none
        import torch

        torch.set_rng_state(torch.from_numpy(states[0]))
        for gpu, state in enumerate(states[1:]):
            if state is not None:
                torch.cuda.set_rng_state(torch.from_numpy(state), gpu)


def without_metrics(arrays):
    """What is to be taken up where the epoch begins anew."""
    return {name: each for name, each in arrays.items() if not name.startswith(METRIC)}


def _restore(variables, arrays, kind, assign):
    values = [arrays.get(f"{kind}{place}") for place in range(len(variables))]
    if all(
        value is not None and value.shape == tuple(each.shape)
        for value, each in zip(values, variables)
    ):
        for each, value in zip(variables, values):
            assign(each, value)


def note_of_optimizer(model):
    """What of an optimizer its file does not say, as JSON can."""
    return {"left_out_of_decay": left_out_of_decay(model.optimizer)}


def restore_optimizer(model, note):
    """The inverse."""
    leave_out_of_decay(model.optimizer, note["left_out_of_decay"])


def notes_of_callbacks(callbacks):
    """What Keras' callbacks remember, as JSON can: a dict for each."""
    return [
        {
            name: float(getattr(each, name))
            for name in REMEMBERED
            if isinstance(getattr(each, name, None), int | float | np.number)
        }
        for each in callbacks
    ]


def restore_callbacks(callbacks, notes):
    """The inverse; of other callbacks than those of before nothing is taken up."""
    for each, note in zip(callbacks, notes):
        for name, value in note.items():
            if hasattr(each, name):  # `best` is None until there is one
                setattr(each, name, int(value) if value.is_integer() else value)


def keeps_average(model):
    """Whether the optimizer of a model keeps a moving average of its weights."""
    return bool(getattr(_inner(model.optimizer), "use_ema", False))


def _inner(optimizer):
    return getattr(optimizer, "inner_optimizer", optimizer)


@contextlib.contextmanager
def averaged(model):
    """Within it a model has the moving average of its weights, where its optimizer keeps one."""
    if not keeps_average(model):
        yield
        return
    optimizer = _inner(model.optimizer)
    weights = model.trainable_variables
    own = [np.array(keras.ops.convert_to_numpy(each)) for each in weights]
    type(optimizer).finalize_variable_values(optimizer, weights)  # whatever `going_on` says
    try:
        yield
    finally:
        for each, value in zip(weights, own):
            each.assign(value)


@contextlib.contextmanager
def going_on(model, ends):
    """Within it a call of `fit` does not take itself for the end of the training.

    At its end Keras puts the moving average in the place of the weights.

    Args:
        model: The model.
        ends: Whether it is the end.
    """
    if ends:
        yield
        return
    optimizer = model.optimizer
    optimizer.finalize_variable_values = lambda weights: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values

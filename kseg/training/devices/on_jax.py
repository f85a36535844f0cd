"""Many devices on JAX, of one process or of several: `keras.distribution.DataParallel`.

A step is compiled for the whole batch, and XLA adds up over the devices: losses, batch norm and
metrics are those of one device. Between the calls of `fit`, and to validate, a process has the
weights to itself.
"""

import contextlib
import itertools
import pickle

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from kseg.models.contract import part
from kseg.training.devices.lost import lost
from kseg.training.devices.one import Devices

PATIENCE = 24 * 3600 * 1000  # milliseconds, with a worker that lives, but has not come so far
BARRIERS = itertools.count()  # each has a name of its own


class DataParallel(Devices):
    """Devices that share each batch, in equal parts.

    Args:
        devices: Of JAX; all those of each process, where there are several.
    """

    uneven = False

    def __init__(self, devices):
        self.processes, self.process = jax.process_count(), jax.process_index()
        self.count = len(devices)
        mesh = keras.distribution.DeviceMesh((self.count,), ["batch"], devices)
        self.distribution = keras.distribution.DataParallel(mesh, auto_shard_dataset=False)

    def places(self, source):
        """As many in all processes, whose parts are one array: see `max_instances`."""
        return part("kseg.training", source.task).PLACES if self.processes > 1 else None

    @contextlib.contextmanager
    def training(self, model, batch_size):
        with lost():
            self._place(model)
            try:
                with self.distribution.scope():
                    yield
            finally:
                self._bring_home(variables_of(model))

    def _place(self, model):
        """Every device has the weights, and all else, of the first process."""
        variables = variables_of(model)
        values = [np.asarray(each.value) for each in variables]
        if self.processes > 1:
            values = multihost_utils.broadcast_one_to_all(values)
        for variable, value in zip(variables, values):
            self.assign(variable, np.asarray(value))

    def assign(self, variable, value):
        variable._layout = self.distribution.get_variable_layout(variable)  # of what Keras assigns
        sharding = variable._layout.backend_layout
        variable._value = jax.make_array_from_callback(value.shape, sharding, value.__getitem__)

    def _bring_home(self, variables):
        for variable in variables:
            variable._layout = None
            if variable._value is not None and not variable._value.is_deleted():
                variable._value = jax.numpy.array(variable._value.addressable_data(0))

    @contextlib.contextmanager
    def alone(self, model):
        variables = variables_of(model)
        shared = [(each._value, each._layout) for each in variables]
        self._bring_home(variables)
        try:
            with without_distribution():
                yield
        finally:
            for variable, (value, layout) in zip(variables, shared):
                variable._value, variable._layout = value, layout

    def gathered(self, value):
        if self.processes == 1:
            return [value]
        sent = np.frombuffer(pickle.dumps(value), np.uint8)
        with lost(), without_distribution():
            sizes = multihost_utils.process_allgather(np.array([sent.size]))
            padded = np.zeros(int(sizes.max()), np.uint8)
            padded[: sent.size] = sent
            every = multihost_utils.process_allgather(padded)
        every = np.asarray(every).reshape(self.processes, -1)
        return [
            pickle.loads(one[: int(size)].tobytes())
            for one, size in zip(every, np.asarray(sizes).ravel())
        ]

    def any(self, flag):
        if self.processes == 1:
            return flag
        with lost(), without_distribution():
            return bool(np.any(multihost_utils.process_allgather(np.array(bool(flag)))))

    def wait(self):
        """By JAX' coordination, which waits as long as the others live."""
        if self.processes > 1:
            with lost():
                client().wait_at_barrier(f"kseg_{next(BARRIERS)}", PATIENCE)

    def close(self, model):
        model.train_function = None  # compiled for these devices


def client():
    """JAX' way to talk with the other processes beside the arrays."""
    from jax._src import distributed

    return distributed.global_state.client


def variables_of(model):
    """All that a step of a model reads or changes, as Keras takes it out of the model for it."""
    optimizer = model.optimizer
    return [*model.variables, *model.metrics_variables, *(optimizer.variables if optimizer else ())]


@contextlib.contextmanager
def without_distribution():
    """Within it Keras places everything on the first device of this process."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)

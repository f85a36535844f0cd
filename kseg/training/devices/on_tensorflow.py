"""Several devices of one machine on TensorFlow: `tf.distribute.MirroredStrategy`."""

import contextlib
import functools

import keras
import tensorflow as tf

from kseg.base.tensorflow import mapped
from kseg.models.graph import layers_of
from kseg.ops import replicas
from kseg.training.devices.one import Devices


class Mirrored(Devices):
    """The replicas of a strategy; Keras' `fit` splits each batch among them.

    In equal parts, for it adds up those of the first batch.
    """

    uneven = False

    def __init__(self, strategy):
        self.strategy = strategy
        self.count = strategy.num_replicas_in_sync

    @classmethod
    def of(cls, count):
        """Of the first so many GPUs, or of logical CPU devices where there is no GPU."""
        return cls(_strategy(tuple(each.name for each in listed()[:count])))

    def batches(self, dataset):
        """Without bool: to know its shapes, Keras adds up the parts of the first batch."""

        def number(x):
            return tf.cast(x, tf.uint8) if x.dtype == tf.bool else x

        return mapped(dataset, lambda *batch: tf.nest.map_structure(number, batch))

    def scope(self):
        return self.strategy.scope()

    @contextlib.contextmanager
    def training(self, model, batch_size):
        optimizer = model.optimizer
        optimizer.apply = lambda grads, variables=None: type(optimizer).apply(
            optimizer, added(grads), variables
        )
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        inner._all_reduce_sum_gradients = list  # they are added up by then
        norms = [
            each
            for each in layers_of(model)
            if isinstance(each, keras.layers.BatchNormalization) and not each.synchronized
        ]
        for norm in norms:
            norm.synchronized = True
        try:
            with replicas.together(Team(batch_size)):
                yield
        finally:
            del optimizer.apply, inner._all_reduce_sum_gradients
            for norm in norms:
                norm.synchronized = False

    def assign(self, variable, value):
        """The first device has counted it all: TensorFlow would give each its part, rounded."""
        parts = variable.value.values
        if variable.value.aggregation != tf.VariableAggregation.SUM:
            variable.assign(value)
            return
        for place, part in enumerate(parts):
            part.assign(value if place == 0 else tf.zeros_like(part))

    def close(self, model):
        model.train_function = None


@functools.cache
def _strategy(names):
    """One for each set of devices: each numbers its sums from 1 on, and TensorFlow remembers their
    shapes. A second training in a process, of another network, would be refused."""
    return tf.distribute.MirroredStrategy(names)


def listed():
    """GPUs of this machine, or where there is none its logical CPU devices."""
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


class Team:
    """What `kseg.ops.replicas` asks of the others."""

    def __init__(self, rows):
        self.all_rows = rows

    def is_training(self):
        context = tf.distribute.get_replica_context()
        return context is not None and context.num_replicas_in_sync > 1

    def workers(self):
        return tf.distribute.get_replica_context().num_replicas_in_sync

    def rows(self, own):
        """Keras gives each replica as many, rounded up; the last the rest."""
        place = tf.distribute.get_replica_context().replica_id_in_sync_group
        most = -(-self.all_rows // self.workers())
        return place * most, place * most + own, self.all_rows

    def summed(self, x):
        return tf.distribute.get_replica_context().all_reduce("SUM", x)

    def counted(self, x):
        return x  # Keras adds up what the replicas' metrics have counted

    def averaged(self, loss):
        return loss / self.workers()


def added(grads):
    """Gradients added up over the replicas, before they are clipped; None stays None."""
    context = tf.distribute.get_replica_context()
    there = [grad for grad in grads if grad is not None]
    if context is None or not there:
        return grads
    sums = iter(context.all_reduce("SUM", there))
    return [grad if grad is None else next(sums) for grad in grads]

"""Compiled code of the current backend, for the metrics' tests."""

import keras


def jitted_update(metric):
    """`metric.update_state` as compiled code of the current backend."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(metric.update_state)
    if backend == "jax":
        import jax

        step = jax.jit(metric.stateless_update_state)

        def update(*args):
            values = step([v.value for v in metric.variables], *args)
            for variable, value in zip(metric.variables, values, strict=True):
                variable.assign(value)

        return update
    return metric.update_state

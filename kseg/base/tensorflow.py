"""TensorFlow on first use, for the input pipelines only."""

import functools


@functools.cache
def tensorflow():
    """Imports TensorFlow once; where Keras runs on another backend, keeps it off the GPU.

    TensorFlow takes all of a GPU's memory when it first sees one, which would leave nothing for
    JAX or PyTorch.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:
            pass  # the program used TensorFlow before and made its own choice
    return tf


def mapped(ds, function):
    """`ds.map(function)` in parallel, without AutoGraph, which would take seconds to start.

    kseg's own functions need none: their branches are TensorFlow operations. A user's are
    converted one by one; see `converted`.
    """
    tf = tensorflow()
    function = tf.autograph.experimental.do_not_convert(function)
    return ds.map(function, num_parallel_calls=tf.data.AUTOTUNE)


def converted(function):
    """A user's decode or transform as a graph wants it: with AutoGraph, for `if` on tensors."""
    if tensorflow().executing_eagerly() or (function.__module__ or "").startswith("kseg."):
        return function
    return tensorflow().function(function)

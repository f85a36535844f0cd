"""TensorFlow on first use, for the input pipelines only."""

import functools
import inspect


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


def in_order(count, function):
    """Yields `function(index)` for index 0..count-1 in NumPy arrays, made ahead in parallel."""
    tf = tensorflow()
    ds = mapped(tf.data.Dataset.range(count), function).prefetch(2)
    yield from ds.with_options(as_written()).as_numpy_iterator()


def as_written():
    """Options of a data set in which nothing is left to rewrite.

    TensorFlow looks for it each time that a data set is gone through, in longer than it takes to
    read a batch of small photos.
    """
    options = tensorflow().data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return options


def converted(function):
    """A user's decode or transform as a graph wants it: with AutoGraph, for `if` on tensors."""
    if tensorflow().executing_eagerly() or (function.__module__ or "").startswith("kseg."):
        return function
    return tensorflow().function(function)


def built_once(*tensors):
    """Decorator for a function of tensors: a graph of its own, which other graphs call.

    What reads a mask is some hundred operations, and every data set, split and look at a sample
    would make them anew, in longer than it takes to read the mask. They are made once for each set
    of the other arguments, which have to be hashable.

    Args:
        *tensors: Names of the arguments that are tensors, or become such.
    """

    def of_any_size(shape):
        return shape.rank if shape.rank is None else (None,) * shape.rank

    def decorate(function):
        signature = inspect.signature(function)

        @functools.cache
        def graph(specs, options):
            def call(*values):
                return function(**dict(zip(tensors, values)), **dict(options))

            tf = tensorflow()
            return tf.function(call, [tf.TensorSpec(*spec) for spec in specs], autograph=False)

        @functools.wraps(function)
        def call(*args, **kwargs):
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            options = dict(given.arguments)
            values = [tensorflow().convert_to_tensor(options.pop(name)) for name in tensors]
            specs = tuple((of_any_size(value.shape), value.dtype) for value in values)
            return graph(specs, tuple(options.items()))(*values)

        call.graph = graph
        return call

    return decorate

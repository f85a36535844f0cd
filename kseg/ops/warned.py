"""A warning out of compiled code, which cannot raise: what has made a result NaN is said.

PyTorch runs eagerly and raises. JAX calls back to the host, and a graph of TensorFlow runs a
function of Python; one that XLA compiles can do neither, and stays silent. kseg's own models look
at labels before they are compiled: there nothing is added, and JAX keeps its cache of compilations,
which holds no code that calls back.
"""

import contextlib
import contextvars
import warnings

import keras
import numpy as np

_looked = contextvars.ContextVar("looked", default=False)


@contextlib.contextmanager
def looked_before():
    """Within it, what is compiled gets labels that have been looked at."""
    token = _looked.set(True)
    try:
        yield
    finally:
        _looked.reset(token)


def warn_where(wrong, text):
    """`wrong`, a bool scalar of compiled code; when that runs and it holds, `text` is a warning."""
    backend = keras.backend.backend()
    if _looked.get() or isinstance(wrong, keras.KerasTensor):
        return wrong

    def say(is_wrong):
        if is_wrong:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        return np.bool_(is_wrong)

    if backend == "jax":
        import jax

        jax.debug.callback(say, wrong)
    elif backend == "tensorflow":
        import tensorflow as tf
        from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

        if not GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
            said = tf.cond(wrong, lambda: tf.numpy_function(say, [wrong], tf.bool), lambda: False)
            wrong = tf.logical_or(wrong, tf.ensure_shape(said, ()))
    return wrong

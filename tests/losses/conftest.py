"""What the loss tests share: one way to compile, and to differentiate, on every backend."""

import keras
import numpy as np
import pytest


def _compiled(function):
    """`function` of tensors as compiled code of the current backend (torch has only eager)."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def _gradient(function, x):
    """d function / dx of a scalar function, as NumPy."""
    backend = keras.config.backend()
    x = keras.ops.convert_to_tensor(x)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return np.asarray(tape.gradient(y, x))
    if backend == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(function))(x))
    x = x.detach().requires_grad_()
    function(x).backward()
    return x.grad.numpy()


@pytest.fixture
def compiled():
    return _compiled


@pytest.fixture
def gradient():
    return _gradient


@pytest.fixture
def case():
    """Random (y_true, y_pred, sample_weight): voids, an absent class 3, one image all void."""

    def make(seed, channels=4, shape=(3, 5, 6)):
        rng = np.random.default_rng(seed)
        classes = [0, 1, 255] if channels == 1 else [0, 1, 2, 255]
        y_true = rng.choice(classes, shape).astype("uint8")
        if len(y_true) > 1:
            y_true[-1] = 255
        y_pred = rng.normal(0, 3, (*shape, channels)).astype("float32")
        return y_true, y_pred, rng.uniform(0.1, 2, shape).astype("float32")

    return make

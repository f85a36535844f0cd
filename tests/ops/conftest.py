"""Each function runs in every way of its backend. JAX is left compiled: uncompiled, it compiles
each operation by itself."""

import functools

import keras
import numpy as np
import pytest

WAYS = {"tensorflow": ("eager", "graph", "xla"), "jax": ("xla",), "torch": ("eager",)}


@functools.cache
def compiled(function, way):
    backend = keras.config.backend()
    if way == "eager":
        return function
    if backend == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=way == "xla", autograph=False)


@pytest.fixture(scope="session", params=WAYS[keras.config.backend()])
def run(request):
    """run(function, *arrays) -> what the function gives, as NumPy; compiled once a shape."""

    def call(function, *arrays):
        result = compiled(function, request.param)(*map(keras.ops.convert_to_tensor, arrays))
        return keras.tree.map_structure(keras.ops.convert_to_numpy, result)

    call.way = request.param
    return call


@pytest.fixture(scope="session")
def gradient(run):
    """gradient(function, upstream, *arrays) -> d sum(function(*arrays) * upstream) by each."""

    def call(function, upstream, *arrays):
        if keras.config.backend() == "torch":
            import torch

            leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
            (function(*leaves) * torch.tensor(upstream)).sum().backward()
            return [np.zeros_like(x) if x.grad is None else x.grad.numpy() for x in leaves]
        return run(_gradient(function), upstream, *arrays)

    return call


@functools.cache
def _gradient(function):
    if keras.config.backend() == "jax":
        import jax

        def loss(arrays, upstream):
            return (function(*arrays) * upstream).sum()

        return lambda upstream, *arrays: jax.grad(loss)(arrays, upstream)

    import tensorflow as tf

    def result(upstream, *arrays):
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            loss = tf.reduce_sum(function(*arrays) * upstream)
        gradients = tape.gradient(loss, arrays, unconnected_gradients="zero")
        return [tf.convert_to_tensor(x) for x in gradients]

    return result

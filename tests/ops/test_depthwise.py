"""The depthwise convolution against Keras', values and gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from kseg.ops.depthwise import depthwise_conv

# (height, width), kernel, stride, padding, dilation
CASES = [
    ((8, 8), 3, 1, "same", 1),
    ((7, 9), 3, 2, "same", 1),
    ((8, 10), 3, 2, "same", 1),
    ((8, 8), 5, 2, "same", 1),
    ((9, 7), 5, 1, "same", 1),
    ((9, 12), 3, 1, "same", 2),
    ((9, 12), 5, 1, "valid", 2),
    ((9, 10), 3, 2, "valid", 1),
    ((1, 1), 3, 1, "same", 1),
    ((1, 2), 5, 2, "same", 1),
    ((3, 3), 1, 2, "same", 1),
    ((5, 4), 2, 2, "valid", 1),
    ((7, 7), 1, 3, "same", 1),
]


def gradients(function, x, kernel, weight):
    """d sum(function(x, kernel) * weight) by x and by kernel, as NumPy."""
    backend = keras.config.backend()
    if backend == "jax":
        import jax

        loss = jax.jit(lambda x, k: (function(x, k) * weight).sum())
        return [np.asarray(g) for g in jax.grad(loss, (0, 1))(x, kernel)]
    if backend == "tensorflow":
        import tensorflow as tf

        x, kernel = tf.constant(x), tf.constant(kernel)
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            loss = tf.reduce_sum(function(x, kernel) * weight)
        return [g.numpy() for g in tape.gradient(loss, [x, kernel])]
    import torch

    x, kernel = (torch.tensor(v, requires_grad=True) for v in (x, kernel))
    (function(x, kernel) * torch.tensor(weight)).sum().backward()
    return [x.grad.numpy(), kernel.grad.numpy()]


def test_by_hand():
    # one row 1 2 3 under the kernel 1 10 100: 0 + 20 + 300... padded 0 | 1 2 3 | 0 gives
    # 10*1 + 100*2 = 210, 1*1 + 10*2 + 100*3 = 321, 1*2 + 10*3 = 32; the rows above and below are 0
    x = np.array([1, 2, 3], "float32").reshape(1, 1, 3, 1)
    kernel = np.zeros((3, 3, 1, 1), "float32")
    kernel[1, :, 0, 0] = 1, 10, 100
    np.testing.assert_array_equal(
        ops.convert_to_numpy(depthwise_conv(x, kernel)).ravel(), [210, 321, 32]
    )


@pytest.mark.few("size1-", "size4", "size5", "size6", "size7")
@pytest.mark.parametrize("size, side, stride, padding, dilation", CASES)
def test_values_and_gradients_equal_those_of_keras(size, side, stride, padding, dilation, rng):
    x = rng.normal(size=(2, *size, 4)).astype("float32")
    kernel = rng.normal(size=(side, side, 4, 1)).astype("float32")

    def reference(x, kernel):
        return ops.depthwise_conv(
            x, kernel, strides=stride, padding=padding, dilation_rate=dilation
        )

    def ours(x, kernel):
        return depthwise_conv(x, kernel, stride, padding, dilation)

    expected = ops.convert_to_numpy(reference(x, kernel))
    np.testing.assert_allclose(ops.convert_to_numpy(ours(x, kernel)), expected, atol=1e-5)
    weight = rng.normal(size=expected.shape).astype("float32")
    for got, wanted in zip(
        gradients(ours, x, kernel, weight), gradients(reference, x, kernel, weight)
    ):
        np.testing.assert_allclose(got, wanted, atol=3e-5)


def test_bfloat16(rng):
    x = ops.cast(rng.normal(size=(1, 6, 6, 3)), "bfloat16")
    kernel = ops.cast(rng.normal(size=(3, 3, 3, 1)), "bfloat16")
    y = depthwise_conv(x, kernel)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    exact = depthwise_conv(ops.cast(x, "float32"), ops.cast(kernel, "float32"))
    # 9 products of 8 bits each
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(y, "float32")), ops.convert_to_numpy(exact), atol=0.1
    )

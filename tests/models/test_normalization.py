"""Batch norm by PyTorch's kernel, beside Keras' own layer."""

import keras
import numpy as np
import pytest

from kseg.models.normalization import BatchNormalization

OPTIONS = [{}, {"momentum": 0.5, "epsilon": 1e-5}, {"scale": False}, {"center": False, "axis": 3}]


def pair(**options):
    """Keras' layer and kseg's, with the same weights."""
    layers = [kind(**options) for kind in (keras.layers.BatchNormalization, BatchNormalization)]
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.build((None, None, None, 5))
    for mine, own in zip(*(layer.weights for layer in layers)):
        value = rng.uniform(0.5, 2, mine.shape)
        mine.assign(value)
        own.assign(value)
    return layers


def images(dtype="float32", seed=1):
    x = np.random.default_rng(seed).normal(3, 2, (2, 4, 6, 5))
    return keras.ops.cast(keras.ops.array(x.astype("float32")), dtype)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_as_keras(options, training):
    keras_own, ours = pair(**options)
    expected, actual = (layer(images(), training=training) for layer in (keras_own, ours))
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (actual, expected)), atol=2e-5)
    for mine, own in zip(ours.weights, keras_own.weights):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (mine, own)), rtol=1e-5)


def test_frozen_it_stays():
    _, ours = pair()
    ours.trainable = False
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in ours.weights]
    quiet = ours(images(), training=False)
    np.testing.assert_array_equal(
        *map(keras.ops.convert_to_numpy, (ours(images(), training=True), quiet))
    )
    for weight, value in zip(ours.weights, before):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)


@pytest.mark.backends("torch", reason="the others compute it as Keras")
def test_gradients():
    import torch

    slopes = []
    for layer in pair():
        x = images().requires_grad_()
        y = layer(x, training=True)
        up = torch.tensor(np.random.default_rng(2).normal(size=(2, 4, 6, 5)).astype("float32"))
        slopes.append(torch.autograd.grad(y, [x, layer.gamma.value, layer.beta.value], up))
    for ours, theirs in zip(*slopes):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_bfloat16():
    keras_own, ours = pair(dtype="mixed_bfloat16")
    expected, actual = (layer(images("bfloat16"), training=True) for layer in (keras_own, ours))
    assert keras.backend.standardize_dtype(actual.dtype) == "bfloat16"
    actual, expected = (
        keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for each in (actual, expected)
    )
    np.testing.assert_allclose(actual, expected, atol=0.04)  # one step of numbers of 4


def test_a_symbolic_call_moves_nothing():
    _, ours = pair()
    before = keras.ops.convert_to_numpy(ours.moving_mean).copy()
    variables = [weight.value for weight in ours.non_trainable_variables]
    weights = [weight.value for weight in ours.trainable_variables]
    _, moved = ours.stateless_call(weights, variables, images(), training=True)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours.moving_mean), before)
    assert np.abs(keras.ops.convert_to_numpy(moved[0]) - before).min() > 1e-3

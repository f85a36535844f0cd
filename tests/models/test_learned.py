"""A training step without Keras' words around each layer: the same, to the bit."""

import keras
import numpy as np
import pytest
from seeds import fresh_seed

import kseg
from kseg.models import graph, inputs, learned
from kseg.models.normalization import BatchNormalization

pytestmark = pytest.mark.backends("torch", reason="the others compile a step")


class Doubled(keras.layers.Layer):
    """A layer that nobody knows, and that asks whether it is trained."""

    def call(self, x, training=False):
        return x * 2 if training else x


def given():
    image = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    inner = keras.Sequential([keras.layers.Conv2D(4, 1), keras.layers.BatchNormalization()])
    y = keras.layers.Add()([inner(x), x])
    z = keras.ops.concatenate([Doubled()(y), keras.layers.SpatialDropout2D(0.5, seed=3)(x)], -1)
    z = keras.layers.Concatenate()([z, keras.layers.Dropout(0.3, seed=2)(y)])
    frozen = keras.layers.BatchNormalization()
    frozen.trainable = False
    z = frozen(z)
    return inputs.SemanticModel(image, keras.layers.Conv2D(2, 1, dtype="float32")(z))


MODELS = {
    "unet": lambda: kseg.build_unet(2, width=4, compile=False),
    "deeplabv3plus": lambda: kseg.build_deeplabv3plus(
        2, encoder="torchvision:resnet18", separable=True, compile=False
    ),
    "given": given,
}


def trained(name, policy, steps=2):
    """Losses and weights after some steps."""
    fresh_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        model = MODELS[name]()
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(keras.optimizers.SGD(0.01), kseg.CrossEntropyLoss())
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    y = rng.integers(0, 2, (2, 32, 32))
    losses = [float(model.train_on_batch(x, y)) for _ in range(steps)]
    return losses, [keras.ops.convert_to_numpy(weight) for weight in model.weights]


@pytest.mark.few("unet", "given")
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_as_keras_calls(monkeypatch, name, policy):
    calls = []

    def counted(model, x, real=learned.learned):
        calls.append(model.name)
        return real(model, x)

    monkeypatch.setattr(learned, "learned", counted)
    here = trained(name, policy)
    went = len(calls)
    assert went >= 2
    monkeypatch.setattr(learned, "_walks", lambda *arguments: False)
    losses, weights = trained(name, policy)
    assert losses == here[0]
    for ours, theirs in zip(here[1], weights):
        np.testing.assert_array_equal(ours, theirs)
    assert len(calls) == went


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_prediction_calls_layers_as_keras_does(policy, rng):
    """With gradients kept nothing is folded: the same, to the bit. Who is watched is called."""
    keras.config.set_dtype_policy(policy)
    model = MODELS["given"]()
    x = rng.integers(0, 256, (1, 16, 24, 3)).astype("float32")
    plain = keras.Model(model.input, model.output)  # whose call is Keras' own
    actual, expected = graph.run(plain, x), plain(x, training=False)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(y) for y in (actual, expected)))
    seen = []
    model.get_layer(index=1).register_forward_hook(lambda *given: seen.append(given))
    graph.run(plain, x)
    assert len(seen) == 1


def test_who_is_watched_is_called():
    model, seen = MODELS["unet"](), []
    layer = next(each for each in model.layers if isinstance(each, keras.layers.Conv2D))
    hook = layer.register_forward_hook(lambda *given: seen.append(given))
    x = np.zeros((1, 32, 32, 3), "float32")
    model(x, training=True)
    hook.remove()
    model(x, training=True)
    assert len(seen) == 1
    assert not learned._walks(model, keras.KerasTensor((1, 32, 32, 3)))


def test_a_remade_layer_is_called_as_ever():
    with keras.RematScope("full"):
        conv = keras.layers.Conv2D(2, 3, padding="same")
    image = keras.Input((8, 8, 3))
    model = inputs.SemanticModel(image, conv(image))
    x = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype("float32")
    expected = keras.Model(image, model.output)(x, training=True)
    actual = model(x, training=True)
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (actual, expected)))


def test_keras_own_predict_is_folded(monkeypatch):
    """Batch norm and ReLU go into the convolutions before them; where a gradient is asked for they
    do not, nor where somebody looks."""
    import torch

    model = MODELS["unet"]()
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).uniform(0.01, 0.3, weight.shape))
    seen, real = [], BatchNormalization.call
    monkeypatch.setattr(
        BatchNormalization, "call", lambda *given, **more: seen.append(1) or real(*given, **more)
    )
    expected = keras.ops.convert_to_numpy(model(x, training=False))
    count = len(seen)
    assert count > 8
    with torch.no_grad():
        found = [model.predict(x, verbose=0), model.predict_on_batch(x)]
    assert len(seen) == count
    for each in found:
        np.testing.assert_allclose(each, expected, atol=2e-5 * np.abs(expected).max())
    norm = next(each for each in model.layers if isinstance(each, BatchNormalization))
    hook = norm.register_forward_hook(lambda *given: None)
    model.predict(x, verbose=0)
    assert len(seen) == 2 * count
    hook.remove()
    vars(norm)["call"] = norm.call
    model.predict(x, verbose=0)
    assert len(seen) == 3 * count


def test_what_a_layer_asks_for_later_is_seen():
    """An activity regularizer that is set after the first step counts from then on."""
    model = MODELS["unet"]()
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    model(x, training=True)
    assert model.losses == []
    conv = next(each for each in model.layers if isinstance(each, keras.layers.Conv2D))
    conv.activity_regularizer = keras.regularizers.L2(0.1)
    model(x, training=True)
    assert len(model.losses) == 1 and float(model.losses[0].detach()) > 0

"""Sums of losses: values, flattening, saving, and model.fit with them."""

import keras
import numpy as np
import pytest

from kseg.losses import CrossEntropyLoss, DiceLoss, WeightedSum


def tiny_model(policy="float32", channels=3, **options):
    """A 1 x 1 convolution of 8 x 8 images."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(channels, 1, dtype=policy)(inputs)
    model = keras.Model(inputs, keras.layers.Activation("linear", dtype="float32")(x))
    model.compile("sgd", loss=DiceLoss() + 0.5 * CrossEntropyLoss(class_weight={1: 2.0}), **options)
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 8, 8, 3)).astype("float32")
    y = x.argmax(-1).astype("uint8")
    y[:, 0] = 255
    return x, y


def test_value_and_weights(case):
    y_true, y_pred, weight = case(0)
    d, ce = DiceLoss(), CrossEntropyLoss()
    for args in ((y_true, y_pred), (y_true, y_pred, weight)):
        one, two = float(d(*args)), float(ce(*args))
        assert float((d + ce)(*args)) == pytest.approx(one + two, rel=1e-6)
        assert float((d + 0.5 * ce)(*args)) == pytest.approx(one + two / 2, rel=1e-6)
        assert float((np.float64(2) * (ce * 3 + d))(*args)) == pytest.approx(
            6 * two + 2 * one, rel=1e-6
        )


def test_sums_are_flat():
    total = 2 * (DiceLoss() + 0.5 * (CrossEntropyLoss() + keras.losses.MeanSquaredError()))
    assert [type(x).__name__ for x in total.losses] == [
        "DiceLoss",
        "CrossEntropyLoss",
        "MeanSquaredError",
    ]
    assert total.weights == [2.0, 1.0, 1.0]
    assert isinstance(keras.losses.MeanSquaredError() + DiceLoss(), WeightedSum)


def test_what_cannot_be_added():
    for wrong in (
        lambda: DiceLoss() + 1,
        lambda: "a" * DiceLoss(),
        lambda: DiceLoss() * DiceLoss(),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError, match="Keras losses"):
        WeightedSum([max])
    with pytest.raises(ValueError, match="weights=nan: expected a finite number"):
        WeightedSum([DiceLoss()], [float("nan")])
    with pytest.raises(ValueError, match=r"weights=\[1\]: expected .* each of 2 losses"):
        WeightedSum([DiceLoss(), DiceLoss()], [1])
    with pytest.raises(ValueError, match=r"losses=\[\]: expected at least one"):
        WeightedSum([])


def test_a_saved_model_loads_without_custom_objects(tmp_path):
    model = tiny_model()
    x, y = batch()
    before = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(before, rel=1e-6)
    assert loaded.loss.get_config() == model.loss.get_config()
    assert loaded.loss.losses[1].options["class_weight"] == {1: 2.0}


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "policy, weights", [("float32", None), ("float32", "image"), ("mixed_bfloat16", "pixel")]
)
def test_fit(policy, weights):
    model = tiny_model(policy)
    x, y = batch()
    weight = {None: None, "image": np.ones(4), "pixel": np.ones((4, 8, 8))}[weights]
    history = model.fit(x, y, sample_weight=weight, batch_size=4, epochs=3, verbose=0).history
    assert np.all(np.diff(history["loss"]) < 0)
    # The first loss is that of the fresh model.
    fresh = tiny_model(policy)
    expected = float(fresh.loss(y, fresh.predict(x, verbose=0), weight))
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4 if policy == "float32" else 1e-2)


@pytest.mark.once("torch")
def test_fit_on_one_hot_labels_and_one_channel():
    x, y = batch()
    one_hot = np.eye(256, dtype="float32")[y][..., :3]
    losses = [tiny_model().fit(x, t, verbose=0).history["loss"] for t in (y, one_hot)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    binary = np.where(y == 255, 255, y == 1)[..., None]
    history = tiny_model(channels=1).fit(x, binary, epochs=3, verbose=0).history["loss"]
    assert np.all(np.diff(history) < 0)


@pytest.mark.backends("tensorflow", reason="JAX always jits; torch.compile is slow")
def test_fit_jit_compiled():
    x, y = batch()
    plain = tiny_model(jit_compile=False).fit(x, y, verbose=0).history["loss"]
    jitted = tiny_model(jit_compile=True).fit(x, y, verbose=0).history["loss"]
    assert jitted == pytest.approx(plain, rel=1e-5)


def test_fit_on_wrong_labels_is_seen():
    x, y = batch()
    y[0, 5, 5] = 9
    if keras.config.backend() == "torch":
        with pytest.raises(ValueError, match=r"\[9\]"):
            tiny_model().fit(x, y, verbose=0)
        return
    model = tiny_model()
    before = model.get_weights()
    assert np.isnan(model.fit(x, y, batch_size=4, verbose=0).history["loss"][0])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # gradient zero: the weights survive


@pytest.mark.backends("tensorflow", reason="tf.distribute")
def test_keras_scales_the_loss_under_a_strategy(monkeypatch):
    from keras.src.losses import loss as keras_loss

    y_true, y_pred = np.array([[0, 1]]), np.zeros((1, 2, 2), "float32")
    total = DiceLoss() + CrossEntropyLoss()
    expected = float(total(y_true, y_pred)) / 2
    monkeypatch.setattr(keras_loss, "scale_loss_for_distribution", lambda value: value / 2)
    assert float(total(y_true, y_pred)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.backends("tensorflow", reason="tf.data of unknown sizes")
@pytest.mark.parametrize("reduce", ["batch", "image"])
def test_unknown_sizes_in_a_graph(case, reduce):
    import tensorflow as tf

    y_true, y_pred, weight = case(0)
    total = DiceLoss(reduce=reduce) + CrossEntropyLoss(reduce=reduce)
    spec = [
        tf.TensorSpec((None, None, None), "int32"),
        tf.TensorSpec((None, None, None, 4)),
        tf.TensorSpec((None, None, None)),
    ]
    graph = tf.function(total, input_signature=spec)
    value = float(graph(y_true.astype("int32"), y_pred, weight))
    assert value == pytest.approx(float(total(y_true, y_pred, weight)), rel=1e-6)

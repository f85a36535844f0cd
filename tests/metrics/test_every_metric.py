"""What every Keras metric of kseg keeps: compiled, split, merged, counted past 2**31, saved."""

import functools

import keras
import numpy as np
import pytest
from metrics.compiled import jitted_update

from kseg.metrics import (
    BoundaryF1,
    BoundaryIoU,
    ExpectedCalibrationError,
    FrequencyWeightedIoU,
    MeanDice,
    MeanIoU,
    MeanPrecision,
    MeanRecall,
    PixelAccuracy,
)
from kseg.metrics.base import BASE

BY_CLASS = [
    MeanIoU,
    MeanDice,
    MeanPrecision,
    MeanRecall,
    FrequencyWeightedIoU,
    PixelAccuracy,
    functools.partial(BoundaryIoU, distance=1),
    functools.partial(BoundaryF1, tolerance=1),
]
EVERY = [*BY_CLASS, functools.partial(ExpectedCalibrationError, bins=7)]
every_metric = pytest.mark.parametrize(
    "make", EVERY, ids=lambda make: getattr(make, "func", make).__name__
)


def random_case(seed, channels=4, images=2):
    """Truth (B, 10, 9) in blocks with void, and logits (B, 10, 9, channels); one class absent."""
    rng = np.random.default_rng(seed)
    classes = max(channels - 1, 2)
    coarse = rng.choice([*range(classes), 255], (images, 4, 3))
    y_true = coarse.repeat(3, 1).repeat(3, 2)[:, :10]
    y_pred = rng.normal(size=(*y_true.shape, channels)).astype("float32")
    if channels > 1:
        y_pred[..., -1] -= 99
        y_pred += 2 * (y_true[..., None] == np.arange(channels))
    return y_true.astype("uint8"), y_pred


@pytest.mark.few("4")
@every_metric
@pytest.mark.parametrize("channels", [1, 4])
def test_eager_is_compiled(make, channels):
    y_true, y_pred = random_case(0, channels)
    eager, compiled = make(channels), make(channels)
    eager.update_state(y_true, y_pred)
    jitted_update(compiled)(y_true, y_pred)
    assert float(eager.result()) > 0
    if isinstance(eager, ExpectedCalibrationError):  # softmax may differ in its last bit
        np.testing.assert_array_equal(compiled.counts()[-1], eager.counts()[-1])
        assert float(compiled.result()) == pytest.approx(float(eager.result()), abs=1e-6)
    else:
        np.testing.assert_array_equal(compiled.counts(), eager.counts())
        assert float(compiled.result()) == float(eager.result())


@pytest.mark.once("torch")
@every_metric
def test_batches_and_shards_do_not_matter(make):
    y_true, y_pred = random_case(1, images=4)
    whole, split, left, right = (make(4) for _ in range(4))
    whole.update_state(y_true, y_pred)
    for i in (0, 2):
        split.update_state(y_true[i : i + 2], y_pred[i : i + 2])
    left.update_state(y_true[2:], y_pred[2:])
    right.update_state(y_true[:2], y_pred[:2])
    left.merge_state([right])
    for metric in (split, left):
        np.testing.assert_array_equal(metric.counts(), whole.counts())
        assert float(metric.result()) == float(whole.result())


@pytest.mark.once("torch")
@every_metric
def test_counts_stay_exact_past_two_to_the_31(make):
    y_true, y_pred = random_case(2)
    metric = make(4)
    metric.update_state(y_true, y_pred)
    once, value = metric.counts(), float(metric.result())
    expected = once
    for _ in range(40):  # doubling by merging with itself, and one more batch each time
        metric.merge_state([metric])
        metric.update_state(y_true, y_pred)
        expected = 2 * expected + once
    np.testing.assert_array_equal(metric.counts(), expected)
    assert metric.counts().max() > 2**41
    assert np.all(keras.ops.convert_to_numpy(metric.low) < BASE)
    assert float(metric.result()) == pytest.approx(value, rel=1e-5)


@every_metric
def test_config_round_trip(make):
    options = {"ignore_class": (0, 255), "from_logits": False, "name": "m"}
    if make in BY_CLASS:
        options |= {"class_names": ["a", "b", "c"], "classes": ["c", 1]}
    metric = make(3, **options)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(copy) is type(metric) and copy.get_config() == metric.get_config()
    for name in ("distance", "tolerance", "bins", "classes", "ignore_class"):
        assert getattr(copy, name, None) == getattr(metric, name, None)


@every_metric
def test_wrong_labels_make_compiled_results_nan(make):
    y_true, y_pred = random_case(3)
    wrong = np.where(y_true == 255, 9, y_true)
    metric = make(4)
    with pytest.raises(ValueError, match=r"ids in y_true=\[9\]"):
        metric.update_state(wrong, y_pred)
    if keras.config.backend() == "torch":
        return  # always eager
    jitted_update(metric)(wrong, y_pred)
    assert np.isnan(float(metric.result()))
    with pytest.raises(ValueError, match="run_eagerly"):
        metric.counts()


@pytest.mark.once("torch")
def test_all_of_them_in_fit_evaluate_and_a_file(tmp_path):
    keras.utils.set_random_seed(0)
    y_true, _ = random_case(4, images=4)
    x = np.random.default_rng(0).normal(size=(4, 10, 9, 3)).astype("float32")
    x[..., 0] += y_true == 0
    model = keras.Sequential([keras.Input((10, 9, 3)), keras.layers.Conv2D(4, 1)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile("sgd", loss, metrics=[make(4) for make in EVERY])
    history = model.fit(x, y_true, batch_size=2, epochs=2, verbose=0).history
    results = model.evaluate(x, y_true, batch_size=2, verbose=0, return_dict=True)
    predicted = model.predict(x, batch_size=2, verbose=0)
    for make in EVERY:
        metric = make(4)
        metric.update_state(y_true, predicted)
        assert 0 < history[metric.name][-1] <= 1
        assert results[metric.name] == pytest.approx(float(metric.result()), rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(x, y_true, batch_size=2, verbose=0, return_dict=True)
    assert again == pytest.approx(results, rel=1e-5)


@pytest.mark.backends("tensorflow", reason="JAX always jits; torch.compile is slow")
@every_metric
def test_xla(make):
    import tensorflow as tf

    y_true, y_pred = random_case(5)
    eager, compiled = make(4), make(4)
    eager.update_state(y_true, y_pred)
    tf.function(compiled.update_state, jit_compile=True)(y_true, y_pred)
    assert float(compiled.result()) == pytest.approx(float(eager.result()), abs=1e-6)

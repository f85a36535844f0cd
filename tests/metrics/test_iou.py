"""MeanIoU and its kin: every form of input, exact counts, and life inside Keras."""

import keras
import numpy as np
import pytest
from metrics.compiled import jitted_update

from kseg.metrics import MeanDice, MeanIoU, PixelAccuracy, confusion_matrix, scores
from kseg.metrics.base import BASE

METRICS = {"mean_iou": MeanIoU, "mean_dice": MeanDice, "pixel_accuracy": PixelAccuracy}


def random_case(seed, classes=4, shape=(3, 5, 7)):
    """(y_true, y_pred ids): voids, and the last class in neither."""
    rng = np.random.default_rng(seed)
    y_true = rng.choice([*range(max(classes - 1, 2)), 255], shape)
    return y_true.astype("uint8"), rng.integers(0, max(classes - 1, 2), shape)


def value(metric):
    return float(metric.result())


def test_by_hand():
    # Counts [[1, 1, 0], [0, 2, 0], [0, 0, 0]]: IoU 1/2 and 2/3, class 2 absent.
    y_true, y_pred = np.array([[0, 0, 1, 1, 255]]), np.array([[0, 1, 1, 1, 0]])
    expected = {"mean_iou": 7 / 12, "mean_dice": (2 / 3 + 4 / 5) / 2, "pixel_accuracy": 3 / 4}
    for name, metric_class in METRICS.items():
        metric = metric_class(3)
        assert metric.name == name
        assert value(metric) == 0.0  # before any update
        metric.update_state(y_true, y_pred)
        assert value(metric) == pytest.approx(expected[name], rel=1e-6)
        assert keras.backend.standardize_dtype(metric.result().dtype) == "float32"
        metric.reset_state()
        assert value(metric) == 0.0 and not metric.confusion().any()


def test_per_class():
    metric = MeanIoU(3, class_names=["sky", "road", "car"])
    metric.update_state(np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]]))
    table = metric.per_class()
    assert list(table) == ["sky", "road", "car"]
    assert (table["sky"], table["road"]) == pytest.approx((1 / 2, 2 / 3))
    assert np.isnan(table["car"])


@pytest.mark.parametrize("seed", range(3))
def test_against_numpy_eager_and_compiled(seed):
    y_true, y_pred = random_case(seed)
    logits = np.eye(4, dtype="float32")[y_pred] * 3 - 1
    counts = confusion_matrix(y_true, y_pred, 4)
    expected = scores(counts)
    for name, metric_class in METRICS.items():
        metric = metric_class(4)
        metric.update_state(y_true, logits)
        update = jitted_update(metric)
        update(y_true, logits)
        np.testing.assert_array_equal(metric.confusion(), 2 * counts)
        assert value(metric) == pytest.approx(expected[name], rel=1e-6)


def test_every_form_of_input():
    y_true, y_pred = random_case(3)
    valid = (y_true != 255)[..., None]
    true_one_hot = np.eye(256, dtype="float32")[y_true][..., :4] * valid
    one_hot = np.eye(4, dtype="float32")[y_pred]
    counts = confusion_matrix(y_true, y_pred, 4)
    trues = (y_true, y_true[..., None], y_true.astype("float32"), true_one_hot)
    preds = (one_hot, one_hot * 9 - 4, one_hot.astype("float16"), y_pred, y_pred[..., None])
    for true in trues:
        for pred in preds:
            metric = MeanIoU(4)
            metric.update_state(true, pred)
            np.testing.assert_array_equal(metric.confusion(), counts)
    for true in trues[:2]:  # integers, and yet clearly one-hot
        metric = MeanIoU(4)
        metric.update_state(true, one_hot.astype("uint8"))
        np.testing.assert_array_equal(metric.confusion(), counts)


def test_a_perfect_prediction_scores_one():
    # keras.metrics.MeanIoU gives one-hot truth and a perfect softmax 0.333.
    y_true = np.eye(3, dtype="float32")[np.random.default_rng(0).integers(0, 3, (2, 4, 5))]
    metric = MeanIoU(3)
    metric.update_state(y_true, y_true * 0.4 + 0.2)
    assert value(metric) == 1.0


@pytest.mark.parametrize("from_logits", [True, False])
def test_binary(from_logits):
    # Counts [[1, 1], [1, 2]]: foreground IoU 2/4, Dice 4/6, accuracy 3/5.
    y_true = np.array([[0, 0, 1, 1, 1, 255]])
    ids = np.array([[0, 1, 0, 1, 1, 1]])
    scores_ = (ids * 0.2 - 0.1 if from_logits else ids * 0.2 + 0.4)[..., None].astype("float32")
    expected = {"mean_iou": 0.5, "mean_dice": 2 / 3, "pixel_accuracy": 0.6}
    for pred in (scores_, ids, ids[..., None], ids.astype(bool)):
        for name, metric_class in METRICS.items():
            metric = metric_class(1, from_logits=from_logits)
            metric.update_state(y_true, pred)
            np.testing.assert_array_equal(metric.confusion(), [[1, 1], [1, 2]])
            assert value(metric) == pytest.approx(expected[name], rel=1e-6)
    assert MeanIoU(1, class_names=["rest", "road"]).class_names == ("rest", "road")


def test_sample_weight_only_switches_pixels_off():
    y_true, y_pred = random_case(4)
    weight = np.random.default_rng(0).choice([0.0, 0.25, 7.0], y_true.shape)
    expected = confusion_matrix(np.where(weight > 0, y_true, 255), y_pred, 4)
    for weights in (weight, weight[..., None]):
        metric = MeanIoU(4)
        metric.update_state(y_true, y_pred, weights)
        np.testing.assert_array_equal(metric.confusion(), expected)
    metric = MeanIoU(4)
    metric.update_state(y_true, y_pred, np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(metric.confusion(), confusion_matrix(y_true[1:], y_pred[1:], 4))


@pytest.mark.once("torch")
def test_batches_order_and_merging_do_not_matter():
    y_true, y_pred = random_case(5, shape=(6, 4, 5))
    whole, split, left, right = (MeanIoU(4) for _ in range(4))
    whole.update_state(y_true, y_pred)
    for i in range(6):
        split.update_state(y_true[i : i + 1], y_pred[i : i + 1])
    order = np.random.default_rng(0).permutation(y_true.size)
    left.update_state(*(y.reshape(1, -1)[:, order[:60]] for y in (y_true, y_pred)))
    right.update_state(*(y.reshape(1, -1)[:, order[60:]] for y in (y_true, y_pred)))
    left.merge_state([right])
    for metric in (split, left):
        np.testing.assert_array_equal(metric.confusion(), whole.confusion())
        assert value(metric) == value(whole)


def test_an_ignored_class_is_neither_counted_nor_scored():
    y_true, y_pred = np.array([[0, 1, 1, 2]]), np.array([[1, 0, 1, 2]])
    metric = MeanIoU(3, ignore_class=(0, 255))
    metric.update_state(y_true, y_pred)
    # Class 1: TP 1, FN 1 (predicted 0); class 2 right: (1/2 + 1) / 2.
    assert value(metric) == pytest.approx(3 / 4)
    assert np.isnan(metric.per_class()["0"])


def test_counts_stay_exact_past_two_to_the_31():
    y_true, y_pred = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 0]])
    metric = MeanIoU(2)
    update = jitted_update(metric)
    update(y_true, y_pred)
    expected = np.array([[1, 1], [0, 1]])
    for _ in range(40):  # doubling by merging with itself, and one more batch each time
        metric.merge_state([metric])
        update(y_true, y_pred)
        expected = 2 * expected + [[1, 1], [0, 1]]
        np.testing.assert_array_equal(metric.confusion(), expected)
        assert np.all(keras.ops.convert_to_numpy(metric.low) < BASE)
        assert value(metric) == pytest.approx(0.5, rel=1e-6)
    assert metric.confusion().max() == 2**41 - 1


def test_one_batch_may_fill_an_int32():
    # A batch of 2**31 - 1 pixels in one cell, on a nearly full low word.
    metric = MeanIoU(2)
    batch = np.full((2, 2), 2**31 - 1, "int32")
    metric.low.assign(np.full((2, 2), BASE - 1, "int32"))
    metric._add(
        keras.ops.convert_to_tensor(batch % BASE), keras.ops.convert_to_tensor(batch // BASE)
    )
    np.testing.assert_array_equal(metric.confusion(), 2**31 - 1 + BASE - 1)


def test_words_summed_over_replicas_keep_their_value():
    metric = MeanIoU(2)
    metric.low.assign(np.full((2, 2), 100 * (BASE - 1), "int32"))  # 100 replicas' low words
    np.testing.assert_array_equal(metric.confusion(), 100 * (BASE - 1))
    metric.update_state(np.array([[0]]), np.array([[0]]))
    assert metric.confusion()[0, 0] == 100 * (BASE - 1) + 1


def test_the_result_keeps_float32_accuracy():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 2**40, (150, 150)) + np.diag(rng.integers(0, 2**47, 150))
    for name, metric_class in METRICS.items():
        metric = metric_class(150)
        metric.low.assign((counts % BASE).astype("int32"))
        metric.high.assign((counts // BASE).astype("int32"))
        np.testing.assert_array_equal(metric.confusion(), counts)
        assert value(metric) == pytest.approx(scores(counts)[name], rel=1e-6)


@pytest.mark.parametrize(
    "y_true, y_pred, words",
    [
        ([[0, 4]], [[0, 1]], r"ids in y_true=\[4\]"),
        ([[0, 1]], [[0, 4]], r"ids in y_pred=\[4\]"),
        ([[0, 1]], [[0, -1]], r"ids in y_pred=\[-1\]"),
    ],
)
def test_wrong_ids_raise_or_give_nan(y_true, y_pred, words):
    y_true, y_pred = np.array(y_true), np.array(y_pred)
    metric = MeanIoU(3)
    with pytest.raises(ValueError, match=words):
        metric.update_state(y_true, y_pred)
    assert not metric.confusion().any()
    if keras.config.backend() == "torch":
        return  # always eager
    update = jitted_update(metric)
    update(y_true, y_pred)
    update(np.array([[0, 1]]), np.array([[0, 1]]))
    assert np.isnan(value(metric))
    with pytest.raises(ValueError, match="run_eagerly"):
        metric.confusion()
    metric.reset_state()
    update(np.array([[0, 1]]), np.array([[0, 1]]))
    assert value(metric) == 1.0


@pytest.mark.parametrize(
    "num_classes, true_shape, y_pred, words",
    [
        (2, (1, 4, 4), np.zeros((1, 4, 4, 1), "float32"), "num_classes=1"),
        (3, (1, 4, 4), np.zeros((1, 4, 4, 4), "float32"), r"\(B, ..., 3\)"),
        (1, (1, 4, 4), np.zeros((1, 4, 4, 2), "float32"), r"\(B, ..., 1\)"),
        (3, (1, 4, 4), np.zeros((1, 8, 8, 3), "float32"), "nearest"),
        (3, (1, 4, 4), np.zeros((1, 4, 5), "int32"), "expected"),
        (3, (1, 4, 3), np.zeros((1, 4, 3), "int32"), "one-hot"),
    ],
)
def test_shapes_that_do_not_fit(num_classes, true_shape, y_pred, words):
    with pytest.raises(ValueError, match=words):
        MeanIoU(num_classes).update_state(np.zeros(true_shape, "int32"), y_pred)


@pytest.mark.parametrize(
    "args, options, words",
    [
        ((0,), {}, "num_classes"),
        ((2.0,), {}, "num_classes"),
        ((3,), {"class_names": ["a", "b"]}, "class_names"),
        ((2,), {"class_names": ["a", "a"]}, "class_names"),
        ((2,), {"ignore_class": 0.5}, "ignore_class"),
    ],
)
def test_wrong_options(args, options, words):
    with pytest.raises(ValueError, match=words):
        MeanIoU(*args, **options)


@pytest.mark.parametrize("metric_class", METRICS.values())
def test_config_round_trip(metric_class):
    metric = metric_class(
        2, ignore_class=(0, 255), class_names=["a", "b"], from_logits=False, name="m"
    )
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(copy) is metric_class and copy.get_config() == metric.get_config()
    assert copy.name == "m" and copy.ignore_class == (0, 255)


def tiny_model(policy="float32", metrics=None, **options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 1, dtype=policy)(inputs)
    model = keras.Model(inputs, x)
    metrics = metrics or [MeanIoU(3), PixelAccuracy(3)]
    model.compile("sgd", "mse", metrics=metrics, **options)
    return model


def batch():
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
    return x, np.eye(3, dtype="float32")[x.argmax(-1)]


@pytest.mark.few("mixed")
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_fit_and_evaluate(policy, tmp_path):
    x, y = batch()
    model = tiny_model(policy)
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    assert 0 < history["mean_iou"][-1] <= 1
    _, iou, accuracy = model.evaluate(x, y, batch_size=4, verbose=0)
    predicted = np.asarray(model.predict(x, verbose=0), "float32").argmax(-1)
    expected = scores(confusion_matrix(x.argmax(-1), predicted, 3))
    # evaluate and predict are compiled apart, and in bfloat16 may round a near tie differently.
    rel = 1e-6 if policy == "float32" else 0.02
    assert iou == pytest.approx(expected["mean_iou"], rel=rel)
    assert accuracy == pytest.approx(expected["pixel_accuracy"], rel=rel)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, batch_size=4, verbose=0)[1] == pytest.approx(iou, rel=1e-6)


@pytest.mark.backends("tensorflow", reason="JAX always jits; torch.compile is slow")
def test_fit_jit_compiled():
    x, y = batch()
    values = [
        tiny_model(jit_compile=jit).fit(x, y, batch_size=3, verbose=0).history["mean_iou"]
        for jit in (False, True)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


@pytest.mark.backends("tensorflow", reason="tf.data of unknown sizes")
def test_unknown_sizes_in_a_graph():
    import tensorflow as tf

    y_true, y_pred = random_case(6)
    metric = MeanIoU(4)
    spec = [tf.TensorSpec((None, None, None), "int32"), tf.TensorSpec((None, None, None, 4))]
    update = tf.function(metric.update_state, input_signature=spec)
    update(y_true.astype("int32"), np.eye(4, dtype="float32")[y_pred])
    np.testing.assert_array_equal(metric.confusion(), confusion_matrix(y_true, y_pred, 4))

"""Dice: by hand, against NumPy in float64, absent classes, void pixels and half precision."""

import keras
import numpy as np
import pytest

from kseg.losses import DiceLoss, dice

SURE = 60.0  # a logit whose softmax against 0 is 1 in float32
HUGE = [3e38, -3e38, 3e38, -3e38]  # finite, but differences overflow


def reference(y_true, y_pred, sample_weight=None, class_weight=None, absent="ignore", image=False):
    """The same in float64, with loops over units and classes."""
    x = y_pred.astype("float64")
    binary = x.shape[-1] == 1
    if binary:
        x = np.concatenate([0 * x, x], -1)
    p = np.exp(x - x.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    w = (y_true != 255) * (1.0 if sample_weight is None else sample_weight.astype("float64"))
    units = [slice(i, i + 1) for i in range(len(y_true))] if image else [slice(None)]
    losses = []
    for unit in units:
        terms, weights = [], []
        for c in range(1 if binary else 0, p.shape[-1]):
            t = (y_true[unit] == c).astype("float64")
            truth, predicted = (w[unit] * t).sum(), (w[unit] * p[unit][..., c]).sum()
            if truth if absent == "ignore" else w[unit].sum():
                overlap = (w[unit] * t * p[unit][..., c]).sum()
                terms.append(1 - (2 * overlap + 1e-5) / (truth + predicted + 1e-5))
                weights.append(1.0 if class_weight is None else class_weight[c])
        if terms:
            losses.append(np.average(terms, weights=weights))
    return np.mean(losses) if losses else 0.0


def test_by_hand():
    # Probabilities 1/2 each, truth (0, 0, 1): I = (1, 1/2), P = (3/2, 3/2), T = (2, 1), so
    # D = (2 / 3.5, 1 / 2.5) = (4/7, 2/5) and the loss is 1 - mean = 18/35.
    y_true, y_pred = np.array([[0, 0, 1, 255]]), np.zeros((1, 4, 2), "float32")
    assert float(dice(y_true, y_pred)) == pytest.approx(18 / 35, rel=1e-5)
    # Class weights (3, 1): (3 * 3/7 + 3/5) / 4 = 33/70.
    assert float(dice(y_true, y_pred, class_weight={0: 3})) == pytest.approx(33 / 70, rel=1e-5)
    # Only the foreground where there is one channel: 1 - 2/5.
    assert float(dice(y_true, y_pred[..., :1])) == pytest.approx(3 / 5, rel=1e-5)
    # Pixel weights (1, 0, 2): I = (1/2, 1), P = 3/2, T = (1, 2), D = (2/5, 4/7): 18/35 again.
    weight = np.array([[1.0, 0, 2, 5]])
    assert float(dice(y_true, y_pred, weight)) == pytest.approx(18 / 35, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("reduce", ["batch", "image"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("absent", ["ignore", "penalize"])
def test_against_numpy(case, compiled, channels, reduce, weighted, absent):
    y_true, y_pred, sample_weight = case(0, channels)
    class_weight = [0.5, 2.0, 1.0, 3.0][: max(channels, 2)] if weighted else None
    weights = (sample_weight,) if weighted else ()
    expected = reference(
        y_true, y_pred, *(weights or (None,)), class_weight, absent, reduce == "image"
    )
    loss = DiceLoss(class_weight=class_weight, absent=absent, reduce=reduce)
    assert float(compiled(loss)(y_true, y_pred, *weights)) == pytest.approx(expected, rel=5e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_absent_classes(channels):
    y_true = np.zeros((1, 2, 2), "int32")  # background everywhere
    perfect = np.full((1, 2, 2, channels), -SURE, "float32")
    perfect[..., 0] = -SURE if channels == 1 else SURE
    for absent in ("ignore", "penalize"):
        assert float(dice(y_true, perfect, absent=absent)) == pytest.approx(0, abs=1e-6)
    # All foreground instead: an absent class that was predicted costs 1, background costs 1.
    wrong = -perfect
    expected = 0.0 if channels == 1 else 1.0
    assert float(dice(y_true, wrong, absent="ignore")) == pytest.approx(expected, abs=1e-5)
    assert float(dice(y_true, wrong, absent="penalize")) == pytest.approx(1, abs=1e-5)


def test_reduce_image_is_the_mean_of_single_images(case):
    y_true, y_pred, weight = case(4)
    for absent in ("ignore", "penalize"):
        singles = [
            float(dice(y_true[i : i + 1], y_pred[i : i + 1], weight[i : i + 1], absent=absent))
            for i in range(2)  # the third is all void and stays out
        ]
        whole = float(dice(y_true, y_pred, weight, absent=absent, reduce="image"))
        assert whole == pytest.approx(np.mean(singles), rel=1e-6)


def test_pixels_may_be_permuted_and_voids_hold_anything(case):
    y_true, y_pred, _ = case(5)
    expected = float(dice(y_true, y_pred))
    order = np.random.default_rng(0).permutation(y_true.size)
    flat = y_true.reshape(1, -1)[:, order], y_pred.reshape(1, -1, 4)[:, order]
    assert float(dice(*flat)) == pytest.approx(expected, rel=1e-6)
    y_pred[y_true == 255] = HUGE
    assert float(dice(y_true, y_pred)) == pytest.approx(expected, rel=1e-6)


def test_probabilities_and_one_hot_agree_with_logits_and_ids(case):
    y_true, y_pred, _ = case(6)
    exp = np.exp(y_pred)
    one_hot = np.eye(256, dtype="float32")[y_true][..., :4]
    loss = dice(one_hot, exp / exp.sum(-1, keepdims=True), from_logits=False)
    assert float(loss) == pytest.approx(float(dice(y_true, y_pred)), rel=1e-5)


def test_an_ignored_class_is_not_scored(case):
    y_true, y_pred, _ = case(7)
    without = np.where(y_true == 0, 255, y_true)
    for absent in ("ignore", "penalize"):
        expected = float(dice(without, y_pred, class_weight={0: 0.0}, absent=absent))
        loss = float(dice(y_true, y_pred, ignore_class=(0, 255), absent=absent))
        assert loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("reduce", ["batch", "image"])
def test_gradient(case, gradient, channels, reduce):
    y_true, y_pred, weight = case(3, channels, (2, 3, 2))
    y_pred[y_true == 255] = HUGE[:channels]
    got = gradient(lambda x: dice(y_true, x, weight, reduce=reduce), y_pred)
    assert np.all(got[y_true == 255] == 0)
    for index in map(tuple, np.argwhere(y_true != 255)):
        for c in range(channels):
            up, down = y_pred.astype("float64"), y_pred.astype("float64")
            up[(*index, c)] += 1e-5
            down[(*index, c)] -= 1e-5
            values = [reference(y_true, x, weight, image=reduce == "image") for x in (up, down)]
            assert got[(*index, c)] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_predictions(dtype):
    # p = 1/2 at 512 x 512 pixels, half of each class: I = 65536, P = T = 131072, D = 1/2.
    # In float16, whose largest number is 65504, keras.losses.Dice is NaN here.
    y_true = np.zeros((1, 512, 512), "uint8")
    y_true[:, :256] = 1
    loss = DiceLoss()(y_true, keras.ops.zeros((1, 512, 512, 2), dtype))
    assert float(loss) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 7), (4,), (2, 2, 3, 2)])
@pytest.mark.parametrize("reduce", ["batch", "image"])
def test_any_rank_and_batch_size(case, compiled, shape, reduce):
    y_true, y_pred, weight = case(1, 4, shape)
    expected = reference(y_true, y_pred, weight, image=reduce == "image")
    function = compiled(lambda *args: dice(*args, reduce=reduce))
    assert float(function(y_true, y_pred, weight)) == pytest.approx(expected, rel=5e-6)


@pytest.mark.parametrize(
    "jit",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.backends("tensorflow", reason="JAX and torch add in a tree"),
        ),
    ],
)
def test_sums_over_many_pixels_keep_their_digits(jit):
    # p = 0.1 for class 1 at 2 x 1024 x 1024 pixels, all of class 1: D = 0.2 / 1.1. Added up
    # in a row in float32, as TensorFlow does, P would be off by percents.
    y_true = np.ones((2, 1024, 1024), "uint8")
    y_pred = np.stack([np.full(y_true.shape, np.log(9)), 0 * y_true], -1).astype("float32")
    function = DiceLoss()
    if jit:
        import tensorflow as tf

        function = tf.function(function, jit_compile=True)
    assert float(function(y_true, y_pred)) == pytest.approx(1 - 0.2 / 1.1, rel=2e-5)


def test_nothing_valid_costs_nothing(gradient):
    y_true, y_pred = np.full((2, 3), 255), np.ones((2, 3, 2), "float32")
    for options in ({}, {"reduce": "image"}, {"absent": "penalize"}):
        assert float(dice(y_true, y_pred, **options)) == 0.0
    assert np.all(gradient(lambda x: dice(y_true, x), y_pred) == 0)


def test_a_wrong_label_raises_or_is_nan(compiled):
    y_true, y_pred = np.array([[0, 2]]), np.zeros((1, 2, 1), "float32")
    loss = DiceLoss()
    with pytest.raises(ValueError, match=r"\[2\].*binary"):
        loss(y_true, y_pred)
    if keras.config.backend() != "torch":
        assert np.isnan(float(compiled(lambda y, x: loss(y, x))(y_true, y_pred)))


@pytest.mark.parametrize("options", [{"absent": "drop"}, {"smooth": 0.0}, {"reduce": None}])
def test_wrong_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        DiceLoss(**options)


def test_config_round_trip():
    loss = DiceLoss(False, None, [1.0, 2.0], "penalize", 1.0, "image", name="d")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(copy) is DiceLoss and copy.get_config() == loss.get_config()

"""Cross-entropy: by hand, against NumPy in float64, against torch, and in model.fit."""

import keras
import numpy as np
import pytest

from kseg.losses import CrossEntropyLoss, cross_entropy

LN2 = np.log(2)
HUGE = [3e38, -3e38, 3e38, -3e38]  # finite, but differences overflow


def reference(y_true, y_pred, sample_weight=None, class_weight=None, smoothing=0.0, image=False):
    """The same in float64, pixel by pixel; binary logits x are the two-class logits (0, x)."""
    y_pred = y_pred.astype("float64")
    if y_pred.shape[-1] == 1:
        y_pred = np.concatenate([0 * y_pred, y_pred], -1)
    classes = y_pred.shape[-1]
    totals = np.zeros((len(y_true), 2))
    for index in np.ndindex(y_true.shape):
        if y_true[index] == 255:
            continue
        logits = y_pred[index] - y_pred[index].max()
        log_p = logits - np.log(np.exp(logits).sum())
        target = (1 - smoothing) * np.eye(classes)[y_true[index]] + smoothing / classes
        w = 1.0 if sample_weight is None else float(sample_weight[index])
        w *= 1.0 if class_weight is None else class_weight[y_true[index]]
        totals[index[0]] += (-w * (target * log_p).sum(), w)
    if not image:
        totals = totals.sum(0, keepdims=True)
    totals = totals[totals[:, 1] > 0]
    return (totals[:, 0] / totals[:, 1]).mean() if len(totals) else 0.0


def test_by_hand():
    # Logits (0, ln 3) are probabilities (1/4, 3/4): classes 0 and 1 cost ln 4 and ln(4/3).
    y_pred = np.array([[[0, np.log(3)]] * 3], "float32")
    y_true = np.array([[0, 1, 255]])
    costs = np.log([4, 4 / 3])
    assert float(cross_entropy(y_true, y_pred)) == pytest.approx(costs.mean(), rel=1e-6)
    # Class 0 weighs 3: (3 ln 4 + ln(4/3)) / 4.
    weighted = (3 * costs[0] + costs[1]) / 4
    for class_weight in ([3.0, 1.0], {0: 3.0}):
        loss = cross_entropy(y_true, y_pred, class_weight=class_weight)
        assert float(loss) == pytest.approx(weighted, rel=1e-6)
    assert float(cross_entropy(y_true, y_pred, np.array([[3.0, 1, 9]]))) == pytest.approx(weighted)
    # s = 0.2: each pixel pays 0.9 of its own cost and 0.1 of the other's; the mean is the same.
    one = float(cross_entropy(y_true[:, :1], y_pred[:, :1], label_smoothing=0.2))
    assert one == pytest.approx(0.9 * costs[0] + 0.1 * costs[1], rel=1e-6)


def test_binary_by_hand():
    # Logit ln 3 is probability 3/4 of class 1.
    y_pred = np.full((1, 2, 1), np.log(3), "float32")
    y_true = np.array([[0, 1]])
    costs = np.log([4, 4 / 3])
    assert float(cross_entropy(y_true, y_pred)) == pytest.approx(costs.mean(), rel=1e-6)
    loss = cross_entropy(y_true, y_pred, class_weight={1: 3.0})
    assert float(loss) == pytest.approx((costs[0] + 3 * costs[1]) / 4, rel=1e-6)
    # s = 0.2 moves labels to 0.1 and 0.9.
    one = float(cross_entropy(y_true[:, :1], y_pred[:, :1], label_smoothing=0.2))
    assert one == pytest.approx(0.9 * costs[0] + 0.1 * costs[1], rel=1e-6)


def test_confident_logits_keep_their_digits():
    # log(1 + exp(-20)) = 2.0612e-9, which 1 - sigmoid(20) in float32 cannot tell from 0.
    # Softmax adds exp(-20) to 1 before the log, so there float32 gives 0: right within its 6e-8.
    for y_pred in ([[[20.0]]], [[[0.0, 20.0]]], [[[1000.0, 1020.0]]]):
        loss = float(cross_entropy(np.array([[1]]), np.array(y_pred, "float32")))
        assert loss == pytest.approx(
            np.log1p(np.exp(-20)), rel=1e-3, abs=6e-8 * (len(y_pred[0][0]) > 1)
        )


def test_reduce_image_is_a_mean_of_images_that_have_pixels():
    # Image 0 costs ln 2 at each of 2 pixels, image 1 ln(1 + e^2) at its one, image 2 is void.
    y_true = np.array([[0, 0], [0, 255], [255, 255]])
    y_pred = np.array([[[0, 0]] * 2, [[0, 2]] * 2, [[5, 1]] * 2], "float32")
    second = np.log1p(np.exp(2))
    batch = float(cross_entropy(y_true, y_pred))
    image = float(cross_entropy(y_true, y_pred, reduce="image"))
    assert batch == pytest.approx((2 * LN2 + second) / 3, rel=1e-6)
    assert image == pytest.approx((LN2 + second) / 2, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("reduce", ["batch", "image"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_against_numpy(case, compiled, channels, reduce, weighted, smoothing):
    y_true, y_pred, sample_weight = case(0, channels)
    class_weight = [0.5, 2.0, 1.0, 3.0][: max(channels, 2)] if weighted else None
    weights = (sample_weight,) if weighted else ()
    options = dict(class_weight=class_weight, label_smoothing=smoothing, reduce=reduce)
    expected = reference(
        y_true, y_pred, *(weights or (None,)), class_weight, smoothing, reduce == "image"
    )
    loss = CrossEntropyLoss(**options)
    assert float(compiled(loss)(y_true, y_pred, *weights)) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("options", [{}, {"weight": True}, {"label_smoothing": 0.2}])
def test_against_torch(case, options):
    torch = pytest.importorskip("torch")
    y_true, y_pred, _ = case(1)
    weight = [0.5, 2.0, 1.0, 3.0] if options.get("weight") else None
    smoothing = options.get("label_smoothing", 0.0)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(y_pred).reshape(-1, 4),
        torch.tensor(y_true.astype("int64")).reshape(-1),
        weight=None if weight is None else torch.tensor(weight),
        ignore_index=255,
        label_smoothing=smoothing,
    )
    loss = cross_entropy(y_true, y_pred, class_weight=weight, label_smoothing=smoothing)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_probabilities_and_one_hot_agree_with_logits_and_ids(case):
    y_true, y_pred, _ = case(2)
    expected = float(cross_entropy(y_true, y_pred, class_weight={1: 3.0}))
    exp = np.exp(y_pred)
    probabilities = exp / exp.sum(-1, keepdims=True)
    one_hot = np.eye(256, dtype="float32")[y_true][..., :4]  # void: all zero
    for labels, scores, from_logits in (
        (one_hot, y_pred, True),
        (y_true, probabilities, False),
        (one_hot, probabilities, False),
    ):
        loss = cross_entropy(labels, scores, from_logits=from_logits, class_weight={1: 3.0})
        assert float(loss) == pytest.approx(expected, rel=1e-5)
    y_true, y_pred, _ = case(2, channels=1)
    loss = cross_entropy(y_true, 1 / (1 + np.exp(-y_pred)), from_logits=False)
    assert float(loss) == pytest.approx(float(cross_entropy(y_true, y_pred)), rel=1e-5)
    # A certain and wrong probability is clipped at epsilon = 1e-7.
    wrong = cross_entropy(np.array([1]), np.array([[1.0, 0.0]]), from_logits=False)
    assert float(wrong) == pytest.approx(-np.log(1e-7), rel=1e-5)


def test_soft_labels():
    # Half of each class at logits (0, ln 3): (ln 4 + ln(4/3)) / 2; weights (3, 1) weigh it by 2.
    y_pred = np.array([[[0, np.log(3)], [0, np.log(3)]]], "float32")
    soft = np.array([[[0.5, 0.5], [1, 0]]], "float32")
    mixed, first = np.log([4, 4 / 3]).mean(), np.log(4)
    loss = cross_entropy(soft, y_pred, class_weight=[3.0, 1.0])
    assert float(loss) == pytest.approx((2 * mixed + 3 * first) / 5, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("reduce", ["batch", "image"])
def test_gradient(case, gradient, channels, reduce):
    y_true, y_pred, weight = case(3, channels, (2, 3, 2))
    y_pred[y_true == 255] = HUGE[:channels]
    y_pred[0, 0, 0] = 0.0  # the kink of |x|, where a careless formula loses sigmoid(0) - t
    y_true[0, 0, 0] = 1
    expected = reference(y_true, y_pred, weight, image=reduce == "image")
    loss = cross_entropy(y_true, y_pred, weight, reduce=reduce)
    assert float(loss) == pytest.approx(expected, rel=2e-6)
    got = gradient(lambda x: cross_entropy(y_true, x, weight, reduce=reduce), y_pred)
    assert np.all(got[y_true == 255] == 0)
    for index in map(tuple, np.argwhere(y_true != 255)):
        for c in range(channels):
            up, down = y_pred.astype("float64"), y_pred.astype("float64")
            up[(*index, c)] += 1e-5
            down[(*index, c)] -= 1e-5
            values = [reference(y_true, x, weight, image=reduce == "image") for x in (up, down)]
            assert got[(*index, c)] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 7), (4,), (2, 2, 3, 2)])
@pytest.mark.parametrize("reduce", ["batch", "image"])
def test_any_rank_and_batch_size(case, compiled, shape, reduce):
    y_true, y_pred, weight = case(1, 4, shape)
    expected = reference(y_true, y_pred, weight, image=reduce == "image")
    assert float(cross_entropy(y_true, y_pred, weight, reduce=reduce)) == pytest.approx(
        expected, rel=5e-6
    )


def test_nothing_valid_costs_nothing(gradient):
    y_true, y_pred = np.full((2, 3), 255), np.ones((2, 3, 2), "float32")
    for reduce in ("batch", "image"):
        assert float(cross_entropy(y_true, y_pred, reduce=reduce)) == 0.0
    assert np.all(gradient(lambda x: cross_entropy(y_true, x), y_pred) == 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_predictions(dtype):
    # 512 x 512 pixels of ln 2 sum to 181704, beyond float16; bfloat16 would stop at 256.
    y_pred = keras.ops.zeros((1, 512, 512, 2), dtype)
    y_true = np.zeros((1, 512, 512), "uint8")
    for loss in (cross_entropy(y_true, y_pred), CrossEntropyLoss()(y_true, y_pred)):
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
        assert float(loss) == pytest.approx(LN2, rel=2e-6)


def test_a_wrong_label_raises_or_is_nan(compiled):
    y_true, y_pred = np.array([[0, 7]]), np.zeros((1, 2, 3), "float32")
    loss = CrossEntropyLoss()
    with pytest.raises(ValueError, match=r"\[7\].*0\.\.2"):
        loss(y_true, y_pred)
    if keras.config.backend() == "torch":
        return  # always eager
    function = compiled(lambda y, x: loss(y, x))
    assert np.isnan(float(function(y_true, y_pred)))
    assert float(function(np.array([[0, 2]]), y_pred)) == pytest.approx(np.log(3), rel=1e-6)


def test_hard_examples_by_hand():
    # Logits (0, a) of class 0 cost ln(1 + e^a); the sixth pixel, the worst, is void.
    a = np.array([[1.0, 4.0, 2.0, 3.0, 0.0, 9.0]])
    y_pred = np.stack([0 * a, a], -1).astype("float32")
    y_true = np.array([[0, 0, 0, 0, 0, 255]])
    cost = np.log1p(np.exp(a[0]))

    def value(fraction, weight=None):
        return float(cross_entropy(y_true, y_pred, weight, ohem=fraction))

    assert value(1.0) == pytest.approx(cost[:5].mean(), rel=1e-6)
    assert value(0.4) == pytest.approx(cost[[1, 3]].mean(), rel=1e-6)  # 2 of 5
    assert value(0.5) == pytest.approx(cost[[1, 3]].mean(), rel=1e-6)  # 2.5, rounded to even
    assert value(0.01) == pytest.approx(cost[1], rel=1e-6)  # at least one
    # Chosen by cost, then weighted: pixels 1 and 3 weigh 1 and 3. A weight of 0 is out of the race.
    weight = np.array([[5.0, 1, 5, 3, 5, 5]])
    assert value(0.4, weight) == pytest.approx((cost[1] + 3 * cost[3]) / 4, rel=1e-6)
    weight[0, 1] = 0  # four are left, a half of them are pixels 3 and 2
    assert value(0.5, weight) == pytest.approx((3 * cost[3] + 5 * cost[2]) / 8, rel=1e-6)


def test_hard_examples_that_tie_share_the_last_place(gradient):
    # Costs (c, d, d, d) with c > d and half of them kept: c, and a third of each d. The mean is
    # (c + d) / 2, and the slope of a d in its logit, sigmoid(0) / 2 alone, is a third of that.
    y_pred = np.array([[[0, 2], [0, 0], [0, 0], [0, 0]]], "float32")
    y_true = np.zeros((1, 4))
    loss = float(cross_entropy(y_true, y_pred, ohem=0.5))
    assert loss == pytest.approx((np.log1p(np.exp(2)) + LN2) / 2, rel=1e-6)
    slope = gradient(lambda x: cross_entropy(y_true, x, ohem=0.5), y_pred)[0, :, 1]
    np.testing.assert_allclose(slope[1:], 0.5 / 2 / 3, rtol=1e-6)


def test_hard_examples_of_each_image():
    # Image 0 costs ln 2 everywhere, image 1 more: half of the batch is image 1, half of each both.
    y_pred = np.array([[[0, 0]] * 2, [[0, 2]] * 2], "float32")
    y_true, second = np.zeros((2, 2)), np.log1p(np.exp(2))
    batch = float(cross_entropy(y_true, y_pred, ohem=0.5))
    image = float(cross_entropy(y_true, y_pred, ohem=0.5, reduce="image"))
    assert batch == pytest.approx(second, rel=1e-6)
    assert image == pytest.approx((LN2 + second) / 2, rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"ohem": 0.0},
        {"ohem": 1.5},
        {"ohem": float("nan")},
        {"reduce": "mean"},
        {"label_smoothing": 1.0},
        {"ignore_class": "void"},
        {"class_weight": [1.0, -1.0]},
        {"class_weight": {0: float("nan")}},
    ],
)
def test_wrong_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CrossEntropyLoss(**options)


@pytest.mark.parametrize("class_weight", [[1.0] * 3, {2: 1.0}])
def test_class_weights_must_fit_the_classes(class_weight):
    with pytest.raises(ValueError, match="class_weight"):
        cross_entropy(np.array([0]), np.zeros((1, 2)), class_weight=class_weight)


def test_config_round_trip():
    loss = CrossEntropyLoss(True, (0, 255), {1: 2.0}, 0.1, "image", name="ce")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(copy) is CrossEntropyLoss and copy.get_config() == loss.get_config()

"""What holds for every loss: values, gradients, void, weights, precision, saving and fitting."""

import functools

import keras
import numpy as np
import pytest
from losses import reference

from kseg import losses
from kseg.losses.overlap import EPSILON

HUGE = [3e38, -3e38, 3e38, -3e38]  # finite, but differences overflow
WEIGHT = [0.5, 2.0, 1.0, 3.0]
tversky = reference.tversky

# name -> class, its function, options of both, the reference
EVERY = {
    "ohem": (losses.CrossEntropyLoss, losses.cross_entropy, {"ohem": 0.3}, reference.cross_entropy),
    "focal": (losses.FocalLoss, losses.focal, {}, reference.focal),
    "focal_alpha": (
        losses.FocalLoss,
        losses.focal,
        {"gamma": 0.5, "alpha": 0.25},
        reference.focal,
    ),
    "l1": (losses.L1Loss, losses.l1, {}, reference.l1),
    "l2": (losses.L2Loss, losses.l2, {}, reference.l2),
    "jaccard": (
        losses.JaccardLoss,
        losses.jaccard,
        {},
        functools.partial(tversky, alpha=1.0, beta=1.0),
    ),
    "tversky": (losses.TverskyLoss, losses.tversky, {"alpha": 0.2, "beta": 1.1}, tversky),
    "tversky_penalize": (losses.TverskyLoss, losses.tversky, {"absent": "penalize"}, tversky),
    "focal_tversky": (
        losses.FocalTverskyLoss,
        losses.focal_tversky,
        {},
        functools.partial(tversky, gamma=0.75),
    ),
    "lovasz": (losses.LovaszLoss, losses.lovasz, {}, reference.lovasz),
    "lovasz_penalize": (
        losses.LovaszLoss,
        losses.lovasz,
        {"absent": "penalize"},
        reference.lovasz,
    ),
    "lovasz_hinge": (losses.LovaszLoss, losses.lovasz, {"hinge": True}, reference.lovasz),
    "boundary": (losses.BoundaryLoss, losses.boundary, {}, reference.boundary),
    "boundary_cut": (
        losses.BoundaryLoss,
        losses.boundary,
        {"max_distance": 1.5},
        reference.boundary,
    ),
}
every = pytest.mark.parametrize("name", EVERY)
# the classes, each once with plain options
PLAIN = [name for name in EVERY if "_" not in name] + ["focal_tversky"]
plain = pytest.mark.parametrize("name", PLAIN)
shapes = pytest.mark.parametrize("channels", [1, 4])


def needs_one_channel(name, channels):
    if name == "lovasz_hinge" and channels > 1:
        pytest.skip("the hinge is for one channel")


@every
@pytest.mark.parametrize("channels, reduce", [(1, "batch"), (4, "batch"), (4, "image")])
def test_values(case, compiled, name, channels, reduce):
    """Compiled, with weights of samples and classes; parity/ compares those without."""
    needs_one_channel(name, channels)
    loss, _, options, expected = EVERY[name]
    y_true, y_pred, sample_weight = case(0, channels)
    options = options | {"class_weight": WEIGHT[: max(channels, 2)], "reduce": reduce}
    value = compiled(loss(**options))(y_true, y_pred, sample_weight)
    assert float(value) == pytest.approx(
        expected(y_true, y_pred, sample_weight, **options), rel=5e-6
    )


@every
@pytest.mark.parametrize("channels, reduce", [(1, "image"), (4, "batch")])
def test_gradients(case, gradient, name, channels, reduce):
    """Central differences of the reference; exactly zero at void pixels."""
    needs_one_channel(name, channels)
    _, function, options, expected = EVERY[name]
    options = options | {"reduce": reduce}
    y_true, y_pred, weight = case(3, channels, (2, 3, 2))
    y_pred[y_true == 255] = HUGE[:channels]
    got = gradient(lambda x: function(y_true, x, weight, **options), y_pred)
    assert np.all(got[y_true == 255] == 0)
    y_pred = np.where(y_true[..., None] == 255, 0, y_pred).astype("float64")
    for index in np.ndindex(y_pred.shape):
        step = np.zeros_like(y_pred)
        step[index] = 1e-5
        up, down = (expected(y_true, y_pred + s, weight, **options) for s in (step, -step))
        assert got[index] == pytest.approx((up - down) / 2e-5, abs=2e-5)


@pytest.mark.few("4-")
@plain
@shapes
def test_forms_of_the_labels_and_of_the_predictions_agree(case, name, channels):
    _, function, options, _ = EVERY[name]
    y_true, y_pred, _ = case(2, channels)
    expected = float(function(y_true, y_pred, **options))
    forms = [(y_true[..., None], y_pred, True), (y_true.astype("int64"), y_pred, True)]
    p = reference.probabilities(y_pred).astype("float32")
    forms.append((y_true, p[..., 1:] if channels == 1 else p, False))
    if channels > 1:
        forms.append((np.eye(256, dtype="float32")[y_true][..., :4], y_pred, True))  # void: zero
    for labels, scores, from_logits in forms:
        value = float(function(labels, scores, from_logits=from_logits, **options))
        assert value == pytest.approx(expected, rel=2e-5)
    y_pred[y_true == 255] = HUGE[:channels]  # void pixels may hold anything
    assert float(function(y_true, y_pred, **options)) == pytest.approx(expected, rel=1e-6)


@plain
def test_pixels_may_be_permuted(case, name):
    """But for the boundary, where a picture may be turned upside down."""
    _, function, options, _ = EVERY[name]
    y_true, y_pred, _ = case(5)
    expected = float(function(y_true, y_pred, **options))
    order = np.random.default_rng(0).permutation(y_true.size)
    if name == "boundary":
        order = np.arange(y_true.size).reshape(y_true.shape)[:, ::-1, ::-1].reshape(-1)
    moved = (x.reshape(y_true.size, -1)[order].reshape(x.shape) for x in (y_true, y_pred))
    assert float(function(*moved, **options)) == pytest.approx(expected, rel=1e-6)


@plain
def test_reduce_image_is_the_mean_of_single_images(case, name):
    _, function, options, _ = EVERY[name]
    y_true, y_pred, weight = case(4)
    singles = []
    for i in range(2):  # the third is all void and stays out
        alone = np.where(np.arange(3)[:, None, None] == i, y_true, 255)
        singles.append(float(function(alone, y_pred, weight, **options)))
    whole = float(function(y_true, y_pred, weight, reduce="image", **options))
    assert whole == pytest.approx(np.mean(singles), rel=2e-6)


@plain
def test_a_pixel_of_weight_zero_is_void(case, name):
    _, function, options, _ = EVERY[name]
    y_true, y_pred, weight = case(6)
    if name == "boundary":  # there it still says where its class is
        return
    weight[:, 0] = 0
    expected = float(function(y_true, y_pred, weight, **options))
    y_true[:, 0] = 255
    assert float(function(y_true, y_pred, weight, **options)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.once("torch")
@plain
@pytest.mark.parametrize("shape", [(4,), (2, 2, 3, 2)])
def test_any_rank(case, name, shape, reduce="image"):
    _, function, options, expected = EVERY[name]
    y_true, y_pred, weight = case(1, 4, shape)
    value = float(function(y_true, y_pred, weight, reduce=reduce, **options))
    wanted = expected(y_true, y_pred, weight, reduce=reduce, **options)
    assert value == pytest.approx(wanted, rel=5e-6, abs=1e-7)


@pytest.mark.once("torch")
@plain
@shapes
def test_a_perfect_prediction_costs_nothing(gradient, name, channels):
    """And its gradient is finite. (The boundary loss has its minimum there, below 0.)"""
    _, function, options, _ = EVERY[name]
    y_true = np.zeros((3, 5, 6), "uint8")
    y_true[:, 1:4, 2:] = 1
    y_true[:, 4, 5] = 255
    right = y_true[..., None] == (np.arange(channels) if channels > 1 else 1)
    y_pred = np.where(right, 200.0, -200.0).astype("float32")
    value = float(function(y_true, y_pred, **options))
    # a probability of 1 may be rounded down once, which the line of 1e-6 ** -0.25 makes larger
    close = 2**-23 * EPSILON ** (0.75 - 1) if name == "focal_tversky" else 1e-6
    assert value < 0 if name == "boundary" else value == pytest.approx(0, abs=close)
    assert np.all(np.isfinite(gradient(lambda x: function(y_true, x, **options), y_pred)))


@plain
def test_nothing_valid_costs_nothing(gradient, name):
    _, function, options, _ = EVERY[name]
    y_true, y_pred = np.full((3, 5, 6), 255, "uint8"), np.ones((3, 5, 6, 4), "float32")
    for reduce in ("batch", "image"):
        assert float(function(y_true, y_pred, reduce=reduce, **options)) == 0.0
    assert np.all(gradient(lambda x: function(y_true, x, **options), y_pred) == 0)


@plain
def test_half_precision_predictions(name):
    """The same as in float32 on numbers that all three can hold, and a float32 loss."""
    loss, _, options, _ = EVERY[name]
    y_true = (np.arange(128 * 128).reshape(1, 128, 128) // 5000).astype("uint8")
    y_pred = np.random.default_rng(0).integers(-128, 128, (1, 128, 128, 4)).astype("float32") / 16
    instance = loss(**options)
    expected = float(instance(y_true, y_pred))
    for dtype in ("float16", "bfloat16"):
        value = instance(y_true, keras.ops.cast(y_pred, dtype))
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert float(value) == pytest.approx(expected, rel=1e-6)


@plain
def test_a_wrong_label_raises_or_is_nan_without_a_gradient(compiled, gradient, name):
    loss, function, options, _ = EVERY[name]
    y_true, y_pred = np.zeros((3, 5, 6), "uint8"), np.zeros((3, 5, 6, 4), "float32")
    y_true[1, 2, 3] = 7
    with pytest.raises(ValueError, match=r"\[7\].*0\.\.3"):
        loss(**options)(y_true, y_pred)
    if keras.config.backend() == "torch":
        return  # always eager
    instance = loss(**options)
    assert np.isnan(float(compiled(lambda y, x: instance(y, x))(y_true, y_pred)))
    if keras.config.backend() == "jax":  # where a gradient is compiled code
        import jax

        slope = jax.jit(jax.grad(lambda x, y: function(y, x, **options)))(y_pred, y_true)
        assert np.all(np.asarray(slope) == 0)


@every
def test_config_round_trip(name):
    loss, _, options, _ = EVERY[name]
    one = loss(**options, class_weight={1: 2.0}, ignore_class=(0, 255), reduce="image", name="x")
    assert {key: one.get_config()[key] for key in options} == options
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
    assert type(copy) is loss and copy.get_config() == one.get_config()
    assert copy.options["class_weight"] == {1: 2.0}


def tiny_model(loss, channels=3):
    """A 1 x 1 convolution of 8 x 8 images."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(channels, 1)(inputs))
    model.compile("sgd", loss=loss)
    return model


def batch():
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    y = x.argmax(-1).astype("uint8")
    y[:, 0] = 255
    return x, y


@pytest.mark.once("torch")
def test_all_in_one_sum_fit_save_and_load(tmp_path):
    total = losses.DiceLoss()
    for name in PLAIN:
        loss, _, options, _ = EVERY[name]
        total = total + 0.5 * loss(**options)
    model = tiny_model(total)
    x, y = batch()
    before = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == model.loss.get_config()
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(before, rel=1e-6)
    history = loaded.fit(x, y, batch_size=4, epochs=3, verbose=0).history["loss"]
    assert history[0] == pytest.approx(before, rel=1e-5)
    assert np.all(np.diff(history) < 0)


@pytest.mark.few("cross", "dice", "boundary_cut", "jaccard")
@pytest.mark.backends("tensorflow", reason="graphs of TensorFlow")
@every
def test_unknown_sizes_in_a_graph_and_xla(case, name):
    import tensorflow as tf

    loss, _, options, _ = EVERY[name]
    channels = 1 if "hinge" in name else 4
    y_true, y_pred, weight = case(0, channels)
    args = (y_true.astype("int32"), y_pred, weight)
    spec = [
        tf.TensorSpec((None, None, None), "int32"),
        tf.TensorSpec((None, None, None, channels)),
        tf.TensorSpec((None, None, None)),
    ]
    for reduce in ("batch", "image"):
        instance = loss(**options, reduce=reduce)
        expected = float(instance(*args))
        graph = tf.function(instance, input_signature=spec)
        assert float(graph(*args)) == pytest.approx(expected, rel=1e-6)

    def slope(y, x, w):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = instance(y, x, w)
        return value, tape.gradient(value, x)

    args = [tf.constant(x) for x in args]
    value, got = tf.function(slope, jit_compile=True)(*args)
    assert float(value) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(got, slope(*args)[1], atol=1e-7)

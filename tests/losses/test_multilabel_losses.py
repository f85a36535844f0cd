"""Losses of several classes a pixel: by hand, and the mean of C binary problems."""

import keras
import numpy as np
import pytest

import kseg
from kseg import losses

# Two pixels of two classes. Class 0: p = 3/4 where it is, 1/2 where it is not; class 1: 1/2 where
# it is not, then void, whose score must not matter.
Y_TRUE = np.array([[[1, 0], [0, 255]]])
Y_PRED = np.array([[[np.log(3), 0], [0, 70]]], "float32")
LN2, LN43 = np.log([2, 4 / 3])
BY_HAND = {
    losses.cross_entropy: ((LN43 + LN2) / 2 + LN2) / 2,
    losses.focal: ((LN43 / 16 + LN2 / 4) / 2 + LN2 / 4) / 2,
    losses.l1: ((1 / 4 + 1 / 2) / 2 + 1 / 2) / 2,
    losses.l2: ((1 / 16 + 1 / 4) / 2 + 1 / 4) / 2,
    # Of class 0, which alone is somewhere: I = 3/4, P = 5/4, T = 1.
    losses.dice: 1 - 2 * 0.75 / 2.25,
    losses.jaccard: 1 - 0.75 / 1.5,
    losses.tversky: 1 - 0.75 / (0.75 + 0.3 * 0.5 + 0.7 * 0.25),
    losses.focal_tversky: (1 - 0.75 / 1.075) ** 0.75,
    losses.lovasz: 0.5 / 2 + 0.25 / 2,  # the errors 1/2 and 1/4, each a step of J by 1/2
}
OPTIONS = [
    (losses.cross_entropy, {"label_smoothing": 0.2}),
    (losses.cross_entropy, {"ohem": 0.3}),
    (losses.focal, {"alpha": 0.25}),
    (losses.dice, {"absent": "penalize"}),
    (losses.lovasz, {"hinge": True}),
    *((function, {}) for function in BY_HAND),
]


@pytest.fixture
def several(rng):
    """Labels of four classes (B, H, W, C), a tenth of them void, logits, weights of pixels."""
    y_true = rng.integers(0, 2, (3, 4, 5, 4)).astype("uint8")
    y_true[rng.random(y_true.shape) < 0.1] = 255
    y_pred = rng.normal(0, 2, y_true.shape).astype("float32")
    return y_true, y_pred, rng.uniform(0.1, 2, y_true.shape[:3]).astype("float32")


@pytest.mark.parametrize("function", BY_HAND, ids=lambda function: function.__name__)
def test_by_hand(function):
    loss = float(function(Y_TRUE, Y_PRED, multilabel=True))
    assert loss == pytest.approx(BY_HAND[function], rel=1e-4)
    p = 1 / (1 + np.exp(-Y_PRED))
    loss = float(function(Y_TRUE, p, multilabel=True, from_logits=False))
    assert loss == pytest.approx(BY_HAND[function], rel=1e-4)
    half = keras.ops.cast(Y_PRED, "bfloat16")  # ln 3 of 8 bits: 1.1015625
    assert float(function(Y_TRUE, half, multilabel=True)) == pytest.approx(loss, rel=2e-2)


@pytest.mark.once("torch")  # the values of each backend are those by hand
@pytest.mark.parametrize(
    "function, options", OPTIONS, ids=[f"{f.__name__}-{'-'.join(o)}" for f, o in OPTIONS]
)
def test_it_is_the_mean_of_binary_problems(several, function, options):
    y_true, y_pred, weight = several
    for reduce in ("batch", "image"):
        options = {**options, "reduce": reduce}
        alone = [
            float(function(y_true[..., c], y_pred[..., c, None], weight, **options))
            for c in range(4)
        ]
        loss = function(y_true, y_pred, weight, multilabel=True, **options)
        assert float(loss) == pytest.approx(np.mean(alone), rel=1e-5)
        weighed = [1, 0, 2, 5]
        loss = function(
            y_true, y_pred, weight[..., None], multilabel=True, class_weight=weighed, **options
        )
        assert float(loss) == pytest.approx(np.average(alone, weights=weighed), rel=1e-5)


def test_weights_may_be_of_images_pixels_or_labels(several):
    y_true, y_pred, weight = several
    for given in (weight[:, 0, 0], weight, weight[..., None]):
        whole = np.broadcast_to(given.reshape(*given.shape, *[1] * (4 - given.ndim)), y_true.shape)
        of_labels = losses.dice(y_true, y_pred, whole, multilabel=True)
        assert float(losses.dice(y_true, y_pred, given, multilabel=True)) == float(of_labels)
    with pytest.raises(ValueError, match=r"sample_weight.shape=\(3, 4\): .*or per label, \(3, 4"):
        losses.dice(y_true, y_pred, weight[..., 0], multilabel=True)


def test_void_has_no_gradient_and_moves_nothing(several, gradient, compiled):
    y_true, y_pred, _ = several
    loss = kseg.DiceLoss(multilabel=True) + kseg.CrossEntropyLoss(multilabel=True)
    slope = gradient(lambda x: loss(y_true, x), y_pred)
    np.testing.assert_array_equal(slope == 0, y_true == 255)
    other = np.where(y_true == 255, np.float32(50), y_pred)
    assert float(compiled(loss)(y_true, other)) == pytest.approx(float(loss(y_true, y_pred)))
    nothing = np.full_like(y_true, 255)
    assert float(loss(nothing, y_pred)) == 0


def test_wrong_labels_are_named_or_nan(several, compiled):
    y_true, y_pred, _ = several
    with pytest.raises(ValueError, match=r"y_true.shape=\(3, 4, 5\): expected \(3, 4, 5, 4\)"):
        losses.dice(y_true[..., 0], y_pred, multilabel=True)
    y_true[0, 0, 0, 0] = 2
    with pytest.raises(ValueError, match=r"ids in y_true=\[2\]: expected classes, 0..1"):
        losses.dice(y_true, y_pred, multilabel=True)
    if keras.backend.backend() != "torch":  # which has values in compiled code too
        loss = compiled(kseg.CrossEntropyLoss(multilabel=True))
        assert np.isnan(float(loss(y_true.astype("float32"), y_pred)))


@pytest.mark.once("torch")
def test_the_classes_keep_it_and_boundary_has_it_not(several):
    y_true, y_pred, weight = several
    for name in ("CrossEntropy", "Dice", "Focal", "Jaccard", "Tversky", "FocalTversky", "L1", "L2"):
        made = getattr(kseg, f"{name}Loss")
        loss = made(multilabel=True)
        again = made.from_config(loss.get_config())
        assert float(loss(y_true, y_pred, weight)) == float(again(y_true, y_pred, weight)) > 0
        assert repr(loss) == f"<{name}Loss: multilabel=True>"
    with pytest.raises(TypeError, match="BoundaryLoss.*multilabel"):
        kseg.BoundaryLoss(multilabel=True)


def test_hard_examples_are_of_each_class(rng):
    """Three classes of 2 x 5 pixels: the hardest fifth of each, as of the class alone."""
    y_true = rng.integers(0, 2, (1, 2, 5, 3))
    y_pred = rng.normal(size=(1, 2, 5, 3)).astype("float32")
    together = float(losses.cross_entropy(y_true, y_pred, multilabel=True, ohem=0.2))
    alone = [
        float(losses.cross_entropy(y_true[..., c], y_pred[..., c : c + 1], ohem=0.2))
        for c in range(3)
    ]
    assert together == pytest.approx(np.mean(alone), rel=1e-6)

"""Mask R-CNN as a Keras model: it trains, predicts, saves, and takes whatever images there are.

That its numbers are right is shown in tests/parity/test_rcnn.py and tests/ops.
"""

import keras
import numpy as np
import pytest
from keras import ops
from models.contract import LearnsOnce, ModelContract
from models.small_mask_rcnn import CLASSES, SIZE, TWO, build, scene, stacked

import kseg
from kseg.models.mask_rcnn import losses
from kseg.models.mask_rcnn import model as parts
from kseg.models.mask_rcnn.detections import select
from kseg.models.mask_rcnn.model import LOSSES
from kseg.ops.paste import RULES, paste_masks


@pytest.fixture(scope="module")
def compiled():
    """The one model that most of the tests share, and its first weights: compiling takes long."""
    model = build()
    return model, model.get_weights()


@pytest.fixture
def model(compiled):
    return compiled[0]


@pytest.mark.once("torch")
def test_fit_evaluate_and_predict_work_as_they_stand(model):
    history = model.fit(*TWO, batch_size=2, epochs=6, verbose=0).history
    assert set(history) == {"loss", *LOSSES}
    for step in range(6):
        total = sum(history[name][step] for name in LOSSES)
        assert history["loss"][step] == pytest.approx(total, rel=1e-4)
    assert np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]
    scores = model.evaluate(*TWO, batch_size=2, verbose=0, return_dict=True)
    assert set(scores) == {"loss", *LOSSES}

    detections = model.predict(TWO[0], verbose=0)
    boxes, classes, scores, masks = (detections[k] for k in ("boxes", "classes", "scores", "masks"))
    assert boxes.shape == (2, 10, 4) and masks.shape == (2, 10, 28, 28)
    there = classes >= 0
    assert there.any() and (classes < CLASSES).all()
    assert (np.diff(scores, axis=1) <= 0).all() and (scores[there] > 0.01).all()
    assert not scores[~there].any() and not boxes[~there].any() and not masks[~there].any()
    assert (boxes >= 0).all() and (boxes[..., 2] <= SIZE[1]).all() and (boxes[..., 3] <= 64).all()
    assert (masks >= 0).all() and (masks <= 1).all()


@pytest.mark.once("jax")
def test_padding_is_not_seen(model):
    """A photo of 50 x 70 in a batch of 64 x 96 is found what it is found alone, whatever the
    padding holds."""
    photo = TWO[0][0, :50, :70]
    batch = np.full((1, *SIZE, 3), 255, "uint8")
    batch[0, :50, :70] = photo
    size = np.array([[50, 70]], "int32")
    padded = model.predict_on_batch({"image": batch, "size": size})
    alone = model.predict_on_batch(photo[None])
    same_detections(alone, 0, padded, 0)
    assert padded["boxes"][..., 2].max() <= 70 and padded["boxes"][..., 3].max() <= 50


def same_detections(one, i, other, j):
    np.testing.assert_array_equal(one["classes"][i], other["classes"][j])
    for key, tolerance in (("boxes", 1e-2), ("scores", 1e-4), ("masks", 1e-3)):
        np.testing.assert_allclose(one[key][i], other[key][j], atol=tolerance)


class TestMaskRCNN(LearnsOnce, ModelContract):
    task, builder = "instance", "build_mask_rcnn"
    build = staticmethod(build)
    images = staticmethod(lambda: TWO[0])
    pace = {"learning_rate": 1e-3, "steps": 30, "falls_to": 0.8}

    @pytest.fixture
    def model(self, compiled):
        return compiled[0]

    @pytest.fixture
    def learner(self, compiled):
        compiled[0].set_weights(compiled[1])
        return compiled[0]

    def outputs(self, model, images):
        return model.predict_on_batch(images)

    def check_learned(self, scores):
        assert set(scores) == {"loss", *LOSSES}

    def check_loaded(self, model, loaded):
        assert loaded.settings == model.settings and loaded.num_classes == CLASSES

    def to_learn(self):
        return TWO

    def same(self, found, expected, **tolerance):
        for number in range(len(expected["boxes"])):
            same_detections(found, number, expected, number)

    def close(self, found, expected):
        """A score in 8 bits may change which regions there are: the best of them is compared."""
        assert np.isfinite(found["boxes"]).all() and np.isfinite(found["masks"]).all()
        np.testing.assert_allclose(found["scores"][:, 0], expected["scores"][:, 0], rtol=0.1)
        assert np.abs(found["scores"] - expected["scores"]).max() > 0  # the policy was in force

    # PyTorch has not to compile another model, batch or policy

    @pytest.mark.once("torch")
    def test_a_batch_gives_what_its_images_give_alone(self, model):
        super().test_a_batch_gives_what_its_images_give_alone(model)

    @pytest.mark.once("torch")
    @pytest.mark.parametrize("policy", ["mixed_bfloat16"])
    def test_outputs_are_float32_whatever_the_policy(self, model, policy):
        super().test_outputs_are_float32_whatever_the_policy(model, policy)


HARD = {
    "no object": stacked(scene([]), scene([])),
    "one pixel": stacked(scene([(0, 0, 1, 1)]), scene([(95, 63, 96, 64), (5, 5, 6, 6)])),
    "all crowd": stacked(
        scene([(0, 0, 96, 64), (5, 5, 50, 50)], crowd=(0, 1)), scene([(0, 0, 96, 64)], crowd=(0,))
    ),
    "the whole image": stacked(scene([(0, 0, 96, 64)]), scene([])),
}


@pytest.mark.few("no object", "all crowd")
@pytest.mark.once("jax")
@pytest.mark.parametrize("name", HARD)
def test_nothing_is_nan(model, name):
    loss = model.train_on_batch(*HARD[name], return_dict=True)
    assert all(np.isfinite(value) for value in loss.values()), loss
    for weight in model.trainable_variables:
        assert np.isfinite(ops.convert_to_numpy(weight)).all(), weight.path
    if name in ("no object", "all crowd"):
        terms = losses_of(model, *HARD[name])
        assert terms["rpn_box"] == terms["box"] == terms["mask"] == 0


def losses_of(model, images, labels):
    """The losses of a model as it is, by name."""
    model.reset_metrics()
    return model.test_on_batch(images, labels, return_dict=True)


@pytest.mark.once("torch")
def test_impossible_labels_make_the_loss_nan(model):
    images, labels = TWO
    boxes = labels["boxes"].copy()
    boxes[0, 0] = 10, 10, 10, 20
    assert np.isnan(losses_of(model, images, {**labels, "boxes": boxes})["loss"])
    classes = np.where(labels["classes"] == 1, CLASSES, labels["classes"])
    assert np.isnan(losses_of(model, images, {**labels, "classes": classes})["loss"])
    assert np.isfinite(losses_of(model, images, labels)["loss"])


@pytest.mark.once("torch")
def test_crowds_are_neither_object_nor_background(model):
    """All regions lie in the crowd: none is background, so that the box head learns nothing; the
    same rectangle without the mark is an object. (Anchors may lie half outside the image.)"""
    images, labels = stacked(*[scene([(0, 0, 96, 64)], crowd=(0,))] * 2)
    terms = losses_of(model, images, labels)
    assert terms["classifier"] == terms["box"] == terms["mask"] == 0
    terms = losses_of(model, images, {**labels, "crowd": np.zeros_like(labels["crowd"])})
    assert terms["classifier"] > 0 and terms["box"] > 0 and terms["mask"] > 0


def where_it_compiles_for_long(test):
    return test if keras.backend.backend() == "torch" else pytest.mark.slow(test)


@pytest.mark.slow
@where_it_compiles_for_long
def test_many_objects_long_images_and_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(encoder="torchvision:resnet18", freeze=True)
    finally:
        keras.config.set_dtype_policy("float32")
    rng = np.random.default_rng(0)
    corners = rng.integers(0, [1980, 12], (300, 2))
    boxes = [(x, y, x + 3 + x % 15, y + 1 + y % 7) for x, y in corners.tolist()]
    images, labels = stacked(scene(boxes, size=(20, 2000), places=300))
    for _ in range(2):
        loss = model.train_on_batch(images, labels, return_dict=True)
        assert all(np.isfinite(value) for value in loss.values()), loss
    detections = model.predict_on_batch(images)
    assert all(np.isfinite(detections[key]).all() for key in ("boxes", "scores", "masks"))
    assert detections["boxes"].dtype == detections["scores"].dtype == np.float32


@pytest.mark.once("torch")
def test_masks_are_cut_and_pasted_by_one_rule(monkeypatch):
    """The model's: in the targets that it learns from, in what it predicts, and in its file."""
    images, labels = TWO
    model = build(compile=False)
    assert model.paste == "centred" and model.get_config()["paste"] == "centred"
    photo = images[0]
    found = model.predict_on_batch(images)
    regions = ops.convert_to_tensor(labels["boxes"][:, :2])
    owner = ops.convert_to_tensor(np.int32([[0, 1], [0, 0]]))
    truth = model._truth({key: ops.convert_to_tensor(value) for key, value in labels.items()})
    seen = []

    def learned(logits, classes, targets, positive):
        seen.append(ops.convert_to_numpy(targets))
        return ops.sum(logits) * 0

    monkeypatch.setattr(losses, "mask_loss", learned)
    # in one piece: a loop of JAX' holds no values that could be looked at
    monkeypatch.setattr(parts, "sum_where", lambda function, values: function(*values))
    for rule in RULES:
        model.paste = rule
        seen.clear()
        features = model(images)["features"][:-1]
        drawn = ops.convert_to_tensor([[True, True], [True, False]])
        model.losses_of_regions(features, regions, owner, drawn, drawn, truth)
        targets = np.concatenate(seen, axis=1)[0, 0]
        # a rectangle in a box of its own is symmetric, or lies half a pixel further up and left
        assert targets[14, 14] == 1
        symmetric = np.allclose(targets, targets[::-1, ::-1], atol=1e-5)
        assert symmetric == (rule == "centred") and (targets[0, 14] > 0.9)
        kept = found["classes"][0] >= 0
        expected = paste_masks(
            found["masks"][0][kept], found["boxes"][0][kept], *SIZE, centred=rule == "centred"
        )
        actual = kseg.predict(model, photo, min_score=0.0, masks="probability").masks
        np.testing.assert_allclose(actual, expected, atol=1e-3)
    assert model.paste == "torchvision" and build(paste="torchvision").paste == "torchvision"


@pytest.mark.once("torch")
def test_files_and_checkpoints_keep_the_rule_they_were_trained_with():
    resnet = build(encoder="torchvision:resnet18", compile=False)
    weights = kseg.weights.torchvision.state_dict(resnet)
    kseg.weights.torchvision.load(resnet, weights, head=False)
    assert resnet.paste == "centred"  # its mask head learns here
    kseg.weights.torchvision.load(resnet, weights)
    assert resnet.paste == "torchvision" and resnet.detector.settings.paste == "torchvision"
    config = resnet.get_config()
    assert type(resnet).from_config(config).paste == "torchvision"
    assert type(resnet).from_config({**config, "paste": "centred"}).paste == "centred"
    del config["paste"]  # a file of before there was a choice
    assert type(resnet).from_config(config).paste == "torchvision"


@pytest.mark.once("torch")
def test_what_is_frozen_stays():
    """Up to stride 4 everything, and every batch norm, as torchvision fine-tunes."""
    resnet = "torchvision:resnet18"
    model = build(encoder=resnet, freeze=4, compile=False)
    trained = {w.path.split("/")[-2] for w in model.trunk.get_layer("encoder").trainable_weights}
    assert {name.split("_")[0] for name in trained} == {"layer2", "layer3", "layer4"}
    assert not any("_bn" in name or name.endswith("downsample_1") for name in trained)
    assert len(trained) == 15  # convolutions: 2 blocks of 2 in 3 stages, 3 shortcuts
    assert (
        not build(encoder=resnet, freeze=True, compile=False)
        .trunk.get_layer("encoder")
        .trainable_weights
    )
    loose = build(encoder=resnet, compile=False).trunk.get_layer("encoder")
    assert len(loose.trainable_weights) == 3 * 20  # kernel, gamma, beta of every convolution


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"anchor_sizes": ((8,),)}, "expected five tuples"),
        ({"anchor_sizes": ((8,), (0,), (1,), (2,), (3,))}, "equally many numbers > 0"),
        ({"anchor_ratios": (1, -1)}, "anchor_ratios=(1, -1)"),
        ({"resize": (800, 600)}, "resize=(800, 600)"),
        ({"detections": 0}, "detections=0"),
        ({"paste": "center"}, "paste='center': expected one of 'centred', 'torchvision'"),
        ({"min_score": 1.0}, "min_score=1.0"),
        ({"freeze": 3}, "freeze=3"),
        ({"input_shape": (None, 3)}, "input_shape"),
    ],
)
def test_errors_name_the_argument(changed, message):
    with pytest.raises(ValueError) as error:
        build(encoder="torchvision:resnet18", **changed)
    assert message in str(error.value)


def test_losses_by_hand():
    """Smooth L1 with beta 1/9 of 0.05: 0.05**2 * 9 / 2 = 0.01125; of 1: 1 - 1/18. Binary
    cross-entropy of logit 0 is log 2; of 1000 with truth 1 it is 0, with truth 0 it is 1000."""
    np.testing.assert_allclose(
        losses.smooth_l1(ops.convert_to_tensor([[0.05, 0.0, -1.0, 0.0]])), [0.01125 + 17 / 18]
    )
    np.testing.assert_allclose(
        losses.binary_cross_entropy(
            ops.convert_to_tensor([0.0, 1000.0, 1000.0]), ops.convert_to_tensor([1.0, 1.0, 0.0])
        ),
        [np.log(2), 0, 1000],
        rtol=1e-6,
    )
    # two of four places drawn, one of them positive: logits 0 and 0, so log 2; the delta of the
    # positive is off by 1 in one of four numbers, over two drawn
    logits, zeros = ops.zeros((1, 4)), ops.zeros((1, 4, 4))
    targets = np.zeros((1, 4, 4), "float32")
    targets[0, :, 2] = 1
    drawn = ops.convert_to_tensor([[True, True, False, False]])
    positive = ops.convert_to_tensor([[True, False, False, False]])
    actual = losses.proposal_losses(logits, zeros, ops.convert_to_tensor(targets), drawn, positive)
    np.testing.assert_allclose(actual, [np.log(2), 17 / 36], rtol=1e-6)


@pytest.mark.once("torch")
def test_half_of_the_anchors_that_are_learned_from_are_of_objects_at_most(model):
    _, labels = stacked(scene([(5, 5, 40, 30)]))
    anchors = np.repeat(np.float32([[5, 5, 40, 30], [60, 40, 80, 60]]), 40, axis=0)
    logits, deltas = np.full((1, 80), 3.0, "float32"), np.zeros((1, 80, 4), "float32")
    given = map(ops.convert_to_tensor, (anchors, logits, deltas))
    truth = model._truth(keras.tree.map_structure(ops.convert_to_tensor, labels))
    objectness, boxes = model._proposal_losses(*given, truth)
    # 16 of 32 at an object, which they say at e^3 to 1, and 16 far from it
    expected = (np.log1p(np.exp(-3)) + np.log1p(np.exp(3))) / 2
    assert float(objectness) == pytest.approx(expected, rel=1e-5) and float(boxes) == 0


def test_box_losses_by_hand():
    """Three regions of classes 2, 0 (background) and 1, of which the last was not drawn."""
    logits = np.log(np.array([[[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.3, 0.3, 0.4]]], "float32"))
    deltas = np.full((1, 3, 3, 4), 5.0, "float32")  # of other classes: they do not count
    deltas[0, 0, 2], deltas[0, 1, 0] = [0, 1, 0, 0.05], 0
    classes = np.array([[2, 0, 1]], "int32")
    drawn, positive = np.array([[True, True, False]]), np.array([[True, False, False]])
    actual = losses.box_losses(
        *map(ops.convert_to_tensor, (logits, deltas, classes, np.zeros((1, 3, 4), "float32"))),
        *map(ops.convert_to_tensor, (drawn, positive)),
    )
    expected = [-(np.log(0.2) + np.log(0.5)) / 2, (17 / 18 + 0.01125) / 2]
    np.testing.assert_allclose([float(each) for each in actual], expected, rtol=1e-5)


def test_detections_by_hand():
    """Two regions; softmax is over the classes of each, of which the first is background."""
    regions = np.array([[[0, 0, 20, 10], [30, 30, 60, 50]]], "float32")
    logits = np.log(np.array([[[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]]], "float32"))
    detections = select(
        *map(ops.convert_to_tensor, (logits, np.zeros((1, 2, 3, 4), "float32"), regions)),
        ops.convert_to_tensor([[True, True]]),
        np.array([[64, 96]], "int32"),
        min_score=0.15,
        overlap=0.5,
        count=4,
    )
    boxes, classes, scores = (
        ops.convert_to_numpy(detections[key])[0] for key in ("boxes", "classes", "scores")
    )
    np.testing.assert_allclose(scores, [0.7, 0.4, 0.2, 0], rtol=1e-5)
    assert classes.tolist() == [0, 1, 1, -1]
    np.testing.assert_allclose(boxes, [*regions[0, [0, 1, 0]], np.zeros(4)], atol=1e-4)


@pytest.mark.slow
@pytest.mark.backends("tensorflow", "jax", reason="PyTorch runs eagerly")
def test_a_size_is_compiled_once(model, monkeypatch):
    """Python code of the losses runs only while a step is compiled."""
    model.train_on_batch(*TWO)
    traced, compute_loss = [], model.compute_loss
    monkeypatch.setattr(
        type(model), "compute_loss", lambda self, *a, **k: traced.append(1) or compute_loss(*a, **k)
    )
    model.train_on_batch(*TWO)
    model.train_on_batch(*HARD["no object"])
    model.train_on_batch(*HARD["the whole image"])
    assert not traced


@pytest.mark.slow
@pytest.mark.backends("tensorflow", reason="JAX always compiles")
def test_xla_gives_the_same(model):
    """With jit_compile=True TensorFlow compiles training and prediction whole."""
    compiled = build(compile=False)
    compiled.set_weights(model.get_weights())
    compiled.compile(keras.optimizers.SGD(0.0), jit_compile=True)
    compiled.detector.compile(jit_compile=True)
    actual, expected = compiled.predict_on_batch(TWO[0]), model.predict_on_batch(TWO[0])
    for number in range(2):
        same_detections(actual, number, expected, number)
    loss = compiled.train_on_batch(*TWO, return_dict=True)
    assert all(np.isfinite(value) for value in loss.values()), loss


def test_a_model_that_is_not_used_any_more_is_freed():
    import gc
    import weakref

    model = build(compile=False)
    model.detector  # noqa: B018 - is kept for later calls, but not longer than the model
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None

"""Mask R-CNN's names, layouts and errors, on a small model of layers of the same names."""

import keras
import numpy as np
import pytest
from models.quick_start import quick_start  # noqa: F401
from weights.test_torchvision_names import assert_same, fcn, random_like

import kseg
from kseg.models.encoders.resnet import resnet
from kseg.weights import torchvision
from kseg.weights.torchvision_mask_rcnn import HEADS, earlier

WIDTH = 4  # of everything but the ResNet
EARLIER = {  # for each pattern one, by hand
    "backbone.fpn.inner_blocks.0.0.weight": "backbone.fpn.inner_blocks.0.weight",
    "backbone.fpn.layer_blocks.3.0.bias": "backbone.fpn.layer_blocks.3.bias",
    "rpn.head.conv.0.0.weight": "rpn.head.conv.weight",
    "roi_heads.mask_head.0.0.weight": "roi_heads.mask_head.mask_fcn1.weight",
    "roi_heads.mask_head.3.0.bias": "roi_heads.mask_head.mask_fcn4.bias",
    # as they were
    "backbone.body.layer1.0.conv1.weight": "backbone.body.layer1.0.conv1.weight",
    "backbone.body.layer2.0.downsample.0.weight": "backbone.body.layer2.0.downsample.0.weight",
    "rpn.head.cls_logits.weight": "rpn.head.cls_logits.weight",
    "roi_heads.box_head.fc6.weight": "roi_heads.box_head.fc6.weight",
}


class StandIn(keras.Model):
    """The layers of `build_mask_rcnn`, in its nested models, without what it computes."""

    task = "instance"

    def __init__(self, num_classes=3, depth=18):
        super().__init__()
        conv, dense = keras.layers.Conv2D, keras.layers.Dense
        image = keras.Input((None, None, 3))
        stages = list(resnet(image, depth, width=2).values())[1:]
        encoder = keras.Model(image, stages, name="encoder")
        image = keras.Input((None, None, 3))
        levels = [
            conv(WIDTH, 1, name=f"fpn_inner_blocks_{i}")(x) for i, x in enumerate(encoder(image))
        ]
        levels = [conv(WIDTH, 3, name=f"fpn_layer_blocks_{i}")(x) for i, x in enumerate(levels)]
        hidden = conv(WIDTH, 3, name="rpn_head_conv")(levels[0])
        logits = conv(3, 1, name="rpn_head_cls_logits")(hidden)
        deltas = conv(12, 1, name="rpn_head_bbox_pred")(hidden)
        self.trunk = keras.Model(image, [*levels, logits, deltas], name="trunk")

        region = x = keras.Input((7, 7, WIDTH))
        x = dense(5, name="box_head_fc6")(keras.layers.Flatten()(x))
        x = dense(5, name="box_head_fc7")(x)
        scores = dense(num_classes + 1, name="box_predictor_cls_score")(x)
        boxes = dense(4 * (num_classes + 1), name="box_predictor_bbox_pred")(x)
        self.box_head = keras.Model(region, [scores, boxes], name="box_head")

        region = x = keras.Input((14, 14, WIDTH))
        for i in range(1, 5):
            x = conv(WIDTH, 3, padding="same", name=f"mask_head_mask_fcn{i}")(x)
        x = keras.layers.Conv2DTranspose(6, 2, strides=2, name="mask_predictor_conv5_mask")(x)
        x = conv(num_classes + 1, 1, name="mask_predictor_mask_fcn_logits")(x)
        self.mask_head = keras.Model(region, x, name="mask_head")

    def call(self, image):
        return self.trunk(image)


@pytest.fixture
def model():
    return StandIn()


@pytest.fixture
def tensors(model):
    return random_like(torchvision.state_dict(model))


def test_state_dict_inverts_load(model, tensors):
    assert torchvision.load(model, tensors) == []
    assert_same(torchvision.state_dict(model), tensors)
    # and nothing else is in the model: every weight came from the file
    loaded = sum(array.size for array in tensors.values() if array.dtype == np.float32)
    assert loaded == sum(int(np.prod(weight.shape)) for weight in model.weights)
    parts = (model.trunk, model.box_head, model.mask_head)
    assert set(HEADS) < {layer.name for part in parts for layer in part.layers}


@pytest.mark.once("torch")
@pytest.mark.parametrize("key", EARLIER)
def test_earlier_names(key, tensors):
    assert earlier(key) == EARLIER[key]
    assert key in tensors or "downsample" in key


def test_both_generations_of_names(model, tensors):
    old = {earlier(key): array for key, array in tensors.items() if array.dtype == np.float32}
    assert len(set(old) - set(tensors)) == 2 * (4 + 4 + 1 + 4)
    assert torchvision.load(model, old) == []
    assert_same(torchvision.state_dict(model), tensors)


def test_a_name_in_both_generations_is_unexpected(model, tensors):
    tensors["rpn.head.conv.bias"] = tensors["rpn.head.conv.0.0.bias"]
    with pytest.raises(
        ValueError, match="1 keys do not fit.*\n  unexpected: rpn.head.conv.0.0.bias"
    ):
        torchvision.load(model, tensors)


def test_layouts_by_hand(model, tensors):
    torchvision.load(model, tensors)
    region = np.random.default_rng(0).normal(size=(7, 7, WIDTH)).astype("float32")  # H, W, C
    fc6 = model.box_head.get_layer("box_head_fc6")
    theirs = tensors["roi_heads.box_head.fc6.weight"] @ region.transpose(2, 0, 1).ravel()
    ours = region.ravel() @ keras.ops.convert_to_numpy(fc6.kernel)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)

    kernel = keras.ops.convert_to_numpy(
        model.mask_head.get_layer("mask_predictor_conv5_mask").kernel
    )
    assert kernel.shape == (2, 2, 6, WIDTH)
    theirs = tensors["roi_heads.mask_predictor.conv5_mask.weight"]  # (in, out, 2, 2)
    assert kernel[0, 1, 5, 2] == theirs[2, 5, 0, 1]
    kernel = keras.ops.convert_to_numpy(model.box_head.get_layer("box_predictor_bbox_pred").kernel)
    assert kernel[3, 14] == tensors["roi_heads.box_predictor.bbox_pred.weight"][14, 3]


@pytest.mark.once("torch")
@pytest.mark.parametrize("count, picked", [(10, [9, 2, 5]), (3, [3, 1, 2])])
def test_classes_are_picked(count, picked):
    """Those of these indices of a checkpoint, or all in another order, become classes 0, 1, 2."""
    source, model = StandIn(num_classes=count), StandIn(num_classes=3)
    many = random_like(torchvision.state_dict(source))
    torchvision.load(model, many, classes=picked)
    actual = torchvision.state_dict(model)
    for module, each in {
        "box_predictor.cls_score": 1,
        "box_predictor.bbox_pred": 4,
        "mask_predictor.mask_fcn_logits": 1,
    }.items():
        for parameter in ("weight", "bias"):
            key = f"roi_heads.{module}.{parameter}"
            rows = [each * c + i for c in (0, *picked) for i in range(each)]
            np.testing.assert_array_equal(actual[key], many[key][rows])
    key = "roi_heads.box_head.fc7.weight"
    np.testing.assert_array_equal(actual[key], many[key])


def test_coco_classes(model):
    assert len(torchvision.COCO_CLASSES) == 80
    assert torchvision.COCO_CLASSES[:12] == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13)
    assert torchvision.COCO_CLASSES[-3:] == (88, 89, 90)


@pytest.mark.once("torch")
@pytest.mark.parametrize("classes", [[0, 1, 2], [1, 2, 4], [1, 1, 2]])
def test_classes_that_the_checkpoint_has_not_are_refused(classes, model, tensors):
    before = torchvision.state_dict(model)
    with pytest.raises(ValueError, match="classes=.*integers from 1 to 3"):
        torchvision.load(model, tensors, classes=classes)
    assert_same(torchvision.state_dict(model), before)


def test_too_few_classes_are_refused(model, tensors):
    with pytest.raises(ValueError) as error:
        torchvision.load(model, tensors, classes=[1, 2])
    message = str(error.value)
    assert "6 keys do not fit" in message
    assert (
        "shape: roi_heads.box_predictor.bbox_pred.bias is (12,), but the model's (16,)" in message
    )


@pytest.mark.once("torch")
def test_classes_are_for_mask_rcnn_alone(model, tensors):
    for other, given, head in (
        (fcn(), torchvision.state_dict(fcn()), True),
        (model, tensors, False),
    ):
        with pytest.raises(ValueError, match="expected None unless a checkpoint of Mask R-CNN"):
            torchvision.load(other, given, classes=[1, 2, 3], head=head)


@pytest.mark.once("torch")
@pytest.mark.parametrize("variance", [5.6e-45, 1e-12, 1e-5, 0.3])
def test_norm_epsilon_changes_nothing_that_the_layer_computes(variance, model, tensors):
    """torchvision's gamma * (x - mean) / sqrt(variance + 0) + beta, however small the variance."""
    module, x = "backbone.body.layer1.0.bn1", np.float32(1e-3)
    tensors[f"{module}.running_var"][:] = variance
    tensors[f"{module}.weight"][:] = 1e-8
    torchvision.load(model, tensors, norm_epsilon=0.0)
    layer = model.trunk.get_layer("encoder").get_layer("layer1_0_bn1")
    actual = keras.ops.convert_to_numpy(layer(np.full((1, 1, 1, 2), x), training=False))
    mean, beta = tensors[f"{module}.running_mean"], tensors[f"{module}.bias"]
    exact = np.float32(variance).astype("float64")
    expected = 1e-8 * (x - mean.astype("float64")) / np.sqrt(exact) + beta
    np.testing.assert_allclose(actual.ravel(), expected, rtol=1e-5)


def test_norm_epsilon_and_back(model, tensors):
    torchvision.load(model, tensors, norm_epsilon=0.0)
    actual = torchvision.state_dict(model)
    key = "backbone.body.layer1.0.bn1.weight"
    variance = tensors["backbone.body.layer1.0.bn1.running_var"]
    np.testing.assert_allclose(actual[key], tensors[key] * np.sqrt(1 + 1e-5 / variance), rtol=1e-6)
    back = torchvision.state_dict(model, norm_epsilon=0.0)
    assert list(back) == list(tensors)
    for key, array in tensors.items():
        np.testing.assert_allclose(back[key], array, rtol=2e-7, err_msg=key)


def test_the_published_file_has_no_epsilon(model, tensors, tmp_path):
    for name, epsilon in (("maskrcnn_resnet50_fpn_coco-bf2d0c1e", 0.0), ("own", None)):
        path = tmp_path / f"{name}.safetensors"
        kseg.weights.write(path, tensors)
        torchvision.load(model, path)
        actual = torchvision.state_dict(model)
        torchvision.load(model, tensors, norm_epsilon=epsilon)
        assert_same(actual, torchvision.state_dict(model))
    assert_same(actual, tensors)


def test_an_epsilon_that_divides_by_zero_is_refused(model, tensors):
    before = torchvision.state_dict(model)
    tensors["backbone.body.bn1.running_var"][0] = 0
    with pytest.raises(
        ValueError, match="norm_epsilon=0.0: .*zero or less: backbone.body.bn1.running_var. Leave"
    ):
        torchvision.load(model, tensors, norm_epsilon=0.0)
    with pytest.raises(ValueError, match="norm_epsilon=-1: expected a number >= 0"):
        torchvision.load(model, tensors, norm_epsilon=-1)
    assert_same(torchvision.state_dict(model), before)


def test_every_key_that_does_not_fit_is_listed(model, tensors):
    before = torchvision.state_dict(model)
    tensors = {earlier(key): array for key, array in tensors.items()}
    del tensors["backbone.body.layer1.0.conv1.weight"]
    del tensors["rpn.head.conv.weight"]
    tensors["roi_heads.keypoint_head.0.bias"] = np.zeros(3, "float32")
    tensors["backbone.fpn.inner_blocks.2.bias"] = np.zeros(9, "float32")
    tensors["roi_heads.box_head.fc6.weight"] = np.zeros((5, 200), "float32")
    with pytest.raises(ValueError) as error:
        torchvision.load(model, tensors)
    listed = str(error.value).splitlines()
    assert listed[0] == "weights='a dict': expected the model's keys. 5 keys do not fit:"
    assert {line.strip() for line in listed[1:-1]} == {
        "missing: backbone.body.layer1.0.conv1.weight",
        "missing: rpn.head.conv.0.0.weight",
        "unexpected: roi_heads.keypoint_head.0.bias",
        "shape: backbone.fpn.inner_blocks.2.bias is (9,), but the model's (4,)",
        "shape: roi_heads.box_head.fc6.weight is (5, 200), but the model's (5, 196)",
    }
    assert_same(torchvision.state_dict(model), before)


def test_head_false_loads_the_encoder_alone(model, tensors):
    """From a detection checkpoint, a classifier's and a segmentation model's; into any model."""
    trunk = {key: array for key, array in tensors.items() if key.startswith("backbone.body.")}
    trunk = {key.removeprefix("backbone.body."): array for key, array in trunk.items()}
    before = torchvision.state_dict(model)
    fc = {"fc.bias": np.zeros(1000, "float32")}
    assert torchvision.load(model, trunk | fc, head=False) == ["fc.bias"]
    after = torchvision.state_dict(model)
    for key in after:
        expected = tensors if key.startswith("backbone.body.") else before
        np.testing.assert_array_equal(after[key], expected[key], err_msg=key)
    other = fcn()
    left_out = torchvision.load(other, tensors, head=False)
    assert left_out == [key for key in tensors if not key.startswith("backbone.body.")]
    assert_same(torchvision.state_dict(other, head=False), trunk)
    torchvision.load(model, torchvision.state_dict(other), head=False)
    assert_same(torchvision.state_dict(model, head=False), trunk)


def test_layers_that_torchvision_has_not_are_refused(model):
    model.extra = keras.layers.Dense(2, name="extra")
    model.extra.build((None, 3))
    with pytest.raises(ValueError, match="without a counterpart in torchvision: extra"):
        torchvision.state_dict(model)

"""FCNs filled from a VGG16 classifier, and from a coarser FCN."""

import keras
import numpy as np
import pytest
from keras import ops
from models import contract
from models.fcn_reference import CONVOLUTIONS, enlargement, filled, small

import kseg
from kseg.models import carry_vgg16_classifier, hand_over


def classifier(width=4, fc_width=8, size=224, names=("fc1", "fc2")):
    """A narrow VGG16 with random weights, layers named as in keras.applications."""
    zeros = {"kernel_initializer": "zeros"}  # until the end of this function
    image = x = keras.Input((size, size, 3))
    for stage, (count, multiple) in enumerate(zip((2, 2, 3, 3, 3), (1, 2, 4, 8, 8)), 1):
        for i in range(1, count + 1):
            name = f"block{stage}_conv{i}"
            x = keras.layers.Conv2D(
                width * multiple, 3, padding="same", activation="relu", name=name, **zeros
            )(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    for name in names:
        x = keras.layers.Dense(fc_width, activation="relu", name=name, **zeros)(x)
    model = keras.Model(image, x)
    rng = np.random.default_rng(5)
    for weight in model.weights:
        fan_in = np.prod(weight.shape[:-1])
        weight.assign(rng.normal(0.1, np.sqrt(2 / fan_in), weight.shape))
    return model


@pytest.mark.once("torch")
def test_surgery_keeps_what_the_classifier_computes():
    # A 224x224 image ends as a map of 7x7, all of which fc6 (7x7, padded by 3) sees at its centre:
    # there it is the fully connected layer.
    theirs = classifier()
    model = small(weights=theirs, compile=False)
    image = contract.photos((224, 224), batch=1)
    bgr = image[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    expected = contract.run(theirs, bgr)  # (1, 8), the activations of fc2
    fc7 = keras.Model(model.input, model.get_layer("fc7").output)
    actual = contract.run(fc7, image)  # (1, 7, 7, 8)
    assert expected.std() > 0
    np.testing.assert_allclose(actual[:, 3, 3], expected, rtol=1e-4)


@pytest.mark.once("torch")
def test_surgery_carries_what_fits():
    model = small(compile=False)
    assert carry_vgg16_classifier(model, classifier()) == (*CONVOLUTIONS, "fc6", "fc7")
    assert carry_vgg16_classifier(model, classifier(fc_width=9)) == tuple(CONVOLUTIONS)
    assert carry_vgg16_classifier(model, classifier(names=())) == tuple(CONVOLUTIONS)
    for theirs, part in (
        (classifier(width=3), "'block1_conv1'"),
        (classifier(size=160), "224 x 224"),
        (keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), "a layer 'block1_conv1'"),
    ):
        before = model.get_weights()
        with pytest.raises(ValueError, match=part):
            carry_vgg16_classifier(model, theirs)
        assert all(map(np.array_equal, before, model.get_weights()))
    with pytest.raises(ValueError, match="model=.*with a layer 'conv1_1'"):
        carry_vgg16_classifier(classifier(), classifier())


def test_shapes_are_those_of_keras_applications():
    with contract.shapes_alone():
        theirs = keras.applications.VGG16(weights=None)
        model = kseg.build_fcn8s(21, compile=False)
    pairs = zip([x for x in theirs.layers if x.weights], (*CONVOLUTIONS, "fc6", "fc7"))
    for layer, name in pairs:
        ours = model.get_layer(name).kernel.shape
        given = layer.kernel.shape
        assert given == (ours if len(given) == 4 else (np.prod(ours[:3]), ours[3]))
    assert layer.name == "fc2"


@pytest.mark.slow
def test_a_weights_file(tmp_path):
    theirs = keras.applications.VGG16(weights=None, include_top=False)
    path = tmp_path / "vgg16.weights.h5"
    theirs.save_weights(path)
    model = kseg.build_fcn32s(2, weights=path, fc_width=8, freeze=True, compile=False)
    for mine, layer in zip(CONVOLUTIONS, [x for x in theirs.layers if x.weights], strict=True):
        for ours, given in zip(model.get_layer(mine).get_weights(), layer.get_weights()):
            np.testing.assert_array_equal(ours, given)


def test_which_weights_are_asked_for(tmp_path, monkeypatch):
    """The classifier's top is wanted where it fits: at the paper's fc_width."""
    asked = []

    def applications(**arguments):
        asked.append((arguments["weights"], arguments["include_top"]))
        raise ValueError("2 layers, but 3 in the file.")

    monkeypatch.setattr(keras.applications, "VGG16", applications)
    with pytest.raises(ValueError, match="VGG16 with its classifier, as fc_width is 4096. 2 layer"):
        kseg.build_fcn8s(2, weights="imagenet")
    path = tmp_path / "x.weights.h5"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="without its classifier .*, as fc_width is 8."):
        kseg.build_fcn8s(2, weights=path, fc_width=8)
    assert asked == [("imagenet", True), (str(path), False)]


@pytest.mark.slow
def test_surgery_on_the_whole_vgg16():
    theirs = keras.applications.VGG16(weights=None)  # 138 million weights
    model = kseg.build_fcn8s(21, weights=theirs, compile=False)
    image = contract.photos((224, 224), batch=1)
    bgr = image[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    fc2 = keras.Model(theirs.input, theirs.get_layer("fc2").output)
    fc7 = keras.Model(model.input, model.get_layer("fc7").output)
    expected = contract.run(fc2, bgr)
    assert expected.std() > 0
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        contract.run(fc7, image)[:, 3, 3] / scale, expected / scale, atol=1e-4
    )


@pytest.mark.once("torch")
@pytest.mark.parametrize("padding", ["same", "paper"])
def test_hand_over_starts_from_the_coarser_scores(padding):
    def outputs(model, *names):
        actual = keras.Model(model.input, [model.get_layer(name).output for name in names])
        return [ops.convert_to_numpy(y) for y in actual(image, training=False)]

    image = contract.photos((37, 66))
    coarse = filled(small(stride=32, padding=padding, compile=False))
    middle = small(stride=16, padding=padding, at_once=False, compile=False)
    fine = small(stride=8, padding=padding, at_once=False, compile=False)

    assert hand_over(coarse, middle) == (*CONVOLUTIONS, "fc6", "fc7", "score_fr")
    score_fr = keras.Model(coarse.input, coarse.get_layer("score_fr").output)
    expected = contract.run(score_fr, image)
    score, upscore, fused = outputs(middle, "score_fr", "upscore2", "fuse_pool4")
    np.testing.assert_array_equal(score, expected)
    np.testing.assert_array_equal(fused, upscore)  # the new score layer adds zeros
    cut = slice(None) if padding == "paper" else slice(1, -1)
    np.testing.assert_allclose(fused, enlargement(expected, 2)[:, cut, cut], atol=1e-5)

    filled(middle)
    handed = hand_over(middle, fine)
    assert set(handed) == {*CONVOLUTIONS, "fc6", "fc7", "score_fr", "upscore2", "score_pool4"}
    before = outputs(middle, "fuse_pool4", "logits")
    after = outputs(fine, "fuse_pool4", "fuse_pool3", "upscore_pool4", "logits")
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(after[1], after[2])
    # the logits are the same map with its kinks rounded off
    assert np.corrcoef(before[1].ravel(), after[3].ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    "source, target, part",
    [
        ({"num_classes": 2}, {}, "'score_fr'"),
        ({"stride": 16, "at_once": True}, {"at_once": False}, "same at_once"),
    ],
)
def test_hand_over_refuses_what_does_not_fit(source, target, part):
    source, target = small(compile=False, **source), small(compile=False, **target)
    with pytest.raises(ValueError, match=part):
        hand_over(source, target)
    with pytest.raises(ValueError, match="a model that shares layers"):
        hand_over(classifier(), target)

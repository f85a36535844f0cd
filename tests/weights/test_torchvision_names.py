"""Names, shapes and errors on small models; that outputs agree is in tests/parity."""

import keras
import numpy as np
import pytest
from models import contract
from models.quick_start import quick_start  # noqa: F401

import kseg
from kseg.models.encoders.resnet import resnet
from kseg.models.layers import Normalize
from kseg.weights import torchvision

pytestmark = pytest.mark.once("torch")


def small(build, num_classes=3, depth=18, encoder_width=2, **arguments):
    """On a ResNet of few channels."""
    image = keras.Input((None, None, 3))
    stages = resnet(Normalize(1 / 64, -2.0)(image), depth, width=encoder_width)
    encoder = keras.Model(image, list(stages.values()), name="small")
    return build(num_classes, encoder=encoder, output_stride=8, compile=False, **arguments)


def deeplabv3(num_classes=3, **arguments):
    return small(kseg.build_deeplabv3, num_classes, width=4, **arguments)


def fcn(num_classes=3, **arguments):
    return small(kseg.build_fcn, num_classes, **arguments)


def random_like(tensors, seed=0):
    rng = np.random.default_rng(seed)
    return {
        key: rng.uniform(0.5, 1.5, array.shape).astype(array.dtype)
        if array.dtype == np.float32
        else array
        for key, array in tensors.items()
    }


def assert_same(a, b):
    assert set(a) == set(b)
    for key in a:
        assert (a[key].dtype, a[key].shape) == (b[key].dtype, b[key].shape), key
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


@pytest.mark.parametrize("build", [fcn, deeplabv3])
def test_state_dict_inverts_load(build):
    tensors = random_like(torchvision.state_dict(build()))
    model = build()
    assert torchvision.load(model, tensors) == []
    assert_same(torchvision.state_dict(model), tensors)
    # and nothing else is in the model: every weight came from the file
    loaded = sum(array.size for array in tensors.values() if array.dtype == np.float32)
    assert loaded == model.count_params()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_files(name, tmp_path):
    source, model = fcn(), fcn()
    tensors = random_like(torchvision.state_dict(source))
    torchvision.load(source, tensors)
    kseg.weights.write(tmp_path / name, torchvision.state_dict(source))
    torchvision.load(model, tmp_path / name)
    images = contract.photos((24, 40))
    np.testing.assert_array_equal(contract.run(model, images), contract.run(source, images))


def test_a_batch_norm_of_another_epsilon_is_told_by_its_gamma():
    """(x - mean) / sqrt(var + 1e-2) * gamma, computed with the layer's own epsilon."""
    model = fcn()
    tensors = random_like(torchvision.state_dict(model))
    torchvision.load(model, tensors, norm_epsilon=1e-2)
    layer = model.get_layer("fcn_norm")
    gamma, beta, mean, variance = layer.get_weights()
    weight, stored = (tensors[f"classifier.1.{name}"] for name in ("weight", "running_var"))
    np.testing.assert_allclose(gamma, weight * np.sqrt((stored + layer.epsilon) / (stored + 1e-2)))
    for values, name in ((beta, "bias"), (mean, "running_mean"), (variance, "running_var")):
        np.testing.assert_array_equal(values, tensors[f"classifier.1.{name}"])
    kernel = model.get_layer("fcn_conv").get_weights()[0]
    np.testing.assert_array_equal(kernel.transpose(3, 2, 0, 1), tensors["classifier.0.weight"])


def test_layouts_by_hand():
    """A kernel (3, 3, in, out) is (out, in, 3, 3) there; gamma, beta, mean and variance."""
    model = fcn()
    kernel = np.arange(9 * 16 * 4, dtype="float32").reshape(3, 3, 16, 4)
    model.get_layer("fcn_conv").set_weights([kernel])
    model.get_layer("fcn_norm").set_weights([np.full(4, value, "float32") for value in range(4)])
    model.get_layer("head").set_weights([np.ones((1, 1, 4, 3)), np.array([7.0, 8.0, 9.0])])
    tensors = torchvision.state_dict(model)
    assert tensors["classifier.0.weight"].shape == (4, 16, 3, 3)
    assert tensors["classifier.0.weight"][3, 7, 0, 2] == kernel[0, 2, 7, 3]
    assert tensors["classifier.0.weight"][3, 7, 2, 0] == kernel[2, 0, 7, 3]
    names = ("weight", "bias", "running_mean", "running_var")
    assert [tensors[f"classifier.1.{name}"][0] for name in names] == [0, 1, 2, 3]
    assert tensors["classifier.1.num_batches_tracked"].dtype == np.int64
    assert tensors["classifier.4.weight"].shape == (3, 4, 1, 1)
    assert tensors["classifier.4.bias"].tolist() == [7, 8, 9]
    for key in ("backbone.conv1.weight", "backbone.layer4.0.downsample.1.running_var"):
        assert key in tensors


def test_parts_without_a_place_are_named():
    model = fcn()
    tensors = random_like(torchvision.state_dict(model))
    extra = {
        "aux_classifier.0.weight": np.zeros((1, 1, 3, 3)),
        "aux_classifier.4.bias": np.zeros(3),
    }
    assert torchvision.load(model, tensors | extra) == list(extra)
    assert_same(torchvision.state_dict(model), tensors)


def test_counters_may_be_missing():
    """Checkpoints of before PyTorch 0.4.1 have none."""
    model = fcn()
    tensors = random_like(torchvision.state_dict(model))
    old = {key: array for key, array in tensors.items() if array.dtype == np.float32}
    torchvision.load(model, old)
    assert_same(torchvision.state_dict(model), tensors)


def test_a_trunk_goes_into_any_model_on_such_an_encoder():
    unet = small(lambda *a, output_stride, **k: kseg.build_unet(*a, **k))
    fresh = [layer.get_weights() for layer in unet.layers if layer.name.startswith("up")]
    trunk = random_like(torchvision.state_dict(unet, head=False))
    assert "conv1.weight" in trunk and not any("classifier" in key for key in trunk)
    classifier = trunk | {"fc.weight": np.zeros((1000, 16)), "fc.bias": np.zeros(1000)}
    assert torchvision.load(unet, classifier) == ["fc.weight", "fc.bias"]
    assert_same(torchvision.state_dict(unet, head=False), trunk)
    kept = [layer.get_weights() for layer in unet.layers if layer.name.startswith("up")]
    for before, after in zip(fresh, kept, strict=True):
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)


def test_head_false_keeps_the_head():
    """A checkpoint of 21 classes as the start of a model of 2."""
    source, model = deeplabv3(21), deeplabv3(2)
    tensors = random_like(torchvision.state_dict(source))
    head = torchvision.state_dict(model)["classifier.4.weight"]
    left_out = torchvision.load(model, tensors, head=False)
    assert left_out == [key for key in tensors if key.startswith("classifier.")]
    actual = torchvision.state_dict(model)
    np.testing.assert_array_equal(actual["classifier.4.weight"], head)
    key = "backbone.layer3.1.conv2.weight"
    np.testing.assert_array_equal(actual[key], tensors[key])


def test_every_key_that_does_not_fit_is_listed():
    model = fcn()
    before = torchvision.state_dict(model)
    tensors = random_like(before)
    del tensors["backbone.layer1.0.conv1.weight"], tensors["classifier.1.running_var"]
    tensors["classifier.9.weight"] = np.zeros(3, "float32")
    tensors["backbone.other.num_batches_tracked"] = np.zeros((), "int64")
    tensors["classifier.4.bias"] = np.zeros(21, "float32")
    tensors["classifier.4.weight"] = np.zeros((21, 4, 1, 1), "float32")
    with pytest.raises(ValueError) as error:
        torchvision.load(model, tensors)
    listed = str(error.value).splitlines()
    assert listed[0] == "weights='a dict': expected the model's keys. 6 keys do not fit:"
    assert [line.strip() for line in listed[1:-1]] == [
        "missing: backbone.layer1.0.conv1.weight",
        "missing: classifier.1.running_var",
        "unexpected: classifier.9.weight",
        "unexpected: backbone.other.num_batches_tracked",
        "shape: classifier.4.weight is (21, 4, 1, 1), but the model's (3, 4, 1, 1)",
        "shape: classifier.4.bias is (21,), but the model's (3,)",
    ]
    assert_same(torchvision.state_dict(model), before)  # as it was


def test_the_file_is_named(tmp_path):
    path = tmp_path / "other.safetensors"
    kseg.weights.write(path, {"conv1.weight": np.zeros((64, 3, 7, 7), "float32")})
    with pytest.raises(ValueError) as error:
        torchvision.load(fcn(), path)
    assert str(error.value).startswith(f"weights={str(path)!r}: expected the model's keys. ")


def test_another_depth_is_refused():
    with pytest.raises(ValueError, match="missing: backbone.layer1.0.conv3.weight"):
        torchvision.load(fcn(depth=50), torchvision.state_dict(fcn()))


def test_models_that_torchvision_has_not_are_refused():
    plus = small(kseg.build_deeplabv3plus, width=4)
    with pytest.raises(ValueError, match="without a counterpart.*decoder1_conv"):
        torchvision.state_dict(plus)
    assert "conv1.weight" in torchvision.state_dict(plus, head=False)
    with pytest.raises(ValueError, match="expected a ResNet of torchvision's layout"):
        torchvision.load(kseg.build_unet(2, width=2, depth=1, compile=False), {})


def test_half_precision_files_load():
    model = fcn()
    tensors = random_like(torchvision.state_dict(model))
    halves = {k: a.astype("float16") if a.dtype == np.float32 else a for k, a in tensors.items()}
    torchvision.load(model, halves)
    actual = torchvision.state_dict(model)["classifier.0.weight"]
    np.testing.assert_array_equal(actual, halves["classifier.0.weight"].astype("float32"))


def test_a_mixed_policy_keeps_float32_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = fcn()
    tensors = random_like(torchvision.state_dict(model))
    torchvision.load(model, tensors)
    assert_same(torchvision.state_dict(model), tensors)

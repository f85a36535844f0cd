"""kseg against torchvision 0.28: outputs stored by make_torchvision.py, weights made from names."""

import zlib

import keras
import numpy as np
import pytest
from models.quick_start import quick_start  # noqa: F401
from parity import make_torchvision as reference

import kseg
from kseg.models.encoders import encode
from kseg.weights import torchvision

BUILDERS = {"fcn": kseg.build_fcn, "deeplabv3": kseg.build_deeplabv3}
TOLERANCE = 1e-4  # of logits of order 1, float32

# kseg layer -> module of the reference's DeepLabV3+, besides the trunk
ASPP = {name: module for name, module in torchvision.HEADS.items() if name.startswith("aspp")}
PLUS = {
    "decoder_low_conv": "low.0",
    "decoder_low_norm": "low.1",
    "decoder1_conv": "first.0",
    "decoder1_norm": "first.1",
    "decoder2_conv": "second.0",
    "decoder2_norm": "second.1",
    "head": "head",
}


@pytest.fixture(scope="module")
def stored():
    with np.load(reference.FILE) as file:
        return dict(file)


def build(name):
    """kseg's counterpart of `deeplabv3_resnet50` and so on, with the reference's weights."""
    head, encoder = name.split("_")
    model = BUILDERS[head](reference.NUM_CLASSES, encoder=f"torchvision:{encoder}", compile=False)
    tensors = {
        key: reference.tensor(key, array.shape)
        for key, array in torchvision.state_dict(model).items()
    }
    torchvision.load(model, tensors)
    return model, tensors


def run(model, image):
    """The outputs at inference; on JAX compiled as one, which is quicker than each operation."""
    if keras.backend.backend() == "jax":
        return model.predict(image, verbose=0)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(image, training=False))


def fingerprint(tensors):
    shapes = {key: array.shape for key, array in tensors.items()}
    return zlib.crc32(reference.names_and_shapes(shapes).encode())


def compare(name, sizes, stored):
    model, tensors = build(name)
    assert fingerprint(tensors) == stored[f"{name}/keys"]  # what a strict load compares
    for height, width in sizes:
        logits = run(model, reference.photo(height, width))[0]
        expected = stored[f"{name}/{height}x{width}"]
        np.testing.assert_allclose(reference.thin(logits), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.few("fcn")
@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "name, size", [("deeplabv3_resnet50", (65, 97)), ("fcn_resnet50", (33, 31))]
)
def test_logits(name, size, stored):
    compare(name, [size], stored)


@pytest.mark.slow
@pytest.mark.parametrize("name", reference.MODELS)
def test_logits_of_every_model_at_every_size(name, stored):
    compare(name, reference.SIZES, stored)


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "output_stride",
    [
        32,
        pytest.param(16, marks=pytest.mark.slow),  # fast ones end in DeepLabV3+ and DeepLabV3
        pytest.param(8, marks=pytest.mark.slow),
    ],
)
def test_trunk(output_stride, stored):
    """Each stage of a ResNet-50 in a model of its own, loaded from a classifier's keys."""
    image = keras.Input((None, None, 3))
    features = encode(image, "torchvision:resnet50", output_stride=output_stride)
    model = keras.Model(image, features)
    tensors = {
        key: reference.tensor(key, array.shape)
        for key, array in torchvision.state_dict(model, head=False).items()
    }
    assert fingerprint(tensors) == stored["resnet50/keys"]
    torchvision.load(model, tensors)
    features = run(model, reference.photo(*reference.TRUNK_SIZE))
    # by the last stage at a stride; dilated stages before it have no name of their own
    last = {2: "conv1", 4: "layer1", 8: "layer2", 16: "layer3", 32: "layer4"}
    last = {s: name for s, name in last.items() if s <= output_stride} | {output_stride: "layer4"}
    assert list(features) == list(last)
    for stride, stage in last.items():
        expected = stored[f"resnet50/{output_stride}/{stage}"]
        feature = reference.thin_feature(features[stride][0])
        np.testing.assert_allclose(feature, expected, rtol=0, atol=5 * TOLERANCE, err_msg=stage)


@pytest.mark.slow
@pytest.mark.once("torch")
def test_deeplabv3plus(stored):
    """Figure 2 of the paper in torchvision's parts, at a size that needs no padding."""
    model = kseg.build_deeplabv3plus(reference.NUM_CLASSES, compile=False)
    trunk = torchvision.state_dict(model, head=False)
    trunk = {f"backbone.{key}": array for key, array in trunk.items()}
    trunk = {key: reference.tensor(key, array.shape) for key, array in trunk.items()}
    torchvision.load(model, trunk, head=False)
    modules = {
        **{name: module.replace("classifier.0", "aspp") for name, module in ASPP.items()},
        **PLUS,
    }
    for name, module in modules.items():
        fill(model.get_layer(name), module)
    logits = run(model, reference.photo(*reference.V3PLUS_SIZE))[0]
    np.testing.assert_allclose(
        reference.thin(logits), stored["deeplabv3plus"], rtol=0, atol=TOLERANCE
    )


def fill(layer, module):
    """The reference's weights into one layer, laid out by hand."""
    if isinstance(layer, keras.layers.BatchNormalization):
        keys = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([reference.tensor(f"{module}.{key}", layer.gamma.shape) for key in keys])
    else:
        height, width, channels, filters = layer.kernel.shape
        kernel = reference.tensor(f"{module}.weight", (filters, channels, height, width))
        bias = [reference.tensor(f"{module}.bias", (filters,))] if layer.use_bias else []
        layer.set_weights([kernel.transpose(2, 3, 1, 0), *bias])

import keras
import pytest

from kseg.models.encoders import encode

# channels at strides 1..32, read off the papers' and Keras' own tables
CHANNELS = {
    "vgg16": {1: 64, 2: 128, 4: 256, 8: 512, 16: 512, 32: 512},
    "resnet50": {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048},
    # expanded channels of the block that ends each stride: 16*6, 24*6, 32*6, 96*6; last 1280
    "mobilenetv2": {2: 96, 4: 144, 8: 192, 16: 576, 32: 1280},
}


@pytest.mark.parametrize("name", CHANNELS)
def test_features_by_stride(name):
    image = keras.Input((None, None, 3))
    features = encode(image, name)
    found = {stride: tensor.shape[-1] for stride, tensor in features.items()}
    found.pop(1, None) if name != "vgg16" else None
    assert found == CHANNELS[name]


def test_features_have_their_stride():
    image = keras.Input((64, 96, 3))
    for stride, tensor in encode(image, "efficientnetv2b0").items():
        assert tensor.shape[1:3] == (64 // stride, 96 // stride)


def test_names_do_not_depend_on_what_was_built_before():
    image = keras.Input((None, None, 3))
    first = {s: t.shape for s, t in encode(image, "mobilenetv2").items()}
    keras.applications.MobileNetV2(weights=None)
    assert {s: t.shape for s, t in encode(image, "mobilenetv2").items()} == first


def test_wrong_channels_are_named():
    inner = keras.Input((None, None, 3))
    encoder = keras.Model(inner, keras.layers.Conv2D(4, 3, strides=2, padding="same")(inner))
    with pytest.raises(ValueError, match="3 channels, but input_shape has 4"):
        encode(keras.Input((None, None, 4)), encoder)

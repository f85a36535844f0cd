"""Encoders of a user's own, of every making: used as they are meant, or refused by name."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.encoders import encode

IMAGE = (None, None, 3)


def stages(x, widths=(4, 5, 6)):
    for position, width in enumerate(widths):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = keras.layers.BatchNormalization(name=f"norm{position}")(x)
        x = keras.layers.MaxPooling2D(2)(x)
    return x


def network(shape=IMAGE, top=lambda x: x, **options):
    image = keras.Input(shape)
    return keras.Model(image, top(stages(image, **options)), name="network")


def features(encoder, photos):
    """Stride -> its features of photos, as an array."""
    image = keras.Input((None, None, photos.shape[-1]))
    found = encode(image, encoder)
    values = keras.Model(image, list(found.values())).predict(photos, verbose=0)
    return dict(zip(found, values if isinstance(values, list) else [values]))


def nested(inner):
    image = keras.Input(IMAGE)
    return keras.Model(image, inner(image / 255.0, training=False), name="nested")


def wrapped(inner):
    return keras.Sequential([keras.layers.Rescaling(1 / 255), keras.Sequential([inner])])


@pytest.mark.once("torch")
@pytest.mark.parametrize("around", [nested, wrapped])
def test_the_layers_of_nested_models_are_seen(around, rng):
    photos = rng.integers(0, 256, (1, 32, 48, 3)).astype("float32")
    inner = network()
    expected, found = features(inner, photos / 255), features(around(inner), photos)
    assert list(found) == [1, 2, 4, 8] == list(expected)
    for stride in (2, 4, 8):  # at 1 it is the scaled image or the network's own, whichever is last
        np.testing.assert_allclose(found[stride], expected[stride], atol=1e-5)
    model = kseg.build_unet(2, encoder=around(inner))
    assert sum(layer.name.endswith("_skip") for layer in model.layers) == 3


def flat(x):
    return keras.layers.Dense(2)(keras.layers.Flatten()(x))


@pytest.mark.parametrize("top", [lambda x: x, flat], ids=["features", "classifier"])
def test_a_network_of_one_size_serves_for_any(top, rng):
    photos = rng.integers(0, 256, (1, 64, 96, 3)).astype("float32")
    fixed, free = network((32, 32, 3), top), network()
    free.set_weights(fixed.get_weights()[: len(free.get_weights())])
    found, expected = features(fixed, photos), features(free, photos)
    for stride in (2, 4, 8):
        np.testing.assert_array_equal(found[stride], expected[stride])


class Own(keras.Model):
    """A subclass, of which only the outputs are seen."""

    def __init__(self, strides):
        super().__init__()
        self.convs = [keras.layers.Conv2D(4, 3, strides=s, padding="same") for s in strides]

    def call(self, x):
        maps = []
        for conv in self.convs:
            x = conv(x)
            maps.append(x)
        return maps


@pytest.mark.slow
def test_a_subclass_serves_by_what_it_returns(rng):
    photos = rng.integers(0, 256, (1, 32, 32, 3)).astype("float32")
    own = Own((2, 2, 2))
    found = features(own, photos)
    assert list(found) == [2, 4, 8]
    np.testing.assert_allclose(found[8], keras.ops.convert_to_numpy(own(photos)[2]), atol=1e-4)


@pytest.mark.once("torch")
def test_missing_skips_are_said():
    with pytest.warns(
        UserWarning, match=r"stride 8, with skip connections at none, and not at 2, 4"
    ):
        kseg.build_unet(2, encoder=Own((8,)))


@pytest.mark.parametrize(
    "encoder, words",
    [
        (lambda: network((32, 32, 1)), r"encoder='network': .*\[\(32, 32, 1\)\]; .*channels"),
        (
            lambda: network((32, 32, 3), lambda x: x + keras.ops.ones((4, 4, 6))),
            r"encoder='network': .*\(None, None, 3\) image. It takes \(32, 32, 3\), and no other",
        ),
        (lambda: Own(()), "encoder='own"),
    ],
)
def test_what_cannot_serve_is_refused_by_name(encoder, words):
    with pytest.raises(ValueError, match=words):
        encode(keras.Input(IMAGE), encoder())

"""On JAX, which compiles each size by itself, sizes that a network makes alike are one."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.layers import CropLike, PadToStride
from kseg.models.sizes import own_stride
from kseg.prediction import network, semantic

RANDOM = np.random.default_rng(0)


def unet(**options):
    return kseg.build_unet(3, width=2, compile=False, **options)


def uneven():
    image = keras.Input((None, None, 3))
    x = PadToStride(4)(image)
    x = keras.layers.Concatenate()([CropLike()([x, image]), image])
    return keras.Model(image, CropLike()([keras.layers.Conv2D(3, 1)(x), image]))


@pytest.mark.once("jax")
@pytest.mark.parametrize(
    "build, expected",
    [
        (lambda: unet(depth=3), 8),
        (lambda: unet(depth=1, logits_stride=2, detail=True), 4),
        (lambda: unet(depth=2, value_range=(0, 4095), multilabel=True), 4),
        (lambda: unet(depth=1, input_shape=(9, 9, 3)), 1),  # takes no other
        (lambda: uneven(), 1),  # looks at the image itself
    ],
)
def test_strides(build, expected):
    assert own_stride(build()) == expected


@pytest.mark.once("jax")
def test_one_compilation_for_sizes_that_become_one(monkeypatch):
    model = unet(depth=2)
    photos = [
        RANDOM.integers(0, 256, (*size, 3), "uint8") for size in ((9, 13), (12, 16), (10, 15))
    ]
    several = kseg.predict(model, photos, probabilities=True)
    compiled = network._compiled[semantic._deciders[model]["probabilities"]]
    assert compiled._cache_size() == 1
    monkeypatch.setattr(semantic, "_stride", lambda model: 1)
    for photo, found in zip(photos, several):
        assert found.shape == (*photo.shape[:2], 3)
        np.testing.assert_allclose(kseg.predict(model, photo, probabilities=True), found, 1e-6)
    assert compiled._cache_size() == 3


@pytest.mark.once("jax")
def test_numbers_that_are_not_finite_are_told():
    model = unet(depth=1)
    model.set_weights([np.full_like(each, 3e38) for each in model.get_weights()])
    with pytest.raises(ValueError, match="NaN or infinite"):
        kseg.predict(model, np.full((5, 5, 3), 200, "uint8"))

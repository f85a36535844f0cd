"""The recipe for new scenes."""

import numpy as np
import pytest

import kseg
from kseg.data import transforms
from kseg.training.augmentation import augmentation, check


def sample():
    return kseg.data.shapes("val", count=1)[0]


def applied(transform, seed=(1, 2), image=None):
    import tensorflow as tf

    here = {name: tf.constant(value) for name, value in sample().items()}
    if image is not None:
        here["image"] = tf.constant(image)
    return {name: value.numpy() for name, value in transform(here, tf.constant(seed)).items()}


def test_photos_change_and_labels_do_not():
    transform, clean = transforms.random_appearance(1.0, probability=1.0), sample()
    found = [applied(transform, (0, seed)) for seed in range(8)]
    for each in found:
        assert each["image"].dtype == np.uint8 and each["image"].shape == (96, 96, 3)
        np.testing.assert_array_equal(each["label"], clean["label"])
    changes = [np.abs(each["image"].astype(float) - clean["image"]).mean() for each in found]
    assert np.median(changes) > 15 and len(set(changes)) == 8
    np.testing.assert_array_equal(found[3]["image"], applied(transform, (0, 3))["image"])


def test_the_weakest_is_color_jitter_or_nothing():
    import tensorflow as tf

    seed = tf.random.experimental.stateless_split((5, 6), 2)[1]
    mild = applied(transforms.random_appearance(probability=0.0), (5, 6))["image"]
    np.testing.assert_array_equal(mild, applied(transforms.color_jitter(), seed.numpy())["image"])
    image = np.linspace(0, 255, 96 * 96 * 3).reshape(96, 96, 3).astype("uint8")
    weakest = transforms.random_appearance(strength=0, probability=1.0)
    for seed in range(4):
        assert np.abs(applied(weakest, (0, seed), image)["image"].astype(int) - image).max() <= 1


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("bands", [1, 5])
def test_other_numbers(kind, bands):
    image = np.full((24, 32, bands), 100, kind) * (257 if kind == "uint16" else 1)
    white = 65535 if kind == "uint16" else 255
    for seed in range(6):
        found = applied(transforms.random_appearance(probability=1.0), (0, seed), image)["image"]
        assert (found.dtype, found.shape) == (image.dtype, image.shape)
        assert 0 <= found.min() and found.max() <= white


def test_a_recipe_by_name():
    settings = kseg.Settings(size=(32, 40), transforms=("robust(strength=0.5)",))
    check(settings)  # it ends in crops of one size
    (recipe,) = augmentation(settings, void=7)
    found = applied(recipe)
    assert found["image"].shape == (32, 40, 3) and found["label"].shape == (32, 40)


@pytest.mark.parametrize(
    ("given", "name"), [({"strength": 3}, "strength=3"), ({"probability": 1.5}, "probability=1.5")]
)
def test_refused(given, name):
    with pytest.raises(ValueError, match=name):
        transforms.random_appearance(**given)

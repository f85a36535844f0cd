"""Colours over a photo: each mixture of a grey level and a colour, as the formula says it."""

import numpy as np
import pytest

import kseg

pytestmark = pytest.mark.once("torch")


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("opacity", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("classes, void", [(3, 255), (256, 255), (3, 1)])
def test_every_pixel_is_mixed_as_by_hand(classes, void, opacity, dtype, rng):
    image = rng.integers(0, 256, (9, 11, 3)).astype("uint8")
    labels = rng.integers(0, min(classes + 2, 256), (9, 11)).astype(dtype)  # some are of no class
    labels[0] = void
    colors = rng.integers(0, 256, (classes, 3))
    expected = np.empty_like(image)
    for place, label in np.ndenumerate(labels):
        color = colors[label] if label < classes else np.zeros(3)
        mixed = image[place] * (1 - opacity) + color * opacity
        expected[place] = image[place] if label == void else np.round(mixed)
    given = {"opacity": opacity, "void": void}
    np.testing.assert_array_equal(kseg.pictures.overlay(image, labels, colors, **given), expected)
    drawn = kseg.pictures.overlay(image.astype("float32"), labels, colors, **given)
    np.testing.assert_array_equal(drawn, expected)


def test_labels_are_whole_numbers():
    image = np.zeros((1, 1, 3), "uint8")
    with pytest.raises(TypeError, match="float64"):
        kseg.pictures.overlay(image, np.zeros((1, 1)), [(1, 2, 3)])


def test_sizes_and_colours_that_do_not_fit():
    image = np.zeros((2, 3, 3), "uint8")
    with pytest.raises(ValueError, match=r"labels.shape=\(3, 2\).*\(2, 3\)"):
        kseg.pictures.overlay(image, np.zeros((3, 2), int), [(1, 2, 3)])
    several = np.ones((2, 3, 2), int)
    with pytest.raises(ValueError, match="colors=.*each of the 2 classes"):
        kseg.pictures.overlay(image, several, [(1, 2, 3)])
    colors = [(10, 20, 30), (50, 60, 70), (9, 9, 9)]  # one more than there are classes
    drawn = kseg.pictures.overlay(image, several, colors)
    np.testing.assert_array_equal(drawn, kseg.pictures.overlay(image, several, colors[:2]))

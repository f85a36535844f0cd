"""Boundary loss: distances by hand and against SciPy, and what the loss rewards."""

import keras
import numpy as np
import pytest

from kseg.losses import BoundaryLoss, boundary
from kseg.losses.boundary import signed_distances


def distances(labels, classes, max_distance=None):
    one_hot = (labels[..., None] == np.arange(classes)).astype("float32")
    phi = signed_distances(keras.ops.convert_to_tensor(one_hot), max_distance)
    return keras.ops.convert_to_numpy(phi)


def test_distances_by_hand():
    # One row: outside the distance to the class, inside one minus that to the others.
    labels = np.array([[0, 0, 1, 1, 1, 255, 0]])
    phi = distances(labels, 3)[0]
    np.testing.assert_array_equal(phi[[0, 1, 2, 3, 4, 6], 1], [2, 1, 0, -1, -1, 2])
    # Of class 0 the nearest other pixel of the last is the 4th, beyond the void one.
    np.testing.assert_array_equal(phi[[0, 1, 2, 3, 4, 6], 0], [-1, 0, 1, 2, 2, -1])
    assert np.all(phi[:, 2] == 0)  # absent
    # A single pixel of class 1 in the corner of a square: square roots of two and of five.
    labels = np.zeros((1, 3, 3), int)
    labels[0, 0, 0] = 1
    wanted = np.array([[0, 1, 2], [1, np.sqrt(2), np.sqrt(5)], [2, np.sqrt(5), np.sqrt(8)]])
    np.testing.assert_allclose(distances(labels, 2)[0, ..., 1], wanted, rtol=1e-6)
    cut = distances(labels, 2, 1.5)[0, ..., 1]
    np.testing.assert_allclose(cut, np.minimum(wanted, 1.5), rtol=1e-6)
    assert np.all(distances(np.zeros((1, 3, 3)), 2) == 0)  # a class of all pixels has no boundary


def test_distances_against_scipy():
    """Thin and scattered objects, void, one image without any; every limit up to the size."""
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    for limit in (None, 1, 3, 4.5, 40):
        labels = np.where(rng.random((3, 17, 23)) < 0.02, rng.integers(1, 3, (3, 17, 23)), 0)
        labels[1, :, 5] = 1
        labels[rng.random(labels.shape) < 0.1] = 255
        labels[2][labels[2] != 255] = 0
        phi = distances(labels, 3, limit)
        for image, c in np.ndindex(3, 3):
            inside, valid = labels[image] == c, labels[image] != 255
            wanted = np.zeros(inside.shape)
            if inside.any() and (valid & ~inside).any():
                inner = ndimage.distance_transform_edt(~(valid & ~inside))
                outer = ndimage.distance_transform_edt(~inside)
                cut = (np.minimum(d, limit or np.inf) for d in (inner, outer))
                wanted = np.where(inside, 1 - next(cut), next(cut))
            np.testing.assert_allclose(phi[image, ..., c][valid], wanted[valid], rtol=1e-6)


@pytest.mark.slow
def test_distances_of_large_images_against_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    for size in ((512, 300), (1, 700), (700, 1)):
        labels = (rng.random((1, *size)) < 0.001).astype(int)
        labels[0, 0, 0] = 1
        wanted = ndimage.distance_transform_edt(labels[0] == 0)
        got = distances(labels, 2)[0, ..., 1]
        np.testing.assert_allclose(got[labels[0] == 0], wanted[labels[0] == 0], rtol=1e-6)


def test_by_hand():
    # phi of class 1 is (2, 1, 0, -1, -2), of class 0 it is (-1, 0, 1, 2, 3).
    y_true = np.array([[0, 0, 1, 1, 1]])
    p = np.array([[[0.9], [0.1], [0.5], [0.5], [1.0]]])
    foreground = 0.9 * 2 + 0.1 - 0.5 - 2
    loss = float(boundary(y_true, p, from_logits=False))
    assert loss == pytest.approx(foreground / 5, rel=1e-6)
    background = -0.1 + 0.5 * 1 + 0.5 * 2
    both = np.concatenate([1 - p, p], -1)
    loss = float(boundary(y_true, both, from_logits=False))
    assert loss == pytest.approx((foreground + background) / 2 / 5, rel=1e-5)
    loss = float(boundary(y_true, both, from_logits=False, class_weight={0: 3.0}))
    assert loss == pytest.approx((foreground + 3 * background) / 4 / 5, rel=1e-5)
    loss = float(boundary(y_true, p, np.array([[1.0, 1, 1, 1, 0]]), from_logits=False))
    assert loss == pytest.approx((foreground + 2) / 4, rel=1e-5)


def test_a_far_mistake_costs_more_and_the_truth_least():
    y_true = np.zeros((1, 12, 12), int)
    y_true[0, 2:5, 2:5] = 1
    truth = (y_true == 1).astype("float32")[..., None]

    def with_pixel(*index):
        p = truth.copy()
        p[(0, *index)] = 1
        return float(boundary(y_true, p, from_logits=False))

    values = [with_pixel(3, 3), with_pixel(3, 6), with_pixel(3, 9), with_pixel(11, 11)]
    assert np.all(np.diff(values) > 0) and values[0] < 0


@pytest.mark.parametrize("max_distance", [0, 0.5, float("inf")])
def test_wrong_options(max_distance):
    with pytest.raises(ValueError, match="max_distance"):
        BoundaryLoss(max_distance=max_distance)


def test_a_distance_of_one_pixel_is_one():
    assert BoundaryLoss(max_distance=1).get_config()["max_distance"] == 1.0

"""Boundary IoU and boundary F1: by hand, at the image's edges, beside void, of unknown sizes."""

import numpy as np
import pytest
from metrics.compiled import jitted_update

from kseg.metrics import BoundaryF1, BoundaryIoU
from kseg.metrics.contours import class_sets, contours, grow_by_disk, inner_bands, pixels


def square(size, top, bottom, left, right):
    """A map (1, size, size) of 0 with a rectangle of 1."""
    ids = np.zeros((1, size, size), int)
    ids[0, top:bottom, left:right] = 1
    return ids


def counts(metric, *pair):
    """By NumPy, which compiles nothing; that the backend counts the same is a test of its own."""
    metric.update_arrays(*pair)
    return metric.counts()


def band(ids, distance, valid=None):
    """Where class 1's inner band is, as 0 and 1 (H, W)."""
    valid = np.ones(np.shape(ids), bool) if valid is None else valid
    sets = class_sets(np.array(ids, "int32"), valid, 2, np)
    return (inner_bands(sets, distance, np)[0, ..., 0] >> 1).tolist()


def test_a_share_of_the_diagonal_in_pixels():
    ids = np.zeros((1, 3, 4), "int32")  # of which it is 5
    assert pixels(0.5, ids, "round") == 2 and pixels(0.5, ids, "ceil") == 3
    assert pixels(0.1, ids, "round") == 0 and pixels(0.1, ids, "round", at_least=1) == 1
    assert pixels(1, ids, "ceil") == 1 and pixels(2.7, ids, "ceil") == 2


class TestBoundaryIoU:
    def test_the_band_of_a_mask(self):
        ids = square(7, 1, 6, 1, 6)
        ring = np.zeros((7, 7), int)
        ring[1:6, 1:6] = 1
        ring[2:5, 2:5] = 0  # 25 pixels less the 9 inside
        assert band(ids, 1) == ring.tolist()
        ring[2:5, 2:5] = 1
        ring[3, 3] = 0
        assert band(ids, 2) == ring.tolist()

    def test_the_image_border_is_contour(self):
        # As in the paper: a mask that is cut off by the image has its contour there.
        assert band([[[1, 1, 1], [1, 1, 1], [1, 1, 1]]], 1) == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]

    def test_a_border_against_void_is_none(self):
        ids = np.ones((1, 5, 7), int)
        ids[0, :, 4:] = 0
        assert band(ids, 1)[2] == [1, 0, 0, 1, 0, 0, 0]
        valid = np.ones(ids.shape, bool)
        valid[0, :, 4] = False  # between the two classes
        assert band(ids, 1, valid)[2] == [1, 0, 0, 0, 0, 0, 0]
        assert band(ids, 2, valid)[2] == [1, 1, 0, 1, 0, 0, 0]  # class 0 is 2 away from column 3

    def test_by_hand(self):
        # Class 1 is 3x3 and 3x4, with rings of 8 and 10 pixels. They share 3 pixels of the top row,
        # 3 of the bottom row and the left column's middle; the smaller one's right column is
        # inside the larger one.
        metric = BoundaryIoU(2, distance=1, classes=1)
        actual = counts(metric, square(7, 1, 4, 1, 4), square(7, 1, 4, 1, 5))
        np.testing.assert_array_equal(actual[:, 1], [7, 8, 10])
        assert float(metric.result()) == pytest.approx(7 / 11, rel=1e-6)

    def test_a_perfect_prediction_is_one_and_a_far_one_zero(self):
        truth = square(30, 2, 12, 3, 14)
        for predicted, expected in ((truth, 1.0), (square(30, 18, 28, 16, 27), 0.0)):
            metric = BoundaryIoU(1)
            metric.update_arrays(truth, predicted)
            assert float(metric.result()) == expected

    @pytest.mark.parametrize(
        "shape, expected",
        [((3, 4), 1), ((60, 80), 2), ((45, 60), 2), ((75, 100), 2), ((88, 66), 2)],
    )
    def test_the_distance_is_two_percent_of_the_diagonal(self, shape, expected):
        # Diagonals 5, 100, 75 (1.5 rounds to even), 125 (2.5 too), 110 (2.2).
        truth = np.random.default_rng(0).integers(0, 2, (1, *shape)).repeat(3, 1)[:, : shape[0]]
        predicted = np.roll(truth, 1, 2)
        shared = counts(BoundaryIoU(2), truth, predicted)
        np.testing.assert_array_equal(shared, counts(BoundaryIoU(2, expected), truth, predicted))

    def test_large_distances(self):
        truth, predicted = square(6, 1, 4, 1, 4), square(6, 2, 5, 2, 5)
        metric = BoundaryIoU(2, 100, classes=1)  # the band is the whole mask: the plain IoU
        metric.update_arrays(truth, predicted)
        assert float(metric.result()) == pytest.approx(4 / 14, rel=1e-6)


class TestBoundaryF1:
    def test_the_contour(self):
        sets = class_sets(square(4, 1, 3, 1, 3).astype("int32"), np.ones((1, 4, 4), bool), 2, np)
        line = contours(sets, np)[0, ..., 0]
        # Where a pixel differs from its right, lower or lower right neighbour: both classes' line.
        expected = [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
        np.testing.assert_array_equal(line, 3 * np.array(expected))

    def test_neither_image_border_nor_void_is_contour(self):
        everything = class_sets(np.ones((1, 3, 3), "int32"), np.ones((1, 3, 3), bool), 2, np)
        assert not contours(everything, np).any()
        valid = np.ones((1, 3, 5), bool)
        valid[..., 2] = False
        ids = np.array([[[0, 0, 0, 1, 1]] * 3], "int32")
        assert not contours(class_sets(ids, valid, 2, np), np).any()

    def test_the_disk_is_euclidean(self):
        point = np.zeros((1, 9, 9, 1), "int32")
        point[0, 4, 4] = 5  # classes 0 and 2
        y, x = np.mgrid[-4:5, -4:5]
        for radius in range(1, 6):
            grown = grow_by_disk(point, radius, np)[0, ..., 0]
            np.testing.assert_array_equal(grown, 5 * (y * y + x * x <= radius**2))

    def test_by_hand(self):
        # Straight lines of 9 pixels, two columns apart; tolerance 2 matches all, 1 none.
        truth, predicted = square(9, 0, 9, 3, 9), square(9, 0, 9, 5, 9)
        for tolerance, expected in ((2, 1.0), (1, 0.0)):
            metric = BoundaryF1(2, tolerance)
            actual = counts(metric, truth, predicted)
            matched = 9 * expected
            np.testing.assert_array_equal(actual, [[9, 9], [matched] * 2, [9, 9], [matched] * 2])
            assert float(metric.result()) == expected

    def test_precision_and_recall_are_not_one_another(self):
        # Truth: one line of 9. Prediction: that line, and another of 9 far away.
        truth, predicted = square(9, 0, 9, 7, 9), square(9, 0, 9, 7, 9)
        predicted[0, :, :2] = 1  # recall 9/9, precision 9/18
        metric = BoundaryF1(1, 1)
        np.testing.assert_array_equal(counts(metric, truth, predicted)[:, 1], [9, 9, 18, 9])
        assert float(metric.result()) == pytest.approx(2 / 3, rel=1e-6)

    def test_a_contour_in_one_of_them_only_is_zero(self):
        truth, nothing = square(9, 2, 6, 2, 6), np.zeros((1, 9, 9), int)
        for pair in ((truth, nothing), (nothing, truth)):
            metric = BoundaryF1(2, 1, class_names=["ground", "object"])
            metric.update_arrays(*pair)
            assert metric.per_class() == {"ground": 0.0, "object": 0.0}
        metric = BoundaryF1(2, 1)
        metric.update_arrays(nothing, nothing)
        assert np.isnan(list(metric.per_class().values())).all() and float(metric.result()) == 0.0


METRICS = pytest.mark.parametrize("metric_class", [BoundaryIoU, BoundaryF1])


def random_case(seed, classes, shape=(2, 14, 17)):
    rng = np.random.default_rng(seed)
    coarse = rng.choice([*range(classes), 255], (shape[0], shape[1] // 4 + 1, shape[2] // 4 + 1))
    y_true = coarse.repeat(4, 1).repeat(4, 2)[:, : shape[1], : shape[2]]
    noise = rng.random(shape) < 0.1
    return y_true, np.where(noise | (y_true == 255), rng.integers(0, classes, shape), y_true)


@METRICS
def test_many_classes_take_several_words(metric_class):
    """31 classes fill a word: beyond, the counts are those of one class against the rest."""
    y_true, y_pred = random_case(0, 70)
    metric = metric_class(70, 2)
    actual = counts(metric, y_true, y_pred)
    for c in (0, 30, 31, 61, 62, 69):
        one = [np.where(ids == 255, 255, ids == c) for ids in (y_true, y_pred)]
        alone = counts(metric_class(1, 2), *one)
        np.testing.assert_array_equal(actual[:, c], alone[:, 1])


@METRICS
def test_weight_zero_is_void(metric_class):
    y_true, y_pred = random_case(1, 3)
    weight = np.random.default_rng(0).choice([0.0, 0.5], y_true.shape)
    weighted = metric_class(3, 1)
    weighted.update_state(y_true, y_pred, weight)
    as_void = counts(metric_class(3, 1), np.where(weight > 0, y_true, 255), y_pred)
    np.testing.assert_array_equal(weighted.counts(), as_void)


@METRICS
def test_flips_do_not_matter_to_the_band(metric_class):
    y_true, y_pred = random_case(2, 3)
    expected = counts(metric_class(3, 2), y_true, y_pred)
    transposed = counts(metric_class(3, 2), y_true.swapaxes(1, 2), y_pred.swapaxes(1, 2))
    np.testing.assert_array_equal(transposed, expected)
    if metric_class is BoundaryIoU:  # the one-pixel contour of F1 lies up and left of a border
        flipped = counts(metric_class(3, 2), y_true[:, ::-1, ::-1], y_pred[:, ::-1, ::-1])
        np.testing.assert_array_equal(flipped, expected)


@METRICS
def test_numpy_counts_the_same(metric_class):
    for classes in (2, 40):
        y_true, y_pred = random_case(classes, classes)
        metric = metric_class(classes, 2)
        metric.update_state(y_true, y_pred)
        expected = counts(metric_class(classes, 2), y_true, y_pred)
        np.testing.assert_array_equal(metric.counts(), expected)


@pytest.mark.few("True-BoundaryF1")
@METRICS
@pytest.mark.backends("tensorflow", reason="tf.data of unknown sizes")
@pytest.mark.parametrize("jit", [False, True])
def test_unknown_sizes_in_a_graph(metric_class, jit):
    import tensorflow as tf

    spec = [tf.TensorSpec((None, None, None), "int32")] * 2
    metric, expected = metric_class(3), metric_class(3)
    update = tf.function(metric.update_state, input_signature=spec, jit_compile=jit)
    for seed, shape in enumerate(((1, 45, 60), (2, 31, 90))):
        pair = [ids.astype("int32") for ids in random_case(seed, 3, shape)]
        update(*pair)
        expected.update_arrays(*pair)
    np.testing.assert_array_equal(metric.counts(), expected.counts())


@METRICS
@pytest.mark.parametrize("distance", [0, -1, 1.5, "3", True, None, float("nan")])
def test_wrong_distances(metric_class, distance):
    with pytest.raises(ValueError, match="distance|tolerance"):
        metric_class(2, distance)


@METRICS
def test_only_images(metric_class):
    with pytest.raises(ValueError, match=r"\(B, H, W\)"):
        metric_class(2).update_state(np.zeros((2, 4), int), np.zeros((2, 4), int))


@pytest.mark.slow
@METRICS
def test_a_street_scene_of_full_size(metric_class):
    """1024 x 2048 pixels of 19 classes: compiled code counts as NumPy does."""
    y_true, y_pred = random_case(3, 19, (1, 1024, 2048))
    compiled, plain = metric_class(19), metric_class(19)
    jitted_update(compiled)(y_true, y_pred)
    plain.update_arrays(y_true, y_pred)
    np.testing.assert_array_equal(compiled.counts(), plain.counts())

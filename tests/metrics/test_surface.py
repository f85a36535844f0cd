"""Surface distances by hand, and what an empty mask means."""

import numpy as np
import pytest

from kseg.metrics import SurfaceDistances, surface_distances

pytest.importorskip("scipy", reason="surface distances need SciPy")


def square(top, left, size=3, shape=(12, 16)):
    ids = np.zeros(shape, int)
    ids[top : top + size, left : left + size] = 1
    return ids


def test_equal_masks_are_at_distance_zero():
    result = surface_distances(square(2, 3), square(2, 3), 2)
    np.testing.assert_array_equal(result["hd95"], [0, 0])
    np.testing.assert_array_equal(result["asd"], [0, 0])
    assert not result["missed"].any()


def test_by_hand():
    # One pixel against another, 3 down and 4 right: 5, in both directions.
    result = surface_distances(square(2, 3, 1), square(5, 7, 1), 2)
    assert result["hd95"][1] == result["asd"][1] == 5
    # In pixels of 2 x 1: 6 down and 4 right.
    result = surface_distances(square(2, 3, 1), square(5, 7, 1), 2, spacing=(2, 1))
    assert result["hd95"][1] == pytest.approx(np.sqrt(52))
    result = surface_distances(square(2, 3, 1), square(5, 7, 1), 2, spacing=0.5)
    assert result["hd95"][1] == pytest.approx(2.5)


def test_directions_are_taken_together():
    # A pixel, and a row of 21 that begins with it: 0 there; 0, 1, ..., 20 back. The 95th percentile
    # of those is 19; the mean of all 22 is 210 / 22.
    truth, predicted = np.zeros((2, 3, 40), int)
    truth[1, 5], predicted[1, 5:26] = 1, 1
    for pair in ((truth, predicted), (predicted, truth)):
        result = surface_distances(*pair, 2)
        assert result["hd95"][1] == pytest.approx(19)
        assert result["asd"][1] == pytest.approx(210 / 22)


def test_only_surfaces_count():
    # Rings of 5x5 around 3x3: the inside of neither matters, the image border closes a mask.
    whole, hollow = np.ones((5, 5), int), np.ones((5, 5), int)
    hollow[2, 2] = 0
    result = surface_distances(whole, hollow, 2)
    # The hole's 4 neighbours are surface too, 1 from the 16 of the border; those are 0 apart.
    assert result["asd"][1] == pytest.approx(4 * 1 / (16 + 20))
    assert result["missed"].tolist() == [True, False]


def test_empty_masks():
    nothing = np.zeros((6, 8), int)
    result = surface_distances(nothing, nothing, 3)
    assert result["hd95"][0] == 0 and np.isnan(result["hd95"][1:]).all()
    assert not result["missed"].any()
    for pair in ((nothing, square(2, 3, 2, (6, 8))), (square(2, 3, 2, (6, 8)), nothing)):
        result = surface_distances(*pair, 3)
        assert result["hd95"][1] == result["asd"][1] == 10  # the diagonal of 6 x 8
        assert result["missed"].tolist() == [False, True, False]
        assert surface_distances(*pair, 2, spacing=3)["hd95"][1] == pytest.approx(30)


def test_a_border_against_void_is_no_surface():
    truth = np.ones((5, 9), int)
    truth[:, 4] = 255
    truth[:, 5:] = 0
    predicted = truth.copy()
    predicted[:, 4] = [0, 1, 0, 1, 1]  # whatever is predicted at void
    result = surface_distances(truth, predicted, 2)
    np.testing.assert_array_equal(result["hd95"], [0, 0])
    # Void throughout but for one pixel, with no neighbour of another class: no surface at all.
    island = np.full((5, 5), 255)
    island[2, 2] = 1
    assert np.isnan(surface_distances(island, np.ones((5, 5), int), 2)["hd95"]).all()


def test_averaged_over_images():
    distances = SurfaceDistances(2)
    distances.update(square(2, 3, 1), square(5, 7, 1))  # 5
    distances.update(square(2, 3), square(2, 3))  # 0
    distances.update(np.zeros((6, 8), int), square(1, 1, 2, (6, 8)))  # 10, the diagonal
    distances.update(np.zeros((6, 8), int), np.zeros((6, 8), int))  # none
    result = distances.result()
    assert result["hd95"][1] == pytest.approx(15 / 3) and result["asd"][1] == pytest.approx(15 / 3)
    np.testing.assert_array_equal(result["images"], [4, 3])
    np.testing.assert_array_equal(result["missed"], [0, 1])
    assert np.isnan(SurfaceDistances(2).result()["hd95"]).all()


def test_errors():
    ids = np.zeros((4, 4), int)
    with pytest.raises(ValueError, match="shape"):
        surface_distances(ids, ids[:3], 2)
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        surface_distances(ids[None], ids[None], 2)
    for spacing in (0, (1, -1)):
        with pytest.raises(ValueError, match="spacing"):
            surface_distances(ids, ids, 2, spacing=spacing)

"""Runs of masks in their rectangle; coordinates on earth."""

import numpy as np
import pytest

from kseg.prediction.polygons import pieces_of, placed, runs


def test_runs_are_those_of_pycocotools(rng):
    coco = pytest.importorskip("pycocotools.mask")
    for _ in range(60):
        height, width = rng.integers(1, 12, 2)
        h, w = rng.integers(1, [height + 1, width + 1])
        top, left = rng.integers(0, [height - h + 1, width - w + 1])
        inside = rng.random((h, w)) < rng.choice([0.2, 0.8, 1.0])
        inside[0, 0] = True
        whole = np.zeros((height, width), bool)
        whole[top : top + h, left : left + w] = inside
        counts = runs(inside, int(top), int(left), (int(height), int(width)))
        assert sum(counts) == height * width and all(counts[1:])
        size = [int(height), int(width)]
        made = coco.frPyObjects({"size": size, "counts": counts}, *size)
        np.testing.assert_array_equal(coco.decode(made) != 0, whole)


def test_regions_of_labels():
    labels = np.array([[0, 0, 1], [1, 0, 1], [1, 255, 0]])
    found = [(i, top, left, mask.tolist()) for i, top, left, mask in pieces_of(labels)]
    assert found == [
        (0, 0, 0, [[True, True], [False, True]]),
        (0, 2, 2, [[True]]),
        (1, 0, 2, [[True], [True]]),
        (1, 1, 0, [[True], [True]]),
    ]
    several = np.stack([labels == 1, labels >= 0], axis=-1)
    assert [each[0] for each in pieces_of(several)] == [0, 0, 1]


def test_places_on_earth():
    place, code = placed(None)
    assert (place(3, 4), code) == ([3, 4], None)
    scale = (33550, 12, 3, (2.0, 3.0, 0.0), True)
    tie = (33922, 12, 6, (1.0, 1.0, 0.0, 100.0, 50.0, 0.0), True)
    keys = (34735, 3, 8, (1, 1, 0, 1, 2048, 0, 1, 4326), True)
    place, code = placed([scale, tie, keys])
    assert (place(2, 3), code) == ([102.0, 44.0], 4326)
    matrix = (34264, 12, 16, (0, 2, 0, 7, -2, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1), True)
    place, code = placed([matrix])
    assert (place(1, 3), code) == ([13, 7], None)

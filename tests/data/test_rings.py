"""Masks as polygons with holes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kseg.data.writers.outlines import rings


def drawn(polygons, shape, zoom=4):
    """The pixels whose centres polygons hold, by Pillow, on a finer grid."""
    picture = Image.new("L", (shape[1] * zoom, shape[0] * zoom))
    draw = ImageDraw.Draw(picture)
    for outer, *holes in polygons:
        for ring, value in ((outer, 1), *((hole, 0) for hole in holes)):
            draw.polygon([(x * zoom, y * zoom) for x, y in ring], fill=value)
    return np.asarray(picture)[zoom // 2 :: zoom, zoom // 2 :: zoom]


def area(ring):
    x, y = np.transpose(ring)
    return (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_they_hold_the_masks_pixels(rng, share):
    for _ in range(20):
        mask = rng.random(rng.integers(1, 12, 2)) < share
        polygons = rings(mask)
        np.testing.assert_array_equal(drawn(polygons, mask.shape), mask)
        assert sum(area(ring) for polygon in polygons for ring in polygon) == mask.sum()
        for outer, *holes in polygons:
            assert area(outer) > 0 and all(area(hole) < 0 for hole in holes)
            for ring in (outer, *holes):
                assert len(set(ring)) == len(ring)  # none meets itself


def test_by_hand():
    assert rings(np.zeros((3, 3))) == []
    # pixels that touch at a corner alone are two
    assert len(rings(np.eye(2))) == 2
    # an island in a hole is a polygon of its own
    mask = np.ones((5, 5), int)
    mask[1:4, 1:4] = 0
    mask[2, 2] = 1
    outer, island = sorted(rings(mask), key=len, reverse=True)
    assert [area(ring) for ring in outer] == [25, -9] and area(island[0]) == 1

"""Colours of classes and objects."""

import numpy as np
import pytest

from kseg.base.colors import (
    NOT_SCORED,
    _lab,
    class_colors,
    distinct_colors,
    object_colors,
    voc_colors,
)

pytestmark = pytest.mark.once("torch")


def test_the_palette_of_pascal_voc():
    # each three bits of an id, lowest first, are a bit of red, green, blue, highest first
    expected = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        4: (0, 0, 128),
        7: (128, 128, 128),
        8: (64, 0, 0),
        20: (0, 64, 128),  # 20 = 4 + 16: blue, then green of the second round
        64: (32, 0, 0),
        255: (224, 224, 192),  # as VOC's border
    }
    colors = voc_colors(256)
    assert {index: colors[index] for index in expected} == expected
    assert len(set(colors)) == 256
    assert voc_colors(3) == colors[:3]


@pytest.mark.parametrize("count, least", [(6, 15), (20, 14), (40, 9)])
def test_colors_are_told_apart_by_all_eyes(count, least):
    """CIELAB distances between all pairs, as seen with three, and with either two, kinds of cones.

    Pascal VOC's are 0.5 apart at worst, of 40; 2.3 is what people just notice.
    """
    assert len(set(distinct_colors(count))) == count
    for seen in _lab(distinct_colors(count)):
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 1e3 * np.eye(count)
        assert apart.min() >= least


def test_lightness_against_published_values():
    """White, sRGB red and mid grey in CIELAB (D65)."""
    lab = _lab([(255, 255, 255), (255, 0, 0), (119, 119, 119)])[0]
    expected = [[100, 0, 0], [53.24, 80.09, 67.20], [50.03, 0, 0]]
    np.testing.assert_allclose(lab, expected, atol=0.1)


def test_colors_show_on_black_and_on_white():
    seen, white, black, grey = (
        _lab(c)[0] for c in (distinct_colors(60), [(255,) * 3], [(0,) * 3], [NOT_SCORED])
    )
    for ground in (white, black):
        assert (abs(seen[:, 0] - ground[0, 0]) >= 14).all()
    assert np.linalg.norm(seen - grey, axis=-1).min() > 10


@pytest.mark.slow
def test_classes_keep_their_colors_as_more_come():
    assert class_colors("abcdefgh")[:3] == class_colors("abc") == distinct_colors(3)
    assert class_colors(["Background", "a", "_background_", "void", "b"]) == (
        *((0, 0, 0), distinct_colors(1)[0], (0, 0, 0), (0, 0, 0)),
        distinct_colors(2)[1],
    )
    many = distinct_colors(5000)
    assert len(many) == 5000 and len(set(many)) > 2000


def test_objects_differ_and_crowds_are_grey():
    colors = object_colors([False, True, False, False])
    assert colors[1] == NOT_SCORED
    others = [color for index, color in enumerate(colors) if index != 1]
    assert len(set(others)) == 3 and all(len(set(color)) > 1 for color in others)

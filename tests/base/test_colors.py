"""Colours of classes and objects."""

from kseg.base.colors import NOT_SCORED, default_colors, object_colors


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
    colors = default_colors(256)
    assert {index: colors[index] for index in expected} == expected
    assert len(set(colors)) == 256
    assert default_colors(3) == colors[:3]


def test_objects_differ_and_crowds_are_grey():
    colors = object_colors([False, True, False, False])
    assert colors[1] == NOT_SCORED
    others = [color for index, color in enumerate(colors) if index != 1]
    assert len(set(others)) == 3
    for color in others:
        assert len(set(color)) > 1 and min(color) >= 60  # no grey, and lifted to show on the dark

"""Masks in their boxes -> the photo, against a slow reference and by hand."""

import math

import numpy as np
import pytest

from kseg.ops.paste import paste_mask, paste_masks, pasted
from kseg.ops.resize import bilinear


def sampled(image, at, length, new_length, axis):
    """One pixel of a resized row: half-pixel centres, held at the edges."""
    x = max((at + 0.5) * length / new_length - 0.5, 0)
    low = min(int(x), length - 1)
    high = min(low + 1, length - 1)
    low_value, high_value = (np.take(image, i, axis=axis) for i in (low, high))
    return low_value * (1 - (x - low)) + high_value * (x - low)


def paste_slowly(mask, box, height, width):
    """MASK R-CNN's pasting as its text has it, pixel by pixel."""
    side = len(mask)
    padded = np.zeros((side + 2, side + 2))
    padded[1:-1, 1:-1] = mask
    ends = []
    for low, high in ((box[1], box[3]), (box[0], box[2])):
        reach = (high - low) / 2 * (side + 2) / side
        ends.append((math.trunc((low + high) / 2 - reach), math.trunc((low + high) / 2 + reach)))
    (y1, y2), (x1, x2) = ends
    h, w = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    whole = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            if y1 <= y <= y2 and x1 <= x <= x2:
                row = sampled(padded, y - y1, side + 2, h, axis=0)
                whole[y, x] = sampled(row, x - x1, side + 2, w, axis=0)
    return whole


def paste_centred_slowly(mask, box, height, width):
    """What the mask, with zeros around it, is at the centre of each pixel of the photo."""
    side = len(mask)
    padded = np.zeros((side + 2, side + 2))
    padded[1:-1, 1:-1] = mask
    whole = np.zeros((height, width))
    (x1, y1, x2, y2) = box
    for y in range(height):
        for x in range(width):
            v = (y + 0.5 - y1) / max(y2 - y1, 1e-3) * side + 0.5  # + 1 of the border
            u = (x + 0.5 - x1) / max(x2 - x1, 1e-3) * side + 0.5
            if 0 <= v < side + 1 and 0 <= u < side + 1:
                i, j = int(v), int(u)
                square = padded[i : i + 2, j : j + 2]
                whole[y, x] = [1 - v + i, v - i] @ square @ [1 - u + j, u - j]
    return whole


def test_bilinear_by_hand():
    # From 2 to 4 pixels: centres at -0.25, 0.25, 0.75, 1.25 of the old ones, held at the edges.
    np.testing.assert_array_equal(bilinear([[0.0, 4.0]], 1, 4), [[0, 1, 3, 4]])
    np.testing.assert_array_equal(bilinear([[0], [4]], 4, 1)[:, 0], [0, 1, 3, 4])
    # From 4 to 2: centres at 0.5, 2.5; nothing is averaged beyond the two neighbours.
    np.testing.assert_array_equal(bilinear([[0, 8, 2, 4]], 1, 2), [[4, 3]])
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    same = bilinear(image, 2, 4)
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, image)


def test_a_part_is_the_whole_s_part(rng):
    image = rng.random((7, 9, 3))
    whole = bilinear(image, 23, 5)
    part = bilinear(image, 23, 5, slice(3, 11), slice(1, 4))
    np.testing.assert_array_equal(part, whole[3:11, 1:4])
    assert whole.shape == (23, 5, 3)


def test_a_ramp_stays_a_ramp():
    ramp = np.arange(50.0)[None].repeat(3, axis=0)
    at = (np.arange(20) + 0.5) * 50 / 20 - 0.5
    np.testing.assert_allclose(bilinear(ramp, 3, 20), at[None].repeat(3, 0), rtol=1e-6)


def test_paste_by_hand():
    # A mask of one pixel, 1, becomes 3x3 with a border of 0. The box 4..6 has its centre at 5 and,
    # enlarged threefold, runs from 2 to 8: 7 pixels, both ends inclusive. Pixel i of 7 is at
    # (i + 0.5) 3 / 7 - 0.5 of 0, 1, 0: -.29, .14, .57, 1, 1.43, 1.86, 2.29 -> 0, 1/7, 4/7, 1, ...
    line = np.array([0, 0, 0, 1, 4, 7, 4, 1, 0, 0]) / 7
    (whole,) = paste_masks(np.ones((1, 1, 1)), [[4, 4, 6, 6]], 10, 10)
    np.testing.assert_allclose(whole, np.outer(line, line), atol=1e-6)
    (binary,) = paste_masks(np.ones((1, 1, 1)), [[4, 4, 6, 6]], 10, 10, threshold=0.5)
    assert binary.dtype == bool
    np.testing.assert_array_equal(binary, np.outer(line, line) >= 0.5)  # the middle cross


def test_corners_are_cut_towards_zero():
    # 28 / 30 of a box that grows to -0.9..3.9: -0.9 becomes 0, not -1; 3.9 becomes 3.
    low, high = 1.5 - 2.4 * 28 / 30, 1.5 + 2.4 * 28 / 30
    ((rows, columns, values),) = pasted(np.ones((1, 28, 28)), [[low, low, high, high]], 9, 9)
    assert (rows, columns) == (slice(0, 4), slice(0, 4)) and values.shape == (4, 4)


def test_a_centred_box_covers_the_pixels_whose_centres_it_holds():
    (binary,) = paste_masks(np.ones((1, 28, 28)), [[2, 1, 5, 3]], 4, 6, threshold=0.5, centred=True)
    expected = np.zeros((4, 6), bool)
    expected[1:3, 2:5] = True
    np.testing.assert_array_equal(binary, expected)
    # a mask of 2 x 2 over 4 pixels: cells of 2, whose centres are a quarter of that away
    mask = np.array([[[0.0, 1.0], [0.0, 1.0]]])
    ((rows, columns, values),) = pasted(mask, [[2, 2, 6, 6]], 9, 9, centred=True)
    assert (rows, columns) == (slice(1, 7), slice(1, 7))  # to the middle of the border's cells
    np.testing.assert_allclose(values[2], [0, 0, 0.25, 0.75, 0.75, 0.25], atol=1e-6)


@pytest.mark.parametrize("side, centred", [(28, False), (5, False), (28, True), (5, True)])
def test_paste_is_the_slow_one(rng, side, centred):
    height, width = 31, 44
    masks = rng.random((40, side, side))
    centre = rng.uniform(-0.2, 1.2, (40, 2)) * (width, height)
    reach = np.exp(rng.uniform(-3, 3.5, (40, 2)))  # from a twentieth of a pixel to beyond the photo
    boxes = np.concatenate([centre - reach, centre + reach], axis=1)
    whole = paste_masks(masks, boxes, height, width, centred=centred)
    assert whole.shape == (40, height, width) and whole.dtype == np.float32
    slowly = paste_centred_slowly if centred else paste_slowly
    for mask, box, actual in zip(masks, boxes.astype("float32").tolist(), whole):
        np.testing.assert_allclose(actual, slowly(mask, box, height, width), atol=2e-5)


@pytest.mark.parametrize("centred", [False, True])
def test_outside_of_the_photo_nothing_is_pasted(centred):
    boxes = [[50, 5, 60, 9], [-30, 5, -20, 9], [2, 40, 5, 60], [2, -60, 5, -40]]
    assert not paste_masks(np.ones((4, 28, 28)), boxes, 20, 30, centred=centred).any()
    none = paste_masks(np.ones((0, 28, 28)), np.zeros((0, 4)), 20, 30, centred=centred)
    assert none.shape == (0, 20, 30)


def test_pasting_undoes_cropping():
    """A disk sampled in its box comes back as the disk, but for its rim."""
    y, x = np.mgrid[:120, :160] + 0.5
    disk = np.hypot(y - 60, x - 70) < 40
    box = np.array([[30, 20, 110, 100]])
    centres = (np.arange(28) + 0.5) * 80 / 28
    mask = np.hypot(centres[:, None] - 40, centres - 40) < 40
    (actual,) = paste_masks(mask[None], box, 120, 160, threshold=0.5)
    assert (actual & disk).sum() / (actual | disk).sum() > 0.95


def test_a_probability_at_the_threshold_belongs_to_the_object():
    mask = np.full((1, 2, 2), 0.5)  # its middle is 0.5 wherever it is enlarged, its rim less
    (at,) = paste_masks(mask, [[2, 2, 6, 6]], 8, 8, threshold=0.5)
    (above,) = paste_masks(mask, [[2, 2, 6, 6]], 8, 8, threshold=0.5001)
    assert at.any() and not above.any()


@pytest.mark.parametrize("centred", [False, True])
def test_one_mask_alone_is_pasted_as_among_others(rng, centred):
    masks = rng.random((6, 28, 28), "float32")
    boxes = rng.uniform(-10, 70, (6, 4)).astype("float32")
    boxes[:, 2:] = boxes[:, :2] + np.abs(boxes[:, 2:])
    for mask, box, expected in zip(masks, boxes, pasted(masks, boxes, 50, 60, centred=centred)):
        start, stop, values = paste_mask(mask, box, np.int32([50, 60]), centred=centred)
        assert [*map(slice, start, stop)] == [*expected[:2]]
        np.testing.assert_array_equal(values, expected[2])

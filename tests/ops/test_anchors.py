"""Anchors against the numbers of torchvision's generator and a loop over the cells."""

import math

import keras
import numpy as np
import pytest

from kseg.ops.anchors import anchors, cell_anchors

RATIOS = (0.5, 1.0, 2.0)


def test_cells_by_hand():
    # 32 sqrt(2) / 2 = 22.6 and 32 / sqrt(2) / 2 = 11.3; 64: 45.3 and 22.6
    np.testing.assert_array_equal(
        cell_anchors([32]), [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    )
    np.testing.assert_array_equal(
        cell_anchors([64]), [[-45, -23, 45, 23], [-32, -32, 32, 32], [-23, -45, 23, 45]]
    )
    # half to even: 1 / 2 -> 0, 3 / 2 -> 2, 5 / 2 -> 2
    np.testing.assert_array_equal(cell_anchors([1, 3, 5], [1.0])[:, 2], [0, 2, 2])


def test_anchors_of_an_image_of_800_by_1333():
    image = (800, 1344)  # padded to multiples of 32
    grids = [(200, 336), (100, 168), (50, 84), (25, 42), (13, 21)]
    steps = [(4, 4), (8, 8), (16, 16), (32, 32), (61, 64)]  # 800 // 13 = 61
    total = 0
    for grid, step, size in zip(grids, steps, (32, 64, 128, 256, 512)):
        actual = keras.ops.convert_to_numpy(anchors(grid, image, [size]))
        total += len(actual)
        actual = actual.reshape(*grid, 3, 4)
        np.testing.assert_array_equal(actual[0, 0], cell_anchors([size]))
        np.testing.assert_array_equal(actual[1, 2] - actual[0, 0], [[step[1] * 2, step[0]] * 2] * 3)
        np.testing.assert_array_equal(
            actual[-1, -1, 1, :2] + size / 2,
            [(grid[1] - 1) * step[1], (grid[0] - 1) * step[0]],
        )
    assert total == 268_569


@pytest.mark.parametrize("grid, image", [((2, 3), (8, 12)), ((5, 1), (33, 7)), ((1, 1), (4, 4))])
def test_equal_a_loop_over_cells(grid, image):
    expected = []
    for y in range(grid[0]):
        for x in range(grid[1]):
            for ratio in RATIOS:
                for size in (10, 21):
                    h, w = (
                        round(float(side) / 2)
                        for side in (size * math.sqrt(ratio), size / math.sqrt(ratio))
                    )
                    left, top = x * (image[1] // grid[1]), y * (image[0] // grid[0])
                    expected.append([left - w, top - h, left + w, top + h])
    actual = keras.ops.convert_to_numpy(anchors(grid, image, (10, 21)))
    np.testing.assert_array_equal(actual, expected)
    assert actual.dtype == np.float32


@pytest.mark.backends("tensorflow", reason="others have no unknown sizes")
def test_sizes_unknown_when_compiled():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((2,), tf.int32)] * 2)
    def in_graph(grid, image):
        return anchors((grid[0], grid[1]), (image[0], image[1]), [32])

    for grid, image in (((2, 3), (8, 12)), ((13, 21), (800, 1344))):
        np.testing.assert_array_equal(in_graph(grid, image), anchors(grid, image, [32]))

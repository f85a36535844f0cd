import numpy as np
import pytest
from keras import ops

from kseg.models.blocks import CropLike, Enlarge, PadToStride


def test_pad_mirrors_by_hand():
    # one row 1 2 3 padded to 8: 1 2 3 | 3 2 1 | 1 2
    x = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)
    padded = ops.convert_to_numpy(PadToStride(8)(x))
    assert padded.shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(padded[0, :, :, 0], [[1, 2, 3, 3, 2, 1, 1, 2]] * 8)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 16), (17, 31), (40, 3)])
def test_crop_inverts_pad(size, rng):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    padded = PadToStride(16)(x)
    assert padded.shape[1] % 16 == padded.shape[2] % 16 == 0
    assert padded.shape[1:3] == PadToStride(16).compute_output_shape(x.shape)[1:3]
    np.testing.assert_array_equal(ops.convert_to_numpy(CropLike()([padded, x])), x)


def test_fitting_image_passes_untouched(rng):
    x = ops.convert_to_tensor(rng.normal(size=(1, 32, 16, 3)).astype("float32"))
    assert PadToStride(16)(x) is not None
    np.testing.assert_array_equal(ops.convert_to_numpy(PadToStride(16)(x)), ops.convert_to_numpy(x))


def test_enlarge_by_hand():
    # a row 0 4 by 2: centres at -1/4 (edge: 0), 1/4, 3/4, 5/4 (edge: 4) of the way -> 0 1 3 4
    x = np.array([0.0, 4.0], "float32").reshape(1, 1, 2, 1)
    enlarged = ops.convert_to_numpy(Enlarge(2)(x))
    np.testing.assert_allclose(enlarged[0, :, :, 0], [[0, 1, 3, 4]] * 2)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 6)])
def test_enlarge_equals_resize(factor, size, rng):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    expected = ops.image.resize(x, (size[0] * factor, size[1] * factor), "bilinear")
    enlarged = Enlarge(factor)(x)
    assert enlarged.shape == Enlarge(factor).compute_output_shape(x.shape)
    np.testing.assert_allclose(
        ops.convert_to_numpy(enlarged), ops.convert_to_numpy(expected), atol=1e-5
    )

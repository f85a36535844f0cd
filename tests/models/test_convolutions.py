"""The quick layers give what Keras' own give, with the same weights."""

import keras
import numpy as np
import pytest

from kseg.models.convolutions import DepthwiseConv2D, PatchConv2D, PointwiseConv2D, UpConv2D

CASES = {
    "pointwise": (PointwiseConv2D, keras.layers.Conv2D, (6, 1), {"activation": "relu"}),
    "pointwise strided": (PointwiseConv2D, keras.layers.Conv2D, (6, 1), {"strides": 2}),
    "pointwise 3x3": (PointwiseConv2D, keras.layers.Conv2D, (6, 3), {}),
    "patches": (PatchConv2D, keras.layers.Conv2D, (6, (3, 5)), {"padding": "same"}),
    "patches, strided": (PatchConv2D, keras.layers.Conv2D, (6, 3), {"strides": 2}),
    "up": (UpConv2D, keras.layers.Conv2DTranspose, (6, 2), {"strides": 2}),
    "up, no bias": (
        UpConv2D,
        keras.layers.Conv2DTranspose,
        (5, (2, 3)),
        {"strides": (2, 3), "use_bias": False, "padding": "same"},
    ),
    "up, overlapping": (
        UpConv2D,
        keras.layers.Conv2DTranspose,
        (6, 4),
        {"strides": 2, "padding": "same"},
    ),
    "depthwise": (
        DepthwiseConv2D,
        keras.layers.DepthwiseConv2D,
        (3,),
        {"padding": "same", "strides": 2},
    ),
    "depthwise, wider": (
        DepthwiseConv2D,
        keras.layers.DepthwiseConv2D,
        (3,),
        {"depth_multiplier": 2, "activation": "relu"},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [(7, 6), (3, 3)])
def test_equals_keras(case, size, rng):
    quick, plain, arguments, options = CASES[case]
    x = rng.normal(size=(2, *size, 4)).astype("float32")
    reference, layer = plain(*arguments, **options), quick(*arguments, **options)
    reference.build(x.shape)
    layer.build(x.shape)
    layer.set_weights([w + 0.1 for w in reference.get_weights()])  # biases that are not 0
    reference.set_weights(layer.get_weights())
    expected = keras.ops.convert_to_numpy(reference(x))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), expected, atol=1e-5)
    assert tuple(layer.compute_output_shape(x.shape)) == expected.shape


@pytest.mark.parametrize("case", ["pointwise", "up", "depthwise"])
def test_inside_a_model_of_any_size_and_saved(case, tmp_path, rng):
    quick, _, arguments, options = CASES[case]
    image = keras.Input((None, None, 4))
    model = keras.Model(image, quick(*arguments, **options)(image))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for size in ((6, 8), (5, 3)):
        x = rng.normal(size=(2, *size, 4)).astype("float32")
        np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))

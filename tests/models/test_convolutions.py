"""The quick layers give what Keras' own give, with the same weights."""

import math

import keras
import numpy as np
import pytest

from kseg.models.convolutions import (
    Conv2D,
    DepthwiseConv2D,
    MaxPooling2D,
    PatchConv2D,
    PointwiseConv2D,
    UpConv2D,
)
from kseg.ops.dilated import has_gradient

SAME = {"padding": "same"}
CASES = {
    "plain": (Conv2D, keras.layers.Conv2D, (6, 3), {**SAME, "activation": "relu"}),
    "strided": (Conv2D, keras.layers.Conv2D, (6, (3, 2)), {**SAME, "strides": 2}),
    "valid": (Conv2D, keras.layers.Conv2D, (6, (2, 3)), {"strides": (1, 2)}),
    "dilated": (Conv2D, keras.layers.Conv2D, (6, 3), {**SAME, "dilation_rate": (2, 3)}),
    "groups": (Conv2D, keras.layers.Conv2D, (6, 3), {**SAME, "groups": 2, "use_bias": False}),
    "pool": (MaxPooling2D, keras.layers.MaxPooling2D, (2,), {}),
    "pool, overlapping": (MaxPooling2D, keras.layers.MaxPooling2D, (3,), {**SAME, "strides": 2}),
    "pool, uneven": (MaxPooling2D, keras.layers.MaxPooling2D, ((2, 3),), {**SAME, "strides": 1}),
    "depthwise, dilated": (
        DepthwiseConv2D,
        keras.layers.DepthwiseConv2D,
        (3,),
        {**SAME, "dilation_rate": 2, "use_bias": False},
    ),
    "pointwise": (PointwiseConv2D, keras.layers.Conv2D, (6, 1), {"activation": "relu"}),
    "pointwise strided": (PointwiseConv2D, keras.layers.Conv2D, (6, 1), {"strides": 2}),
    "pointwise 3x3": (PointwiseConv2D, keras.layers.Conv2D, (6, 3), {}),
    "patches": (PatchConv2D, keras.layers.Conv2D, (6, (3, 5)), {"padding": "same"}),
    "patches, valid": (PatchConv2D, keras.layers.Conv2D, (6, 3), {"padding": "valid"}),
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


@pytest.mark.few("size0")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [(7, 6), (3, 3)])
def test_equals_keras(case, size, rng):
    quick, plain, arguments, options = CASES[case]
    x = rng.normal(size=(2, *size, 4)).astype("float32")
    reference, layer = plain(*arguments, **options), quick(*arguments, **options)
    reference.build(x.shape)
    layer.build(x.shape)
    _fill(reference, layer)
    expected = keras.ops.convert_to_numpy(reference(x))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), expected, atol=1e-5)
    assert tuple(layer.compute_output_shape(x.shape)) == expected.shape


@pytest.mark.backends("torch", reason="feature maps are views there")
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("case", ["plain", "dilated", "groups", "pool", "depthwise, dilated"])
def test_torch_takes_views(case, dtype, rng):
    """What a layer gives lies as Keras wants it, and values and gradients are those of Keras'."""
    import torch

    quick, plain, arguments, options = CASES[case]
    given = rng.normal(size=(2, 12, 12, 4)).astype("float32")
    reference, layer = (kind(*arguments, **options, dtype=dtype) for kind in (plain, quick))
    reference.build(given.shape)
    layer.build(given.shape)
    _fill(reference, layer)
    values, gradients = [], []
    for each in (reference, layer):
        x = torch.tensor(given, requires_grad=True)
        y = each(x)
        slopes = torch.arange(y.numel()).reshape(y.shape).sin()
        kernels = [weight.value for weight in each.weights]
        gradients.append(torch.autograd.grad((y.float() * slopes).sum(), [x, *kernels]))
        values.append(y)
    assert values[1].is_contiguous()
    assert torch.equal(values[0], values[1])
    for expected, actual in zip(*gradients):
        torch.testing.assert_close(actual, expected)


@pytest.mark.backends("tensorflow", reason="dilation is one operation there")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("rate", [2, (3, 1), 6])
def test_tensorflow_dilates_by_one_operation(rate, padding, rng):
    """Values and gradients are those of Keras, of gaps that reach beyond the image too."""
    import tensorflow as tf

    options = {"padding": padding, "dilation_rate": rate, "activation": "tanh"}
    side = 9 if padding == "same" else 14
    x = tf.constant(rng.normal(size=(2, side, side + 1, 4)).astype("float32"))
    reference, layer = keras.layers.Conv2D(6, 3, **options), Conv2D(6, 3, **options)
    reference.build(x.shape)
    layer.build(x.shape)
    _fill(reference, layer)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 4))])
    def run(x):
        found = []
        for each in (reference, layer):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = each(x)
                loss = tf.reduce_sum(tf.sin(3.0 * y))
            found.append((y, *tape.gradient(loss, [x, *(w.value for w in each.weights)])))
        return found

    for expected, actual in zip(*run(x), strict=True):
        np.testing.assert_allclose(actual, expected, atol=2e-4)
    image = keras.Input((None, None, 4))
    graph = tf.function(keras.Model(image, layer(image))).get_concrete_function(x).graph
    kinds = {operation.type for operation in graph.get_operations()}
    # where its gradient is not on the processor, Keras' way stays; values are as above on both
    taken_apart = bool(kinds & {"SpaceToBatchND", "BatchToSpaceND"})
    assert "Conv2D" in kinds and taken_apart != has_gradient()


@pytest.mark.backends("torch", reason="feature maps are views there")
@pytest.mark.parametrize("case", ["plain", "dilated", "pool"])
def test_torch_copies_no_feature_map(case):
    import torch

    quick, plain, arguments, options = CASES[case]
    x = torch.zeros(1, 64, 64, 4)

    def copies(layer):
        """How often something as large as the feature map is copied."""
        layer(x)
        with torch.no_grad(), torch.profiler.profile(record_shapes=True) as profile:
            layer(x)
        shapes = [e.input_shapes[0] for e in profile.events() if e.name == "aten::copy_"]
        return sum(math.prod(shape) >= x.numel() for shape in shapes)

    assert copies(quick(*arguments, **options)) == 0 < copies(plain(*arguments, **options))


def _fill(reference, layer):
    """The same weights for both, and biases that are not 0."""
    layer.set_weights([w + 0.1 for w in reference.get_weights()])
    reference.set_weights(layer.get_weights())


@pytest.mark.parametrize("case", ["pointwise", "up", "depthwise", "plain", "pool"])
def test_inside_a_model_of_any_size_and_saved(case, tmp_path, rng):
    quick, _, arguments, options = CASES[case]
    image = keras.Input((None, None, 4))
    model = keras.Model(image, quick(*arguments, **options)(image))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for size in ((6, 8), (5, 3)):
        x = rng.normal(size=(2, *size, 4)).astype("float32")
        np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))

import keras
import numpy as np
import pytest
from keras import ops

from kseg.models.blocks import conv_norm_relu, depthwise_norm_relu, layer_names
from kseg.models.convolutions import DepthwiseConv2DTranspose, bilinear_kernel
from kseg.models.layers import (
    BATCH_NORM,
    CropAt,
    CropLike,
    Enlarge,
    PadToStride,
    PadWithZeros,
    ResizeLike,
)


def test_pad_mirrors_by_hand():
    # one row 1 2 3 padded to 8: 1 2 3 | 3 2 1 | 1 2
    x = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)
    padded = ops.convert_to_numpy(PadToStride(8)(x))
    assert padded.shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(padded[0, :, :, 0], [[1, 2, 3, 3, 2, 1, 1, 2]] * 8)


def test_pad_with_zeros_below_and_to_the_right(rng):
    x = rng.normal(size=(2, 5, 8, 3)).astype("float32")
    expected = np.pad(x, [[0, 0], [0, 3], [0, 0], [0, 0]])
    np.testing.assert_array_equal(ops.convert_to_numpy(PadWithZeros(4)(x)), expected)


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


@pytest.mark.few("size1")
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 6)])
def test_enlarge_equals_resize(factor, size, interpolation, rng):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    expected = ops.image.resize(x, (size[0] * factor, size[1] * factor), interpolation)
    enlarged = Enlarge(factor, interpolation)(x)
    assert enlarged.shape == Enlarge(factor).compute_output_shape(x.shape)
    np.testing.assert_allclose(
        ops.convert_to_numpy(enlarged), ops.convert_to_numpy(expected), atol=1e-5
    )


@pytest.mark.once("tensorflow")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_enlarge_is_one_kernel_on_tensorflow_unless_xla_compiles(dtype, rng):
    import tensorflow as tf

    x = tf.cast(rng.integers(-9, 9, (1, 3, 5, 2)), dtype)

    def values_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = Enlarge(2, dtype=dtype)(x)
        return y, tape.gradient(y, x, output_gradients=tf.cast(tf.round(y), dtype))

    found, kernels = [], []
    for jit in (False, True):
        function = tf.function(values_and_gradient, jit_compile=jit)
        found.append(function(x))
        made = function.get_concrete_function(x).graph.get_operations()
        kernels.append(sum(each.type.startswith("ResizeBilinear") for each in made))
    assert kernels == [2, 0]
    for one, other in zip(*found):
        assert one.dtype == other.dtype == dtype
        np.testing.assert_allclose(
            tf.cast(one, "float32"), tf.cast(other, "float32"), rtol=1e-2, atol=1e-2
        )


def test_resize_like_by_hand():
    # 0 3 to five pixels: centres at (i + 1/2) * 2/5 - 1/2 = -0.3, 0.1, 0.5, 0.9, 1.3, held in 0..1
    x = np.array([0.0, 3.0], "float32").reshape(1, 1, 2, 1)
    resized = ops.convert_to_numpy(ResizeLike()([x, np.zeros((1, 2, 5, 7), "float32")]))
    np.testing.assert_allclose(resized[0, :, :, 0], [[0, 0.3, 1.5, 2.7, 3]] * 2, atol=1e-6)
    # 0 1 2 3 4 to two: centres at (i + 1/2) * 5/2 - 1/2 = 0.75, 3.25
    x = np.arange(5, dtype="float32").reshape(1, 5, 1, 1)
    resized = ops.convert_to_numpy(ResizeLike()([x, np.zeros((1, 2, 1, 1), "float32")]))
    np.testing.assert_allclose(resized[0, :, 0, 0], [0.75, 3.25], atol=1e-6)


@pytest.mark.few("old1")
@pytest.mark.parametrize("old, new", [((1, 1), (5, 4)), ((9, 13), (65, 97)), ((3, 7), (7, 7))])
def test_resize_like_equals_resize(old, new, rng):
    x = rng.normal(size=(2, *old, 3)).astype("float32")
    reference = np.zeros((2, *new, 1), "uint8")
    expected = ops.image.resize(x, new, "bilinear")
    resized = ResizeLike()([x, reference])
    assert resized.shape == ResizeLike().compute_output_shape([x.shape, reference.shape])
    np.testing.assert_allclose(
        ops.convert_to_numpy(resized), ops.convert_to_numpy(expected), atol=1e-5
    )


def test_resize_like_takes_sizes_that_are_unknown():
    """One model, every pair of sizes; compiled, and a TensorFlow graph knows neither."""
    x, like = keras.Input((None, None, 2)), keras.Input((None, None, 1))
    model = keras.Model([x, like], ResizeLike()([x, like]))
    for old, new in (((2, 3), (5, 8)), ((4, 1), (3, 9)), ((3, 3), (3, 3))):
        array = np.arange(2 * old[0] * old[1], dtype="float32").reshape(1, *old, 2)
        resized = model.predict([array, np.zeros((1, *new, 1), "float32")], verbose=0)
        expected = ResizeLike()([array, np.zeros((1, *new, 1), "float32")])
        np.testing.assert_allclose(resized, ops.convert_to_numpy(expected), atol=1e-5)


def test_crop_at_keeps_from_the_offset_on(rng):
    x = rng.normal(size=(2, 20, 19, 3)).astype("float32")
    reference = np.zeros((2, 9, 8, 1), "uint8")
    cropped = CropAt(5)([x, reference])
    assert cropped.shape == CropAt(5).compute_output_shape([x.shape, reference.shape])
    np.testing.assert_array_equal(ops.convert_to_numpy(cropped), x[:, 5:14, 5:13])


def test_bilinear_kernel_by_hand():
    # factor 2: centres at 0..3, middle 1.5, weights 1 - |distance| / 2 = 1/4 3/4 3/4 1/4
    row = np.array([1, 3, 3, 1]) / 4
    np.testing.assert_allclose(bilinear_kernel(2), np.outer(row, row))
    # a pixel spreads over stride x stride pixels on average: the weights sum to stride^2
    for factor in (2, 8, 16, 32):
        assert bilinear_kernel(factor).shape == (2 * factor, 2 * factor)
        np.testing.assert_allclose(bilinear_kernel(factor).sum(), factor**2, rtol=1e-5)


def scattered(x, kernel, factor):
    """Transposed convolution by its definition: each pixel adds its value times the kernel."""
    batch, height, width, channels = x.shape
    y = np.zeros((batch, factor * (height + 1), factor * (width + 1), channels))
    for i in range(height):
        for j in range(width):
            rows, columns = slice(factor * i, factor * (i + 2)), slice(factor * j, factor * (j + 2))
            y[:, rows, columns] += x[:, i, j, None, None, :] * kernel
    return y


@pytest.mark.few("size1")
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3)])
def test_transposed_convolution_equals_its_definition(factor, size, rng):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    kernel = rng.normal(size=(2 * factor, 2 * factor, 3)).astype("float32")
    expected = scattered(x, kernel, factor)
    cut = factor // 2
    cropped = expected[:, cut : cut + factor * size[0], cut : cut + factor * size[1]]
    for padding, wanted in (("valid", expected), ("same", cropped)):
        layer = DepthwiseConv2DTranspose(factor, padding=padding)
        layer.build(x.shape)
        layer.set_weights([kernel])
        y = layer(x)
        assert y.shape == layer.compute_output_shape(x.shape)
        np.testing.assert_allclose(ops.convert_to_numpy(y), wanted, atol=1e-5)


def test_transposed_convolution_starts_bilinear(rng):
    """Inside, it is the bilinear enlargement; at the border, the same of a map amid zeros."""
    x = rng.normal(size=(2, 5, 4, 3)).astype("float32")
    y = ops.convert_to_numpy(DepthwiseConv2DTranspose(8)(x))
    amid_zeros = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = ops.convert_to_numpy(Enlarge(8)(amid_zeros))[:, 8:-8, 8:-8]
    np.testing.assert_allclose(y, expected, atol=1e-5)
    inside = ops.convert_to_numpy(Enlarge(8)(x))[:, 4:-4, 4:-4]
    np.testing.assert_allclose(y[:, 4:-4, 4:-4], inside, atol=1e-5)


def test_transposed_convolution_is_adjoint_to_the_convolution(rng):
    """<T(x), y> = <x, C(y)>, where C is the depthwise convolution of the same kernel and stride."""
    x = rng.normal(size=(1, 4, 5, 2)).astype("float32")
    layer = DepthwiseConv2DTranspose(2, padding="valid")
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=(4, 4, 2)).astype("float32")])
    y = rng.normal(size=(1, 10, 12, 2)).astype("float32")
    back = ops.depthwise_conv(y, layer.kernel[:, :, :, None], strides=2, padding="valid")
    left = np.sum(ops.convert_to_numpy(layer(x)) * y)
    right = np.sum(x * ops.convert_to_numpy(back))
    np.testing.assert_allclose(left, right, rtol=1e-4)


def test_a_fixed_transposed_convolution_stays_fixed():
    fixed = DepthwiseConv2DTranspose(2, learned=False)
    fixed.build((None, None, None, 3))
    fixed.trainable = True  # as unfreezing a whole model would
    assert fixed.trainable_weights == []
    again = DepthwiseConv2DTranspose.from_config(fixed.get_config())
    assert (again.factor, again.padding, again.learned) == (2, "same", False)
    with pytest.raises(ValueError, match="padding='full'"):
        DepthwiseConv2DTranspose(2, padding="full")


def test_the_block_is_its_layers(rng):
    x = rng.normal(size=(2, 9, 11, 4)).astype("float32")
    image = keras.Input((None, None, 4))
    y = conv_norm_relu(image, 6, 3, strides=2, padding="valid", name="a")
    y = depthwise_norm_relu(y, 3, dilation=2, name="b")
    y = conv_norm_relu(y, 5, 1, norm=None, activation=None, names=("c", None, None))
    model = keras.Model(image, y)
    names = [*layer_names("a"), *layer_names("b"), "c"]
    assert [layer.name for layer in model.layers[1:]] == names

    layers = [
        keras.layers.Conv2D(6, 3, strides=2, use_bias=False),
        keras.layers.BatchNormalization(**BATCH_NORM),
        keras.layers.ReLU(),
        keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2, use_bias=False),
        keras.layers.BatchNormalization(**BATCH_NORM),
        keras.layers.ReLU(),
        keras.layers.Conv2D(5, 1),
    ]
    plain = keras.Sequential([keras.Input((None, None, 4)), *layers])
    weights = [rng.uniform(0.5, 1.5, w.shape).astype("float32") for w in plain.weights]
    plain.set_weights(weights)
    model.set_weights(weights)
    expected, actual = (ops.convert_to_numpy(each(x, training=False)) for each in (plain, model))
    assert expected.std() > 0.1
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)

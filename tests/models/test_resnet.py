import keras
import numpy as np
import pytest
from models import contract
from models.quick_start import quick_start  # noqa: F401

from kseg.models.encoders.rebuild import rebuilt
from kseg.models.encoders.resnet import build_resnet


def tiny(depth=50, **arguments):
    return build_resnet(depth, **{"width": 2, **arguments})


def dilations(model):
    """Stage -> dilation of each 3x3 convolution in it, in order."""
    dilations = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (3, 3):
            dilations.setdefault(layer.name.partition("_")[0], []).append(layer.dilation_rate[0])
    return dilations


@pytest.mark.once("torch")
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_a_stride_rounds_sizes_up(output_stride):
    model = rebuilt(tiny(), output_stride)
    strides = {"conv1": 2, "layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
    channels = {"conv1": 2, "layer1": 8, "layer2": 16, "layer3": 32, "layer4": 64}
    for size in ((64, 64), (65, 97), (33, 31), (1, 1), (2, 5)):
        expected = {
            stage: (1, *(-(-side // min(stride, output_stride)) for side in size), channels[stage])
            for stage, stride in strides.items()
        }
        assert model.compute_output_shape((1, *size, 3)) == expected
    if output_stride == 8:
        features = model.predict(np.zeros((1, *size, 3), "float32"), verbose=0)
        assert {stage: x.shape for stage, x in features.items()} == expected


@pytest.mark.once("torch")
def test_strides_and_dilations_are_those_of_torchvision():
    # a dilated stage's first block keeps the dilation of the stage before it
    plain = {"layer1": [1] * 3, "layer2": [1] * 4, "layer3": [1] * 6, "layer4": [1] * 3}
    model = tiny()
    assert dilations(model) == plain
    assert dilations(rebuilt(tiny(), 16)) == plain | {"layer4": [1, 2, 2]}
    assert dilations(rebuilt(tiny(), 8)) == plain | {
        "layer3": [1, 2, 2, 2, 2, 2],
        "layer4": [2, 4, 4],
    }
    strided = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.strides == (2, 2)
    ]
    # v1.5: in the 3x3 (conv2) of a bottleneck, and in its shortcut
    assert sorted(strided) == sorted(
        ["conv1"]
        + [f"layer{i}_0_conv2" for i in (2, 3, 4)]
        + [f"layer{i}_0_downsample_0" for i in (2, 3, 4)]
    )


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    # published parameter counts (torchvision's model pages) less the classifier:
    # 11,689,512 - 513,000; 25,557,032 - 2,049,000; 60,192,808 - 2,049,000
    "depth, count",
    [(18, 11_176_512), (50, 23_508_032), (152, 58_143_808)],
)
def test_number_of_weights(depth, count):
    model = build_resnet(depth)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == count


@pytest.mark.once("torch")
def test_padding_is_symmetric():
    """A photo of odd sides upside down gives its features upside down, with every kernel flipped.

    That holds only where every padding is the same on both sides: at odd sizes, rows 0, 2, 4, ...
    of stride 2 are the same from either end.
    """
    model = contract.settle(tiny())
    image = np.random.default_rng(0).normal(size=(1, 65, 33, 3)).astype("float32")
    upright = [keras.ops.convert_to_numpy(x) for x in model(image, training=False).values()]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([layer.get_weights()[0][::-1]])
    flipped = model(image[:, ::-1].copy(), training=False).values()
    for a, b in zip(upright, flipped, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(b)[:, ::-1], a, rtol=1e-3, atol=1e-3)


def test_pooling_pads_with_nothing():
    """The stem's pooling gives what -inf beside the border gives."""
    model = contract.settle(tiny())
    stem = keras.Model(
        model.input, [model.get_layer("relu").output, model.get_layer("maxpool").output]
    )
    image = np.random.default_rng(0).normal(size=(1, 13, 10, 3)).astype("float32")
    x, pooled = (keras.ops.convert_to_numpy(t) for t in stem(image, training=False))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_array_equal(pooled, windows.max(axis=(-2, -1)))


def test_basic_blocks_dilate_where_they_read_a_dilated_map():
    # the first 3x3 of a stage loses its stride; all after it read its map of twice the size
    assert dilations(rebuilt(tiny(18), 8)) == {
        "layer1": [1, 1, 1, 1],
        "layer2": [1, 1, 1, 1],
        "layer3": [1, 2, 2, 2],
        "layer4": [2, 4, 4, 4],
    }


@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(channels):
    model = tiny(18, input_shape=(None, None, channels))
    assert model(np.zeros((2, 9, 8, channels), "float32"))["layer4"].shape == (2, 1, 1, 16)


@pytest.mark.parametrize(
    "arguments, part",
    [
        ({"depth": 51}, "depth=51: expected one of 18, 34, 50, 101, 152"),
        ({"depth": 50, "width": 0}, "width=0"),
    ],
)
def test_wrong_arguments_are_named(arguments, part):
    with pytest.raises(ValueError) as error:
        build_resnet(**arguments)
    assert part in str(error.value)

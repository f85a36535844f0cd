"""DeepLabV3, DeepLabV3+ and torchvision's FCN, on a small encoder; full size in tests/parity."""

import keras
import numpy as np
import pytest
from models import contract
from models.quick_start import quick_start  # noqa: F401

import kseg
from kseg.models.layers import BATCH_NORM, Normalize


def encoder(output_stride, channels=3):
    """Halves the image to `output_stride`, with 8 channels at each stride."""
    x = image = keras.Input((None, None, channels))
    x = Normalize(1 / 64, -2.0)(x)
    for _ in range(int(np.log2(output_stride))):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(**BATCH_NORM)(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(image, x, name="small")


def fcn(num_classes=3, output_stride=8, input_shape=(None, None, 3), **arguments):
    return kseg.build_fcn(
        num_classes,
        input_shape=input_shape,
        encoder=encoder(output_stride, input_shape[-1]),
        output_stride=output_stride,
        **arguments,
    )


def deeplabv3(num_classes=3, output_stride=8, input_shape=(None, None, 3), **arguments):
    return kseg.build_deeplabv3(
        num_classes,
        input_shape=input_shape,
        encoder=encoder(output_stride, input_shape[-1]),
        output_stride=output_stride,
        **{"width": 8, **arguments},
    )


def deeplabv3plus(num_classes=3, output_stride=16, input_shape=(None, None, 3), **arguments):
    return kseg.build_deeplabv3plus(
        num_classes,
        input_shape=input_shape,
        encoder=encoder(output_stride, input_shape[-1]),
        output_stride=output_stride,
        **{"width": 8, **arguments},
    )


def separable(num_classes=3, **arguments):
    return deeplabv3plus(num_classes, separable=True, **arguments)


@pytest.mark.once("torch")
class TestFCN(contract.LabellingContract):
    builder = "build_fcn"
    build = staticmethod(fcn)
    learning = {"num_classes": 2}


class TestDeepLabV3(TestFCN):
    builder = "build_deeplabv3"
    build = staticmethod(deeplabv3)


@pytest.mark.once("torch")
class TestDeepLabV3Plus(contract.LearnsOnce, contract.LabellingContract):
    builder = "build_deeplabv3plus"
    build = staticmethod(deeplabv3plus)
    learning = {"num_classes": 1}


@pytest.mark.once("torch")
def test_separable_convolutions_learn():
    labels = np.random.default_rng(3).integers(0, 3, (2, *contract.SIZE))
    assert contract.still(separable(), contract.photos(), labels) == []


def test_a_separable_config_rebuilds_the_model():
    model = separable(compile=False)
    again = keras.Model.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


@pytest.mark.parametrize("build", [fcn, deeplabv3, deeplabv3plus])
@pytest.mark.parametrize("output_stride", [8, 16])
def test_output_strides(build, output_stride):
    model = build(output_stride=output_stride, compile=False)
    assert model.compute_output_shape((2, 97, 64, 3)) == (2, 97, 64, 3)


def test_torchvision_encoders_see_the_photo_unpadded():
    model = kseg.build_deeplabv3(2, width=4, encoder="torchvision:resnet18", output_stride=16)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert "PadToStride" not in kinds and "CropLike" not in kinds
    assert model.compute_output_shape((2, 33, 47, 3)) == (2, 33, 47, 2)


def test_the_pyramid_is_that_of_the_papers():
    def rates(model):
        names = ("aspp_atrous1_conv", "aspp_atrous2_conv", "aspp_atrous3_conv")
        return [model.get_layer(name).dilation_rate[0] for name in names]

    assert rates(deeplabv3(compile=False)) == [12, 24, 36]
    assert rates(deeplabv3(rates=(6, 12, 18), compile=False)) == [6, 12, 18]
    assert rates(deeplabv3plus(compile=False)) == [6, 12, 18]
    assert rates(deeplabv3plus(output_stride=8, compile=False)) == [12, 24, 36]
    model = separable(compile=False)
    assert model.get_layer("aspp_atrous2_depthwise_conv").dilation_rate == (12, 12)


def test_layers_of_deeplabv3plus_are_those_of_the_paper():
    # width 8 on features of 8 channels; trainable weights of convolution and batch norm:
    # encoder  4 strides: 9 * (3 + 3 * 8) * 8 + 4 * 16                                    =  2,008
    # ASPP     1x1 8*8, 3x3 3 * 9*8*8, the mean's 1x1 8*8, the project's 5*8*8; 6 norms   =  2,272
    # low      1x1 8*48 and its norm 2*48                                                 =    480
    # 3x3s     9*(8+48)*8 + 9*8*8 and 2 norms of 2*8                                      =  4,640
    # head     1x1 8*3 + 3                                                                =     27
    model = deeplabv3plus(compile=False)
    count = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert count == 2_008 + 2_272 + 480 + 4_640 + 27


def test_a_constant_pyramid_branch_is_the_image_mean():
    """With the other branches cut off, the pyramid is one vector everywhere: the mean's."""
    model = contract.settle(deeplabv3(compile=False))
    project = model.get_layer("aspp_project_conv")
    (kernel,) = project.get_weights()
    kernel[:, :, : 4 * 8] = 0
    project.set_weights([kernel])
    inner = keras.Model(model.input, model.get_layer("aspp_project_relu").output)
    x = keras.ops.convert_to_numpy(inner(contract.photos((64, 96)), training=False))
    np.testing.assert_allclose(x, np.broadcast_to(x[:, :1, :1], x.shape), atol=1e-6)
    assert np.abs(x[0] - x[1]).max() > 1e-5  # another image, another mean


def test_dropout_is_only_in_training():
    model = contract.settle(deeplabv3(compile=False))
    images = contract.photos((32, 32))
    calm = [keras.ops.convert_to_numpy(model(images, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5]
    assert [y.rate for y in fcn().layers if isinstance(y, keras.layers.Dropout)] == [0.1]


@pytest.mark.parametrize("build", [kseg.build_fcn, kseg.build_deeplabv3, kseg.build_deeplabv3plus])
@pytest.mark.parametrize(
    "arguments, part",
    [
        ({"num_classes": 0}, "num_classes=0"),
        ({"num_classes": 2, "output_stride": 4}, "output_stride=4: expected one of"),
        ({"num_classes": 2, "width": 0}, "width=0: expected an integer >= 1"),
        ({"num_classes": 2, "encoder": "resnet51"}, "resnet51"),
    ],
)
def test_wrong_arguments_are_named(build, arguments, part):
    with pytest.raises(ValueError) as error:
        build(**arguments)
    assert part in str(error.value)


@pytest.mark.parametrize("rates", [(6, 12), "6", (6, 12, 0), 12])
def test_wrong_rates_are_named(rates):
    for build in (kseg.build_deeplabv3, kseg.build_deeplabv3plus):
        with pytest.raises(ValueError, match="rates="):
            build(2, rates=rates)


def test_an_encoder_that_ends_elsewhere_is_named():
    for build in (kseg.build_fcn, kseg.build_deeplabv3):
        with pytest.raises(ValueError, match="=16: expected 8, where encoder='small' ends"):
            build(2, encoder=encoder(8), output_stride=16)


def test_an_encoder_without_low_level_features_is_refused():
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 8, strides=8, padding="same")(image)
    deepest = keras.layers.Conv2D(4, 2, strides=2, padding="same")(x)
    with pytest.raises(ValueError, match=r"at the strides \[4\]. It has them at \[8, 16\]"):
        kseg.build_deeplabv3plus(2, encoder=keras.Model(image, [x, deepest]))

import keras
import numpy as np
import pytest
from models import contract

import kseg


def small(num_classes=3, **arguments):
    return kseg.build_unet(num_classes, **{"width": 4, "depth": 2, **arguments})


class TestUNet(contract.LabellingContract):
    builder = "build_unet"
    stride = 4
    build = staticmethod(small)
    learning = {"num_classes": 2}
    learned_size = (32, 32)


@pytest.mark.once("torch")
def test_a_binary_model_learns_and_is_saved(tmp_path):
    model = contract.settle(small(1))
    scores = contract.check_learns(model, *contract.halves((32, 32)))
    assert scores["mean_iou"] > 0.8
    contract.check_saving(model, tmp_path / "unet.keras")


@pytest.mark.parametrize("size", [(97, 131), (5, 64), (64, 64)])
def test_any_size_gives_logits_of_that_size(size):
    contract.check_size(small(compile=False), size, 3)


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_any_number_of_channels(channels):
    model = small(input_shape=(None, None, channels), compile=False)
    contract.check_size(model, (17, 22), 3, channels)


@pytest.mark.once("torch")
@pytest.mark.parametrize("logits_stride", [2, 4])
@pytest.mark.parametrize("detail", [False, True])
def test_padding_is_invisible(logits_stride, detail):
    model = contract.settle(small(logits_stride=logits_stride, detail=detail, compile=False))
    contract.check_padding_is_invisible(model, 4 * logits_stride)


def test_a_detail_head_begins_as_without_it():
    """The first logits are those of the bilinear head, to which details are added later."""
    plain, detailed = (
        small(logits_stride=4, detail=detail, compile=False) for detail in (False, True)
    )
    for layer in plain.layers:
        detailed.get_layer(layer.name).set_weights(layer.get_weights())
    images = contract.photos()
    logits, expected = contract.run(detailed, images), contract.run(plain, images)
    assert 0 < np.abs(logits - expected).max() < 0.1


def test_a_detail_head_sees_single_pixels():
    """A pixel that changes within a patch of 4 x 4 moves its own logit otherwise than others'."""
    model = contract.settle(small(logits_stride=4, detail=True, compile=False))
    images = np.full((2, 16, 16, 3), 90, "float32")
    images[1, 6, 5] = 200
    before, after = contract.run(model, images)
    change = (after - before)[4:8, 4:8].reshape(16, -1)
    assert len(np.unique(change.round(7), axis=0)) == 16


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "arguments",
    [{"batch_norm": False}, {"logits_stride": 2}, {"logits_stride": 2, "detail": True}],
)
def test_every_weight_learns(arguments):
    labels = np.random.default_rng(3).integers(0, 3, (2, *contract.SIZE))
    assert contract.still(small(**arguments), contract.photos(), labels) == []


@pytest.mark.once("torch")  # which compiles nothing to draw its 31 million weights
def test_layers_are_those_of_the_paper():
    # Figure 1: 18 3x3 convolutions in the two paths at depth 4 (2 a level, 5 levels down, 4 up),
    # 4 up-convolutions, one 1x1 convolution; 31,031,685 weights without batch norm for 1 input
    # channel and 2 classes: sum over levels of (9*cin*cout + cout) pairs etc., computed below.
    model = kseg.build_unet(2, input_shape=(None, None, 1), batch_norm=False, compile=False)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2D") == 18 + 1
    assert kinds.count("UpConv2D") == 4
    widths = [64, 128, 256, 512, 1024]
    weights = 0
    previous = 1
    for width in widths:  # contracting path
        weights += 9 * previous * width + width + 9 * width * width + width
        previous = width
    for width in reversed(widths[:-1]):  # expanding path: up-convolution, then 2w -> w -> w
        weights += 4 * 2 * width * width + width
        weights += 9 * 2 * width * width + width + 9 * width * width + width
    weights += 64 * 2 + 2
    assert model.count_params() == weights == 31_030_658


def test_fits_a_dataset_as_it_stands():
    images = contract.photos((32, 32), batch=4)
    labels = np.random.default_rng(0).integers(0, 21, (4, 32, 32))
    history = small(21).fit(images, labels, batch_size=2, verbose=0).history
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["mean_iou"]).all()


def test_one_compilation_a_size():
    """Counts how often the graph is traced over two epochs of two sizes."""
    traces = []

    @keras.saving.register_keras_serializable(package="test")
    class Count(keras.layers.Layer):
        def call(self, x):
            traces.append(tuple(x.shape))
            return x

        def compute_output_shape(self, shape):
            return shape

    inner = small(compile=False)
    image = keras.Input((None, None, 3))
    model = keras.Model(image, inner(Count()(image)))
    traces.clear()
    for _ in range(3):
        for size in ((32, 32), (32, 48)):
            model.predict_on_batch(contract.photos(size))
    if keras.backend.backend() == "torch":
        assert len(traces) == 6  # eager: called each time, compiled never
    else:
        assert len(traces) <= 2


@pytest.mark.few("resnet50")
@pytest.mark.once("torch")
@pytest.mark.parametrize("encoder", ["resnet50", "vgg16", "efficientnetv2b0"])
def test_encoders_by_name(encoder):
    model = kseg.build_unet(3, encoder=encoder, compile=False)
    assert model.compute_output_shape((2, 65, 70, 3)) == (2, 65, 70, 3)
    assert model.outputs[0].dtype == "float32"


@pytest.mark.slow
@pytest.mark.once("torch")
def test_mobilenet_passes_the_contract(tmp_path):
    model = contract.settle(kseg.build_unet(3, encoder="mobilenetv2"))
    contract.check_size(model, (65, 70), 3)
    contract.still(model, contract.photos((65, 70)), np.zeros((2, 65, 70), "int32"))
    contract.check_saving(model, tmp_path / "unet.keras", images=contract.photos((65, 70)))


def test_a_keras_model_as_encoder():
    image = keras.Input((None, None, 5))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    encoder = keras.Model(image, x)
    model = kseg.build_unet(4, input_shape=(None, None, 5), encoder=encoder)
    contract.check_size(model, (41, 39), 4, channels=5)


@pytest.mark.parametrize(
    "arguments, part",
    [
        ({"num_classes": 0}, "num_classes=0"),
        ({"num_classes": 2.0}, "num_classes=2.0"),
        ({"num_classes": 2, "depth": 0}, "depth=0"),
        ({"num_classes": 2, "width": -1}, "width=-1"),
        ({"num_classes": 2, "input_shape": (64, 64)}, "input_shape=(64, 64)"),
        ({"num_classes": 2, "encoder": "vgg15"}, "vgg16"),
        ({"num_classes": 2, "weights": "imagenet"}, "weights='imagenet'"),
        ({"num_classes": 2, "logits_stride": 3}, "logits_stride=3"),
        ({"num_classes": 2, "detail": True}, "detail=True"),
        ({"num_classes": 2, "freeze": True}, "freeze=True"),
    ],
)
def test_wrong_arguments_are_named(arguments, part):
    with pytest.raises(ValueError) as error:
        kseg.build_unet(**arguments)
    assert part in str(error.value)

"""FCN against a NumPy network written from the paper's description, and what it promises."""

import functools

import keras
import numpy as np
import pytest
from models import contract
from models.fcn_reference import BUILDERS, CONVOLUTIONS, filled, reference, small

import kseg
from kseg.models.fcn.skip import coarse_to_fine


@pytest.mark.once("torch")
@pytest.mark.parametrize("padding", ["same", "paper"])
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_equals_the_paper_in_numpy(stride, padding):
    # With the paper's border, the sizes at each pooling are 235 118 59 30 15 8 for 37 pixels,
    # 264 132 66 33 17 9 for 66 and 199 100 50 25 13 7 for 1: odd ones at every level.
    at_once = padding == "same"
    extra = {} if stride == 32 else {"at_once": at_once}
    model = filled(small(stride=stride, padding=padding, compile=False, **extra))
    for size in ((37, 66), (1, 1)):
        image = contract.photos(size)
        expected = reference(model, image, stride, padding, at_once)
        assert 0.1 < np.abs(expected).max() < 100
        np.testing.assert_allclose(contract.run(model, image), expected, atol=1e-4, rtol=1e-4)


def test_paper_sizes_compiled():
    """The crops hold in a compiled model of unknown size too."""
    model = filled(small(padding="paper"))
    image = contract.photos((21, 18), batch=1)
    np.testing.assert_allclose(
        model.predict(image, verbose=0), reference(model, image, 8, "paper", True), atol=1e-4
    )


@pytest.mark.once("torch")
class TestFCN8s(contract.LearnsOnce, contract.LabellingContract):
    builder = "build_fcn8s"
    build = staticmethod(small)
    learning = {"num_classes": 2, "dropout": 0.0}

    @classmethod
    def ready(cls, model):
        return filled(model, bias=1.0)  # no stream is dead


@pytest.mark.once("torch")
class TestFCN16s(TestFCN8s):
    builder = "build_fcn16s"
    build = staticmethod(functools.partial(small, stride=16))


@pytest.mark.once("torch")
class TestFCN32s(TestFCN8s):
    builder = "build_fcn32s"
    build = staticmethod(functools.partial(small, stride=32))


@pytest.mark.once("torch")
@pytest.mark.parametrize("size", [(5, 64), (97, 131)])
def test_any_size_gives_logits_of_that_size(size):
    contract.check_size(filled(small(compile=False)), size, 3)


def test_a_known_size_and_another_number_of_channels():
    model = small(input_shape=(17, 22, 4), compile=False)
    assert model.output_shape == (None, 17, 22, 3)
    contract.check_size(model, (17, 22), 3, channels=4)


@pytest.mark.once("torch")
def test_saving_with_the_papers_border(tmp_path):
    model = filled(small(1, padding="paper"))
    image = contract.photos((21, 18), batch=1)
    contract.still(model, image, np.ones((1, 21, 18), "int32"))
    contract.check_saving(model, tmp_path / "fcn.keras", images=image)


def test_layers_are_those_of_the_paper():
    # VGG16 is known for its 138,357,544 weights, of which its last layer has 4096*1000 + 1000. The
    # scores have (4096 + 1) + (512 + 1) + (256 + 1) a class, the kernels 4*4 twice, learned, and
    # 16*16, fixed.
    with contract.shapes_alone():  # not 500 MB of numbers
        model = kseg.build_fcn8s(21, compile=False)
    learned = 138_357_544 - 4_097_000 + 21 * (4097 + 513 + 257 + 2 * 16)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == learned
    assert model.count_params() == learned + 21 * 256
    names = [layer.name for layer in model.layers if layer.weights]
    own = ["fc6", "fc7", "score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3"]
    assert sorted(names) == sorted([*CONVOLUTIONS, *own, "upscore8"])


@pytest.mark.once("torch")
def test_logits_are_zero_before_training():
    logits = contract.run(small(compile=False), contract.photos((37, 66)))
    np.testing.assert_array_equal(logits, 0)  # as the score layers are


def test_what_upsampling_trains():
    def learned(stride, **arguments):
        model = small(stride=stride, compile=False, **arguments)
        model.trainable = True
        paths = [w.path for w in model.trainable_weights]
        return [path.split("/")[0] for path in paths if path.startswith("upscore")]

    assert learned(8) == ["upscore2", "upscore_pool4"]
    assert learned(16) == ["upscore2"]
    assert learned(32) == learned(8, upsampling="fixed") == learned(16, upsampling="fixed") == []


def test_freeze_keeps_the_encoder_and_nothing_else():
    model = small(freeze=True, compile=False)
    still = {w.path.split("/")[0] for w in model.non_trainable_weights if "seed" not in w.path}
    assert still == {*CONVOLUTIONS, "upscore8"}


def decoder(stride, padding, size, scores):
    """Logits of the decoder alone: `scores` at stride 32, nothing from the skips."""
    border, lost = (198, 6) if padding == "paper" else (0, 0)
    features = {s: keras.Input((-(-(size + border) // s),) * 2 + (2,)) for s in (16, 8)}
    features[32] = keras.Input((-(-(size + border) // 32) - lost,) * 2 + (1,))
    image = keras.Input((size, size, 3))
    logits = coarse_to_fine(
        features, stride, 1, like=image, padding=padding, learned=True, at_once=False
    )
    model = keras.Model([image, *features.values()], logits)
    model.get_layer("score_fr").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    inputs = [np.zeros((1, *x.shape[1:]), "float32") for x in model.inputs[:-1]]
    return contract.run(model, [*inputs, scores.astype("float32")])[0, :, :, 0]


@pytest.mark.few("32", "8-")
@pytest.mark.parametrize("padding", ["same", "paper"])
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_affine_scores_are_reproduced_in_place(stride, padding):
    """Whatever the stride, score (i, j) of stride 32 lies at one place of the photo.

    "same": cell i covers rows 32i .. 32i + 31, centre 32i + 15.5.
    "paper": 32i + 12.5. A kernel of 64 for cell i has its centre at 32i + 31.5 of the enlarged
    scores, of which the photo begins at 19. The crops of 16s and 8s must give the same place.
    """
    size = 96
    centre = 12.5 if padding == "paper" else 15.5
    cells = -(-(size + 198) // 32) - 6 if padding == "paper" else 3
    i, j = np.mgrid[:cells, :cells]
    logits = decoder(stride, padding, size, (2 * i - 3 * j + 1)[None, :, :, None])
    y, x = (np.mgrid[:size, :size] - centre) / 32
    # 3/8 of a cell from the outermost centres, no kernel reaches beyond them
    inside = (np.minimum(y, x) >= 0.375) & (np.maximum(y, x) <= cells - 1.375)
    assert inside.sum() > 1000
    np.testing.assert_allclose(logits[inside], (2 * y - 3 * x + 1)[inside], atol=1e-4)


def test_a_kink_is_rounded_off_by_an_eighth():
    # scores 0 0 1 1 along the rows: the slope a cell changes by 1 at cells 1 and 2. At cell 1 one
    # step of 32 gives 0; two steps give the mean of 0 (at 3/4) and 1/4 (at 5/4), 1/8.
    rows = np.array([0.0, 0.0, 1.0, 1.0])
    scores = np.repeat(rows[:, None], 4, axis=1)[None, :, :, None]
    coarse, middle = (decoder(stride, "same", 128, scores)[16:-16, 64] for stride in (32, 16))
    difference = np.abs(coarse - middle)
    assert 0.115 < difference.max() <= 0.125


# Other encoders


def tiny_encoder(strides=5, channels=3):
    image = keras.Input((None, None, channels))
    x = keras.layers.Rescaling(1 / 255)(image)
    for i in range(strides):
        x = keras.layers.Conv2D(
            4 + i, 3, strides=2, padding="same", kernel_initializer=keras.initializers.Constant(0.1)
        )(x)
    return keras.Model(image, x, name="tiny")


@pytest.mark.once("torch")
def test_a_keras_model_as_encoder():
    encoder = tiny_encoder()
    for stride, build in BUILDERS.items():
        model = filled(build(3, encoder=encoder, compile=False))
        names = [layer.name for layer in model.layers]
        assert "fc6" not in names and "scale_pool4" not in names
        assert f"upscore{stride}" in names
        contract.check_size(model, (41, 39), 3)
        # the deepest feature, of 8 channels, is scored as it is
        assert model.get_layer("score_fr").kernel.shape == (1, 1, 8, 3)
    headed = build(3, encoder=encoder, fc_width=8, compile=False)
    assert headed.get_layer("fc6").kernel.shape == (7, 7, 8, 8)
    contract.check_size(headed, (41, 39), 3)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["mobilenetv2", "resnet50", "efficientnet_lite0"])
def test_encoders_by_name(encoder):
    model = contract.settle(filled(kseg.build_fcn8s(3, encoder=encoder, compile=False)))
    contract.check_size(model, (65, 70), 3)
    frozen = kseg.build_fcn8s(3, encoder=encoder, freeze=True, compile=False)
    assert {w.path.split("/")[0] for w in frozen.trainable_weights} == {
        *("score_fr", "score_pool4", "score_pool3", "upscore2", "upscore_pool4")
    }


@pytest.mark.parametrize(
    "arguments, part",
    [
        ({"num_classes": 0}, "num_classes=0"),
        ({"input_shape": (64, 64)}, "input_shape=(64, 64)"),
        ({"encoder": "vgg15"}, "vgg16"),
        ({"width": 0}, "width=0"),
        ({"fc_width": 2.0}, "fc_width=2.0"),
        ({"padding": "valid"}, "padding='valid'"),
        ({"upsampling": "bilinear"}, "upsampling='bilinear'"),
        ({"at_once": "yes"}, "at_once='yes'"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"encoder": "mobilenetv2", "padding": "paper"}, "padding='paper': expected 'same' unless"),
        ({"encoder": "mobilenetv2", "width": 32}, "width=32: expected 64 unless"),
        ({"encoder": "mobilenetv2", "weights": tiny_encoder()}, "expected no model unless"),
        ({"encoder": tiny_encoder(4)}, "It has them at [1, 2, 4, 8, 16]"),
        ({"width": 8, "fc_width": 8, "weights": "imagenet"}, "width=64"),
        (
            {"width": 8, "fc_width": 8, "weights": "imagenet", "input_shape": (None, None, 4)},
            "4 channels, and not 3",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, part):
    with pytest.raises(ValueError) as error:
        kseg.build_fcn8s(**{"num_classes": 2, **arguments})
    assert part in str(error.value)


def test_a_missing_weights_file_is_named():
    with pytest.raises(FileNotFoundError, match="nowhere.weights.h5"):
        small(width=64, weights="nowhere.weights.h5")

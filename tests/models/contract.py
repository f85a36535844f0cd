"""What every model must pass: `class TestMine(ModelContract)` with its builder has all checks.

Values are compared, not only shapes. The checks share a model of a class and one size: an operation
is compiled for each size anew.
"""

from contextlib import contextmanager

import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state
from seeds import fresh_seed

import kseg
from kseg.models.contract import contract

SIZE = (33, 47)  # odd, and no multiple of any stride
BATCH = 16  # more images than any check has


def photos(size=SIZE, channels=3, batch=2):
    return np.random.default_rng(1).integers(0, 256, (batch, *size, channels), dtype=np.uint8)


@contextmanager
def shapes_alone():
    """Models that are built within have shapes, and never numbers.

    Keras keeps a list of what has none yet, and fills all of it the next time that it works out
    the shapes of anybody's layer.
    """
    with keras.StatelessScope(initialize_variables=False):
        yield
    global_state.set_global_attribute("uninitialized_variables", [])


def run(model, images):
    """Logits of a plain call, as NumPy; `predict` is left to the checks that are about it."""
    return keras.ops.convert_to_numpy(model(images, training=False))


def settle(model, size=(64, 64)):
    """Gives batch norm statistics that are not the start values, so that they matter."""
    rng = np.random.default_rng(2)
    for variable in model.non_trainable_variables:
        name = variable.path.rsplit("/", 1)[-1]
        if name == "moving_mean":
            variable.assign(rng.normal(0, 0.1, variable.shape))
        elif name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def check_size(model, size, num_classes, channels=3):
    logits = run(model, photos(size, channels))
    assert logits.shape == (2, *size, num_classes)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def check_padding_is_invisible(model, stride):
    """An odd image gives what the same image, mirrored by hand to the stride, gives there."""
    height, width = 2 * stride + 1, 3 * stride - 3
    image = photos((height, width))
    right, bottom = -width % stride, -height % stride
    mirrored = np.pad(image, ((0, 0), (0, bottom), (0, right), (0, 0)), mode="symmetric")
    expected = model.predict(mirrored, verbose=0)[:, :height, :width]
    np.testing.assert_allclose(model.predict(image, verbose=0), expected, atol=1e-4)


def check_saving(model, path, outputs=run, images=None):
    """A saved model loads without custom objects and gives the same outputs."""
    images = photos() if images is None else images
    model.save(path)
    loaded = keras.saving.load_model(path)
    expected = outputs(model, images)

    def equal(a, b):  # logits to 1e-5; boxes, in pixels, to a few of float32's roundings
        np.testing.assert_allclose(a, b, rtol=5e-7, atol=1e-5)

    keras.tree.map_structure(equal, outputs(loaded, images), expected)
    assert loaded.get_compile_config() == model.get_compile_config()
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) > 0
    return loaded


def still(model, images, labels):
    """Names of the trainable weights that one step of training leaves as they are."""
    before = [np.array(weight) for weight in model.trainable_weights]
    model.fit(images, labels, batch_size=BATCH, verbose=0, shuffle=False)
    pairs = zip(before, model.trainable_weights, strict=True)
    return [new.path for old, new in pairs if np.array_equal(old, new)]


def check_learns(model, images, labels, *, learning_rate=1e-2, steps=30, falls_to=0.5):
    """Learns a few images by heart: every weight moves, and the loss falls to a share of itself.

    One check, because compiling the training takes longer than all the others. Returns the scores.
    """
    model.optimizer.learning_rate = learning_rate
    first = model.evaluate(images, labels, verbose=0, return_dict=True)["loss"]
    assert still(model, images, labels) == []
    model.fit(images, labels, epochs=steps, batch_size=BATCH, verbose=0, shuffle=False)
    last = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert last["loss"] < falls_to * first, (first, last)
    return last


def halves(size):
    """Images and labels: bright pixels are class 1."""
    images, half = photos(size), size[0] // 2
    images[:, :half] //= 4
    labels = np.zeros((2, *size), "int32")
    labels[:, half:] = 1
    return images, labels


class ModelContract:
    """The checks of a model of any task, in terms of what a subclass says below."""

    task = None  # as `kseg.models.contract` names it
    builder = None  # name of the public function, such as "build_unet"
    num_classes = 3
    images = staticmethod(photos)
    learning = {}  # arguments of the model that learns by heart, and how it does:
    pace = {"learning_rate": 1e-2, "steps": 30, "falls_to": 0.5}
    tolerance = {"atol": 1e-4}  # of two ways to the same outputs

    @classmethod
    def build(cls, num_classes=3, **arguments):
        """A model as small as it gets; takes every argument of the builder."""
        raise NotImplementedError

    @classmethod
    def ready(cls, model):
        """The model with weights and statistics that are no start values."""
        return settle(model)

    def to_learn(self):
        """A few images and labels that can be learned by heart."""
        raise NotImplementedError

    def outputs(self, model, images):
        """dict of arrays: what the model gives."""
        raise NotImplementedError

    def same(self, found, expected, **tolerance):
        assert found.keys() == expected.keys()
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, **(tolerance or self.tolerance))

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        """To predict with. (Made before the seed of a test is set, so that it sets its own.)"""
        fresh_seed(0)
        return cls.ready(cls.build(cls.num_classes, compile=False))

    # What it is

    def test_it_says_what_it_is(self, model):
        about = contract(model)
        assert (about.task, about.num_classes, about.channels) == (self.task, self.num_classes, 3)
        assert model.name == self.builder.removeprefix("build_")

    @pytest.mark.once("torch")
    def test_a_config_rebuilds_the_model(self, model):
        again = type(model).from_config(model.get_config())
        assert again.get_config() == model.get_config()
        assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
        again.set_weights(model.get_weights())
        self.same(self.outputs(again, self.images()), self.outputs(model, self.images()))

    # What it computes

    def test_outputs_are_finite_float32(self, model):
        for key, values in self.outputs(model, self.images()).items():
            assert values.dtype in (np.float32, np.int32) and np.isfinite(values).all(), key

    def test_a_batch_gives_what_its_images_give_alone(self, model):
        images = self.images()
        together = self.outputs(model, images)
        alone = [self.outputs(model, image[None]) for image in images]
        self.same(
            together, {key: np.concatenate([each[key] for each in alone]) for key in together}
        )

    @pytest.mark.once("torch")
    def test_uint8_and_float_of_the_same_values_agree(self, model):
        images = self.images()
        floats = self.outputs(model, images.astype("float32"))
        self.same(self.outputs(model, images), floats, rtol=0, atol=0)

    @pytest.mark.parametrize("policy", ["mixed_bfloat16"])
    def test_outputs_are_float32_whatever_the_policy(self, model, policy):
        keras.config.set_dtype_policy(policy)
        low = self.build(self.num_classes, compile=False)
        keras.config.set_dtype_policy("float32")
        low.set_weights(model.get_weights())
        found, expected = (self.outputs(each, self.images()) for each in (low, model))
        assert {k: v.dtype for k, v in found.items()} == {k: v.dtype for k, v in expected.items()}
        self.close(found, expected)

    def close(self, found, expected):
        """Compares outputs in low precision with those in float32."""
        raise NotImplementedError

    # How it learns

    @pytest.fixture
    def learner(self):
        return self.ready(self.build(**self.learning))

    def test_it_learns_and_a_file_keeps_what_it_learned(self, learner, tmp_path):
        self.check_learned(check_learns(learner, *self.to_learn(), **self.pace))
        file = tmp_path / "model.keras"
        self.check_loaded(learner, check_saving(learner, file, self.outputs, self.images()))

    def check_loaded(self, model, loaded):
        """Looks further into a model that was saved and loaded."""

    def check_learned(self, scores):
        """Looks further into what `evaluate` gives after training."""


class LearnsOnce:
    """Before a contract: learning takes a minute to compile, and is seen on PyTorch alone.

    The gradients of its layers are compared on all backends, and a U-Net learns on all.
    """

    @pytest.mark.once("torch")
    def test_it_learns_and_a_file_keeps_what_it_learned(self, learner, tmp_path):
        super().test_it_learns_and_a_file_keeps_what_it_learned(learner, tmp_path)


class LabellingContract(ModelContract):
    """Of models that give a logit for each class and pixel.

    `stride` is what the images are padded to, None where they are not.
    """

    task = "semantic"
    stride = 32
    learned_size = (64, 64)

    def outputs(self, model, images):
        return {"logits": run(model, images)}

    def to_learn(self):
        return halves(self.learned_size)

    def check_learned(self, scores):
        assert scores["mean_iou"] > 0.8

    def close(self, found, expected):
        difference = np.abs(found["logits"] - expected["logits"]).max()
        # bfloat16 keeps 8 bits over ~20 layers
        assert difference < 0.1 * np.abs(expected["logits"]).max()
        assert difference > 0  # the policy was in force

    @pytest.mark.parametrize("size", [SIZE, (1, 1)])
    def test_any_size_gives_logits_of_that_size(self, model, size):
        check_size(model, size, self.num_classes)

    def test_any_number_of_channels(self):
        model = self.ready(self.build(input_shape=(None, None, 4), compile=False))
        check_size(model, SIZE, 3, channels=4)
        assert contract(model).channels == 4

    def test_one_logit_tells_two_classes(self):
        model = self.ready(self.build(1, compile=False))
        assert contract(model).num_classes == 2
        logits = run(model, photos(batch=1))[0, :, :, 0]
        np.testing.assert_array_equal(kseg.predict(model, photos()[0]), logits > 0)

    def test_predict_gives_the_class_of_the_highest_logit(self, model):
        image = photos()[0]
        ids = kseg.predict(model, image)
        np.testing.assert_array_equal(ids, run(model, image[None])[0].argmax(-1))
        assert ids.dtype == np.int32

    def test_padding_is_invisible(self, model):
        if self.stride is not None:
            check_padding_is_invisible(model, self.stride)

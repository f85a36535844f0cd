"""What plain `fit`, `evaluate` and `predict` say of images and labels, on every backend."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.inputs import may_be_wrong

BY_255 = r"x.max\(\)=.*: expected numbers of 0..255 .* Multiply by 255"


@pytest.fixture
def x(rng):
    return rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def y(rng):
    return rng.integers(0, 3, (4, 8, 8)).astype("int32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return kseg.build_unet(3, width=2, depth=1)


def dataset(*arrays):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(arrays).batch(2)


def generator(*arrays):
    return (tuple(each[i : i + 2] for each in arrays) for i in (0, 2))


class Batches(keras.utils.PyDataset):
    """Two batches; it writes down which were asked for."""

    def __init__(self, x, y, **options):
        super().__init__(**options)
        self.x, self.y, self.asked = x, y, []

    def __len__(self):
        return 2

    def __getitem__(self, index):
        self.asked.append(index)
        return self.x[2 * index : 2 * index + 2], self.y[2 * index : 2 * index + 2]


def loader(x, y, **options):
    data = pytest.importorskip("torch.utils.data")
    return data.DataLoader(list(zip(x, y)), batch_size=2, **options)


KINDS = {
    "arrays": lambda x, y: {"x": x, "y": y},
    "dataset": lambda x, y: {"x": dataset(x, y), "shuffle": False},
    "generator": lambda x, y: {"x": generator(x, y), "steps_per_epoch": 2, "shuffle": False},
    "py_dataset": lambda x, y: {"x": Batches(x, y)},
    "loader": lambda x, y: {"x": loader(x, y), "shuffle": False},
}


@pytest.mark.few("arrays", "py_dataset")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_said_and_the_model_stays_usable(model, x, y, kind):
    given = KINDS[kind]
    with pytest.raises(ValueError, match=BY_255):
        model.fit(**given(x / 255, y), verbose=0)
    beyond = y.copy()
    beyond[3, 2, 1] = 7
    with pytest.raises(ValueError, match=r"ids in y_true=\[7\]: expected classes, 0..2, or void"):
        model.fit(**given(x, beyond), verbose=0)
    with pytest.raises(ValueError, match="sum of the 3 channels of y_true at a pixel=3.0"):
        model.fit(**given(x, np.ones((4, 8, 8, 3), "float32")), verbose=0)
    beyond[3, 2, 1] = 255  # void
    history = model.fit(**given(x.astype("float32"), beyond), verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("kind", ["generator", "py_dataset", "once"])
def test_no_batch_is_lost(model, x, y, kind):
    """What is given once and never again is learned from, by the same numbers as of arrays."""
    expected = model.evaluate(x, y, batch_size=2, verbose=0)
    given = once(x, y) if kind == "once" else KINDS[kind](x, y)["x"]
    steps = None if kind == "py_dataset" else 2
    assert model.evaluate(given, steps=steps, verbose=0) == pytest.approx(expected, rel=1e-5)
    if kind == "py_dataset":
        assert {*given.asked} == {0, 1}


def once(x, y):
    """A PyTorch loader of samples that come once."""
    if keras.backend.backend() == "tensorflow":
        pytest.skip("Keras itself takes two batches of such a loader, for their shapes")
    data, samples = pytest.importorskip("torch.utils.data"), iter([*zip(x, y)])

    class Once(data.IterableDataset):
        def __iter__(self):
            return samples

    return data.DataLoader(Once(), batch_size=2)


def test_a_data_set_of_several_processes_is_looked_at_before(model, x, y):
    given = Batches(x / 255, y, workers=2, use_multiprocessing=True)
    with pytest.raises(ValueError, match=BY_255):
        model.fit(given, verbose=0)


@pytest.mark.once("torch")
def test_a_data_set_has_the_models_channels(x, y):
    """Colour is made grey as Pillow makes it, and grey repeated."""
    from PIL import Image

    grey = np.stack([np.asarray(Image.fromarray(each).convert("L")) for each in x])[..., None]
    for channels, given, taken in ((1, x, grey), (3, grey, grey.repeat(3, -1))):
        model = kseg.build_unet(3, input_shape=(None, None, channels), width=2, depth=1)
        expected = model.evaluate(dataset(taken, y), verbose=0)
        assert model.evaluate(dataset(given, y), verbose=0) == pytest.approx(expected, rel=1e-6)
        floats = dataset(given.astype("float32"), y)
        assert model.evaluate(floats, verbose=0) == pytest.approx(expected, rel=1e-6)
        history = model.fit(dataset(given, y), verbose=0, shuffle=False).history
        assert np.isfinite(history["loss"]).all()


def test_of_colours_alone_no_fourth_channel_is_made(x, y):
    model = kseg.build_unet(3, input_shape=(None, None, 4), width=2, depth=1)
    with pytest.raises(ValueError, match=r"image.shape=.*input_shape=\(None, None, 3\), or give"):
        model.fit(dataset(x, y), verbose=0, shuffle=False)


def test_labels_of_another_size(model, x, y):
    """A step that is traced anew looks at them before their batch comes."""
    for kind in ("arrays", "dataset"):
        said = r"(y|y_true)\.shape=\(.*, 8, 7\): expected \(.*, 8, 8\).*, as (of x|y_pred.shape)"
        with pytest.raises(ValueError, match=said):
            model.fit(**KINDS[kind](x, y[:, :, 1:]), verbose=0)


def test_one_hot_labels_are_right(model, x, y):
    one_hot = np.eye(3, dtype="float32")[y]
    plain, soft = (model.evaluate(x, each, verbose=0, return_dict=True) for each in (y, one_hot))
    assert plain == pytest.approx(soft, rel=1e-4)


def test_masks_of_0_and_255_are_told_from_void(x, y):
    model = kseg.build_unet(1, width=2, depth=1)
    with pytest.raises(ValueError, match=r"values in y=\[0, 255\]: .* give y // 255"):
        model.fit(x, (y > 0) * 255, verbose=0)
    assert np.isfinite(model.evaluate(x, (y > 0) * 255 // 255, verbose=0)).all()


def test_losses_of_keras_too(x, y):
    model = kseg.build_unet(3, width=2, depth=1, compile=False)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True, ignore_class=9))
    with pytest.raises(ValueError, match=r"ids in y_true=\[7\]: .* ignore_class=9"):
        model.fit(x, np.where(y == 1, 7, np.where(y == 2, 9, y)), verbose=0)


def test_a_loss_of_ones_own_is_left_alone(x, y):
    model = kseg.build_unet(3, width=2, depth=1, compile=False)
    model.compile("sgd", lambda truth, logits: keras.ops.mean(logits**2))
    assert np.isfinite(model.fit(x, y + 40, verbose=0).history["loss"]).all()


def test_evaluate_and_predict(model, x, y):
    with pytest.raises(ValueError, match=r"ids in y_true=\[9\]"):
        model.evaluate(x, np.where(y == 1, 9, y), verbose=0)
    with pytest.raises(ValueError, match=BY_255):
        model.predict(x / 255, verbose=0)
    with pytest.raises(ValueError, match=r"x.max\(\)=40000: .* white is 255"):
        model.predict(np.full((1, 8, 8, 3), 40000, "uint16"), verbose=0)
    assert model.predict(x, verbose=0).shape == (4, 8, 8, 3)


@pytest.mark.backends("torch", reason="Keras takes pairs alone on the others")
def test_batches_of_photos_alone(model, x):
    batches = pytest.importorskip("torch.utils.data").DataLoader(x, batch_size=2)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(batches, verbose=0), expected, atol=1e-5)
    batches = pytest.importorskip("torch.utils.data").DataLoader(x / 255, batch_size=2)
    with pytest.raises(ValueError, match=BY_255):
        model.predict(batches, verbose=0)


def test_the_first_eager_call(x):
    model = kseg.build_unet(3, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match=BY_255):
        model(x / 255)
    with pytest.raises(ValueError, match="Undo the normalisation"):
        model(x / 127.5 - 1)
    assert model(x).shape == (4, 8, 8, 3)


def test_the_class_is_saved_and_cloned(model, tmp_path, x):
    model.optimizer.build(model.trainable_variables)  # Keras warns of one that has not begun
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for each in (loaded, keras.models.clone_model(model)):
        with pytest.raises(ValueError, match=BY_255):
            each.predict(x / 255, verbose=0)


@pytest.mark.parametrize(
    "value, channels, wrong",
    [(2, 3, False), (3, 3, True), (255, 3, False), (1, 1, False), (2, 1, True), (-1, 3, True)],
)
def test_the_quick_look_at_labels_ends_with_the_last_class(value, channels, wrong):
    """`channels` is itself no class; a model of one channel has two."""
    assert may_be_wrong(np.array([[[0, value]]], "int32"), channels, (255,)) == wrong


@pytest.mark.parametrize(
    "labels, wrong",
    [
        ([[[[0, 1, 0], [0, 0, 0]]]], False),  # a class, and void
        ([[[[0.5, 0.5, 0], [1, 0, 0]]]], False),
        ([[[[0.5, 0.4, 0], [1, 0, 0]]]], True),
        ([[[[2, -1, 0], [1, 0, 0]]]], True),
        ([[[0, 0], [1, 0]]], True),  # ids, which have no shares
    ],
)
def test_the_quick_look_at_shares_of_classes(labels, wrong):
    assert may_be_wrong(np.array(labels, "float32"), 3, (255,)) == wrong

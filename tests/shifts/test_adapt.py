"""`kseg.adapt`: statistics of batch norm by their definition, on every backend."""

import keras
import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.models.saving import save_model
from kseg.shifts.adapt import norms_of


def small(**options):
    return kseg.build_unet(3, **{"width": 2, "depth": 1, "compile": False, **options})


def photos(count=3, size=(16, 24)):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 60 + 60 * i, (*size, 3)).astype("uint8") for i in range(count)]


def first_features(model, images):
    """What reaches the first batch norm: `(B, H, W, C)` in float64."""
    layer = model.get_layer(norms_of(model)[0].name.replace("norm", "conv"))
    features = keras.Model(model.input, layer.output)
    return np.concatenate(
        [keras.ops.convert_to_numpy(features(x[None].astype("float32"))) for x in images]
    ).astype("float64")


def statistics(norm):
    pair = norm.moving_mean, norm.moving_variance
    return [keras.ops.convert_to_numpy(each) for each in pair]


def test_without_a_prior_they_are_those_of_the_photos():
    model, images = small(), photos()
    before = [np.array(each) for each in model.get_weights()]
    adapted = kseg.adapt(model, images, prior=0)
    x = first_features(model, images)
    mean, variance = statistics(norms_of(adapted)[0])
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(variance, x.var(axis=(0, 1, 2)), atol=1e-5)
    for old, new in zip(before, model.get_weights()):  # the user's stays as it was
        np.testing.assert_array_equal(old, new)
    for old, new in zip(model.trainable_weights, adapted.trainable_weights):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (old, new)))


def test_a_prior_counts_as_so_many_photos():
    model, images = small(), photos()
    norm = norms_of(model)[0]
    norm.moving_mean.assign([0.5, -2.0])
    norm.moving_variance.assign([3.0, 0.25])
    mean, variance = statistics(norms_of(kseg.adapt(model, images, prior=5))[0])
    x = first_features(model, images)
    for found, old, new in (
        (mean, [0.5, -2.0], x.mean(axis=(0, 1, 2))),
        (variance, [3.0, 0.25], x.var(axis=(0, 1, 2))),
    ):
        np.testing.assert_allclose(found, (5 * np.array(old) + 3 * new) / 8, rtol=1e-5, atol=1e-6)


@pytest.mark.once("torch")
def test_every_norm_and_nested_ones_move():
    image = keras.Input((None, None, 3))
    x = image
    for _ in range(5):
        x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(x)
    x = keras.layers.BatchNormalization(axis=-1)(x)
    encoder = keras.Model(image, keras.layers.ReLU()(x), name="given")
    model = kseg.build_unet(2, encoder=encoder, freeze=True, compile=False)
    adapted = kseg.adapt(model, photos(2, (32, 32)), prior=1)
    pairs = list(zip(norms_of(model), norms_of(adapted), strict=True))
    assert len(pairs) > 5
    for old, new in pairs:
        assert not np.array_equal(statistics(old)[1], statistics(new)[1])
        assert "call" not in new.__dict__  # nothing of the measuring is left


@pytest.mark.once("torch")
def test_it_undoes_what_light_has_done():
    """Photos at a quarter of their contrast give features as before, but for the layers' bias."""
    model, images = small(logits_stride=2), photos(4, (32, 32))
    model = kseg.adapt(model, images, prior=0)
    dull = [96 + image // 4 for image in images]
    adapted = kseg.adapt(model, dull, prior=0)

    def differs(one, other):
        pairs = zip(images, other)
        return np.mean([(kseg.predict(model, a) != kseg.predict(one, b)).mean() for a, b in pairs])

    assert differs(adapted, dull) < 0.5 * differs(model, dull)


@pytest.mark.once("torch")
def test_a_source_a_folder_and_a_run(tmp_path):
    images = photos(2)
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    model = small()
    save_model(model, tmp_path / "mine.keras")
    expected = kseg.adapt(model, images).get_weights()
    for given in (tmp_path, [tmp_path / "0.png", tmp_path / "1.png"]):
        found = kseg.adapt(tmp_path / "mine.keras", given)
        for a, b in zip(found.get_weights(), expected):
            np.testing.assert_allclose(a, b, atol=1e-6)
    source = kseg.data.shapes("val", size=(16, 16), count=2)
    by_source = kseg.adapt(model, source).get_weights()
    by_arrays = kseg.adapt(model, [source[i]["image"] for i in range(2)]).get_weights()
    np.testing.assert_allclose(by_source[2], by_arrays[2], atol=1e-6)


@pytest.mark.once("torch")
def test_the_users_file_is_not_touched(tmp_path):
    file, other = tmp_path / "mine.keras", tmp_path / "adapted.keras"
    save_model(small(), file)
    before = file.read_bytes()
    for overwrite in (False, True):
        with pytest.raises((ValueError, FileExistsError), match="mine.keras"):
            kseg.adapt(kseg.load(file), photos(), file=file, overwrite=overwrite)
    adapted = kseg.adapt(file, photos(), file=other)
    assert file.read_bytes() == before
    loaded = kseg.load(other).model
    for a, b in zip(loaded.get_weights(), adapted.get_weights()):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        kseg.adapt(file, photos(), file=other)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"prior": -1}, ValueError, "prior=-1"),
        ({"passes": 0}, ValueError, "passes=0"),
        ({"photos": []}, ValueError, "photos=\\[\\]: expected at least one photo"),
        ({"file": "adapted.h5"}, ValueError, "file='adapted.h5': .*\\.keras"),
        ({"model": 3}, TypeError, "model=3"),
    ],
)
def test_refused(given, error, message):
    with pytest.raises(error, match=message):
        kseg.adapt(**{"model": small(), "photos": photos(1), **given})


def test_a_model_without_batch_norm_is_refused():
    with pytest.raises(ValueError, match="model='unet': expected one with batch norm"):
        kseg.adapt(small(batch_norm=False), photos(1))

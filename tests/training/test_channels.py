"""`kseg.fit` and `kseg.evaluate` of models of other channels than the RGB of files."""

import dataclasses

import keras
import numpy as np
import pytest

import kseg

pytestmark = pytest.mark.once("torch")

SETTINGS = {"epochs": 1, "batch_size": 3}


@pytest.fixture
def files(pair_folders):
    root = pair_folders(size=(32, 32))
    return kseg.data.folder(root / "images", root / "masks", ("ground", "object"))


def of_channels(channels, compile=True):
    shape = (None, None, channels)
    return kseg.build_unet(2, input_shape=shape, width=2, depth=1, compile=compile)


def grey(source):
    """A source of the same photos, made grey by Pillow."""
    from PIL import Image

    images = [
        np.asarray(Image.fromarray(s["image"]).convert("L")) for s in kseg.data.samples(source)
    ]
    labels = [s["label"] for s in kseg.data.samples(source)]
    return dataclasses.replace(
        source,
        columns={"image": np.stack(images)[..., None], "label": np.stack(labels)},
        decode=lambda row: row,
    )


@pytest.mark.slow
def test_files_are_made_grey_for_one_channel(files, tmp_path):
    """The same is learned of RGB files and of grey arrays, where no transform sees colours.

    By a model of plain Keras, which looks at no inputs; tests/models/test_inputs.py has kseg's.
    """
    crop = [kseg.data.transforms.random_crop((32, 32))]
    losses = []
    for name, source in (("rgb", files), ("grey", grey(files))):
        keras.utils.set_random_seed(0)
        model = of_channels(1, compile=False)
        model = keras.Model(model.input, model.output)
        settings = kseg.Settings(**SETTINGS, size=(32, 32))
        kseg.fit(model, source, source, run=tmp_path / name, settings=settings, augment=crop)
        (row,) = kseg.Run.open(tmp_path / name).history()
        losses.append((row["loss"], row["val_mean_iou"]))
        scores = kseg.evaluate(model, files)
        assert scores["confusion"] == kseg.evaluate(model, grey(files))["confusion"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.slow
def test_grey_is_learned_with_all_that_is_random(files, tmp_path):
    """By kseg's own transforms, and by those that made three channels of every photo."""
    some = kseg.data.transforms
    own = [some.random_scale_crop((32, 32)), some.random_elastic(), some.mosaic((32, 32))]
    for name, augment in (("default", None), ("own", own)):
        settings = kseg.Settings(**SETTINGS, size=(32, 32))
        model = kseg.fit(
            of_channels(1), grey(files), run=tmp_path / name, settings=settings, augment=augment
        )
        assert kseg.predict(model, files[0]["image"]).shape == (32, 32)


@pytest.mark.slow
def test_four_channels_are_refused_and_the_remedies_work(files, tmp_path):
    settings = kseg.Settings(**SETTINGS, size=(32, 32))
    message = r"bands of 'folder'=3: .*input_shape=\(None, None, 3\), or give images of 4; .*"
    with pytest.raises(ValueError, match=message + "kseg.data.Source whose decode does"):
        kseg.fit(of_channels(4), files, run=tmp_path / "run", settings=settings)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match=message):
        kseg.evaluate(of_channels(4), files)

    import tensorflow as tf

    def decode(row):
        sample = files.decode(row)
        image = tf.io.decode_png(sample["image"], channels=4)
        return {**sample, "image": tf.ensure_shape(image, (None, None, 4))}

    source = dataclasses.replace(files, decode=decode)
    model = kseg.fit(of_channels(4), source, source, run=tmp_path / "four", settings=settings)
    assert kseg.evaluate(model, source)["images"] == 6

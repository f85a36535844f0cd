"""Exports where something is not as it should be: what then works, and what is said."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.saving import save_model

same_writer = pytest.mark.backends("tensorflow", reason="the same writer")


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(1).integers(0, 256, (30, 41, 3), dtype=np.uint8)


def run_with_data(folder, data, model):
    run = kseg.Run(folder, tuple("abcdef"), ((0, 0, 0),) * 6, 255, {}, data)
    run.write()
    save_model(model, run.path / "best.keras")
    return run.path


@pytest.mark.slow
@same_writer
def test_a_run_is_exported_where_its_data_are_not(tmp_path):
    model = kseg.build_unet(6, width=2, depth=1, compile=False)
    path = run_with_data(tmp_path / "run", {"spec": f"folder:{tmp_path}/gone"}, model)
    options = kseg.SavedModelOptions(signatures=("serving_default",))
    exported = kseg.export(path, tmp_path / "out", options, samples=1, verbose=False)
    photos = exported.comparison.photos
    assert photos.startswith("1 photos of shapes/val, for the run's own data cannot be opened: ")
    assert f"{tmp_path}/gone" in photos and np.isnan(exported.comparison.model.mean_iou)
    options = kseg.LiteRTOptions(shape=(32, 32), precision="int8")
    with pytest.raises(ValueError, match="generated scenes will not do.*gone.*source=.*--data"):
        kseg.export(path, tmp_path / "a.tflite", options)
    exported = kseg.export(
        *(path, tmp_path / "b.tflite", options),
        **{
            "source": kseg.data.shapes("val", count=2),
            "tolerance": 1,
            "max_drop": 1,
            "verbose": False,
        },
    )
    assert exported.path.is_file()


@pytest.mark.slow
@same_writer
def test_a_bad_mask_of_the_data_is_named(tmp_path, pair_folders):
    folder = pair_folders(count=3)
    (folder / "masks" / "p0.png").write_bytes((folder / "masks" / "p0.png").read_bytes()[:60])
    source = kseg.data.folder(
        folder / "images", folder / "masks", ("a", "b"), split=None, probe=False
    )
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match="masks/p0.png"):
        kseg.export(model, tmp_path / "out", source=source, verbose=False)
    assert not list(tmp_path.glob("out/**/*.*"))


class TestLambda:
    """Encoders with a layer whose code Keras does not take out of a file by itself."""

    def encoder(self, function):
        x = image = keras.Input((None, None, 3))
        x = function(x)
        fine = keras.layers.Conv2D(2, 3, padding="same")(x)
        return keras.Model(image, [fine, keras.layers.Conv2D(2, 3, 2, padding="same")(fine)])

    def test_the_remedy_of_a_file_works(self, tmp_path, photo):
        scale = keras.layers.Lambda(lambda x: x / 255.0)
        model = kseg.build_unet(2, encoder=self.encoder(scale), compile=False)
        expected = kseg.predict(model, photo)
        model.save(tmp_path / "mine.keras")
        with pytest.raises(
            ValueError, match=r"Lambda.*keras.config.enable_unsafe_deser.*keras.ops"
        ):
            kseg.load(tmp_path / "mine.keras")
        keras.config.enable_unsafe_deserialization()
        try:
            loaded = kseg.load(tmp_path / "mine.keras")
        finally:
            from keras.src.saving import serialization_lib

            serialization_lib.global_state.set_global_attribute("safe_mode_saving", None)
        np.testing.assert_array_equal(loaded.predict(photo), expected)
        with pytest.raises(ValueError, match="Lambda"):
            kseg.load(tmp_path / "mine.keras")

    def test_functions_of_keras_ops_need_no_remedy(self, tmp_path, photo):
        encoder = self.encoder(lambda x: keras.ops.flip(x, -1) / 255.0)
        model = kseg.build_unet(2, encoder=encoder, compile=False)
        model.save(tmp_path / "mine.keras")
        loaded = kseg.load(tmp_path / "mine.keras")
        expected = kseg.predict(model, photo)
        np.testing.assert_array_equal(loaded.predict(photo), expected)

    @pytest.mark.slow
    @pytest.mark.backends("torch", reason="a process of its own; JAX takes the same way")
    def test_a_model_in_memory_is_exported(self, tmp_path):
        scale = keras.layers.Lambda(lambda x: x / 255.0)
        model = kseg.build_unet(2, encoder=self.encoder(scale), compile=False)
        options = kseg.SavedModelOptions(signatures=("serving_default",))
        exported = kseg.export(model, tmp_path, options, samples=1, verbose=False)
        assert exported.comparison.differing <= 1e-4
        own = keras.layers.Lambda(division)
        model = kseg.build_unet(2, encoder=self.encoder(own), compile=False)
        with pytest.raises(ValueError, match="rebuilt.*division.*KERAS_BACKEND=tens"):
            kseg.export(model, tmp_path, options, samples=1, verbose=False)


def division(x):
    return x / 255.0

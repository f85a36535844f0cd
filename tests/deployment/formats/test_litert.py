"""LiteRT: what its interpreter makes of a file equals Keras, in floats and in integers."""

import sys

import keras
import numpy as np
import pytest
from deployment.formats.served_models import (
    difference,
    every_model,
    instance_model,
    photos,
    settled,
    small,
    strange_model,
)

from kseg.deployment.formats.litert import Runtime, fitted, write

pytest.importorskip("ai_edge_litert", reason="needs the extra litert")
pytestmark = pytest.mark.backends("tensorflow", reason="formats are written by TensorFlow")


def test_equals_keras_at_an_odd_size(tmp_path):
    model, path = small(), tmp_path / "unet.tflite"
    write(model, path, shape=(33, 47))
    runtime = Runtime(path)
    assert runtime.shape == (33, 47)
    assert difference(model, runtime, photos(3, 33, 47)) < 1e-5
    with pytest.raises(ValueError, match=r"images=\(47, 33\): expected \(33, 47\), for which"):
        runtime(photos(1, 47, 33))
    with pytest.raises(ValueError, match="expected one or more photos"):
        runtime(photos(0, 33, 47))
    assert [each.name for each in tmp_path.iterdir()] == ["unet.tflite"]


@pytest.mark.slow
def test_an_image_smaller_than_the_stride(tmp_path):
    model, path = small(num_classes=1, input_shape=(3, 2, 1)), tmp_path / "unet.tflite"
    write(model, path)
    assert difference(model, Runtime(path), photos(2, 3, 2, 1)) < 1e-5


@pytest.mark.slow
def test_float16_halves_the_weights_and_int8_quarters_them(tmp_path):
    """The roundings: 11 bits of a half; 8 bits of an integer, over seven layers."""
    model = small(width=16)
    bounds = {"float32": (0, 1e-5), "float16": (1e-6, 5e-3), "int8": (1e-3, 0.1)}
    sizes = {}
    for precision, (least, most) in bounds.items():
        path = tmp_path / precision
        write(model, path, shape=(32, 48), precision=precision, samples=iter(photos(8, 32, 48)))
        sizes[precision] = path.stat().st_size
        assert least <= difference(model, Runtime(path), photos(2, 32, 48)) < most
    assert sizes["float16"] < 0.55 * sizes["float32"]
    assert sizes["int8"] < 0.35 * sizes["float32"]


def test_only_int8_is_calibrated(tmp_path, monkeypatch):
    def fails(*given, **options):
        raise RuntimeError("the interpreter failed to prepare")

    model = small()
    monkeypatch.setattr(keras.Model, "export", fails)
    given = {"shape": (16, 16), "samples": photos(1, 16, 16)}
    with pytest.raises(ValueError, match="precision='int8': LiteRT cannot calibrate"):
        write(model, tmp_path / "a.tflite", precision="int8", **given)
    with pytest.raises(RuntimeError):
        write(model, tmp_path / "a.tflite", precision="float32", shape=(16, 16))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_int8_computes_in_integers(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "unet.tflite"
    samples = photos(4, 16, 16)
    write(small(), path, shape=(16, 16), precision="int8", samples=samples)
    interpreter = Interpreter(model_path=str(path))
    tensors = interpreter.get_tensor_details()
    maps = [each for each in tensors if len(each["shape"]) == 4 and each["shape"][0] == 1]
    floats = [each["name"] for each in maps if each["dtype"] == np.float32]
    assert sum(each["dtype"] == np.int8 for each in maps) > 10
    assert len(floats) <= 2, floats  # the image before it becomes integers, and the logits


def test_samples_are_scaled_to_cover_the_shape_and_cut_to_their_middle():
    """Twice the height, four times the width: halved, and the middle half of the columns kept."""
    image = np.zeros((8, 32, 3), np.uint8)
    image[:, 8:24] = 200
    made = fitted(image, (4, 8), 3)
    assert made.shape == (4, 8, 3) and made.dtype == np.uint8
    assert (made[:, 1:-1] == 200).all()
    ramp = np.repeat(np.arange(0, 80, 10, dtype=np.uint8)[:, None, None], 32, axis=1)
    rows = fitted(np.repeat(ramp, 3, axis=2), (4, 8), 3)[:, 4, 0]  # means of two, nearly
    assert np.abs(rows.astype(int) - [5, 25, 45, 65]).max() <= 2
    same = photos(1, 5, 7)[0]
    np.testing.assert_array_equal(fitted(same, (5, 7), 3), same)
    assert fitted(same, (50, 20), 3).shape == (50, 20, 3)


def test_what_litert_cannot_hold_is_refused_and_nothing_written(tmp_path):
    path = tmp_path / "model.tflite"
    with pytest.raises(ValueError, match="no Erfinv of layer 'inverse_error'. Use .*saved_model"):
        write(strange_model(), path, shape=(16, 16))
    with pytest.raises(ValueError, match="cannot hold model 'mask_rcnn'.*saved_model"):
        write(instance_model(), path, shape=(64, 64))
    with pytest.raises(ValueError, match=r"input: give.* shape=\(256, 320\), .* format='onnx'"):
        write(small(), path, shape=(None, 64))
    for samples in (None, []):
        with pytest.raises(ValueError, match="samples=.*precision='int8' takes"):
            write(small(), path, shape=(16, 16), precision="int8", samples=samples)
    with pytest.raises(ValueError, match=r"image of samples.max\(\)=0.5: .* Multiply by 255"):
        samples = [np.full((9, 9, 3), 0.5)]
        write(small(), path, shape=(16, 16), precision="int8", samples=samples)
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="nothing.tflite: no such LiteRT file"):
        Runtime(tmp_path / "nothing.tflite")
    (tmp_path / "there.tflite").touch()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"needs ai_edge_litert, .* kseg's extra litert"):
        Runtime(tmp_path / "there.tflite")


@pytest.mark.slow
@pytest.mark.parametrize("name", every_model())
def test_every_model_equals_keras(name, tmp_path):
    model = settled(every_model()[name]())
    images = photos(2, 97, 131)
    largest = {}
    for precision in ("float32", "int8"):
        path = tmp_path / precision
        write(model, path, shape=(97, 131), precision=precision, samples=iter(photos(8, 97, 131)))
        runtime = Runtime(path)
        ids = np.asarray(model(images, training=False)).argmax(-1)
        same = (runtime(images).argmax(-1) == ids).mean()
        largest[precision] = difference(model, runtime, images)
        print(f"litert {name} {precision}: {largest[precision]:.1e}, ids {same:.4f}")
    assert largest["float32"] < 1e-4
    assert largest["int8"] < 0.5

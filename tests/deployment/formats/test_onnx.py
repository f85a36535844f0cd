"""ONNX: what ONNX Runtime makes of a file equals Keras, at any size."""

import sys

import keras
import numpy as np
import pytest
from deployment.formats.served_models import (
    SIZES,
    difference,
    every_model,
    instance_model,
    photos,
    settled,
    small,
    strange_model,
)

import kseg
from kseg.deployment.formats import format_module
from kseg.deployment.formats.onnx import Runtime, write

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("tf2onnx", reason="needs the extra onnx")
pytestmark = [
    pytest.mark.backends("tensorflow", reason="formats are written by TensorFlow"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(onnx|tf2onnx).*"),
]


@pytest.mark.slow
def test_equals_keras_at_any_size(tmp_path):
    model, path = small(), tmp_path / "unet.onnx"
    write(model, path)
    runtime = Runtime(path)
    assert runtime.shape == (None, None)
    for size in SIZES:
        assert difference(model, runtime, photos(*size)) < 1e-5
    assert [each.name for each in tmp_path.iterdir()] == ["unet.onnx"]


def test_the_file_says_what_it_takes_and_gives(tmp_path):
    write(small(num_classes=1), tmp_path / "binary.onnx", shape=(None, 48))
    graph = onnx.load(tmp_path / "binary.onnx").graph
    (images,), (logits,) = graph.input, graph.output
    assert (images.name, images.type.tensor_type.elem_type) == ("images", onnx.TensorProto.UINT8)
    assert (logits.name, logits.type.tensor_type.elem_type) == ("logits", onnx.TensorProto.FLOAT)

    def shape(value):
        return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]

    assert shape(images) == ["batch", "height", 48, 3]
    assert shape(logits)[:2] == ["batch", "height"] and shape(logits)[3] == 1
    assert Runtime(tmp_path / "binary.onnx").shape == (None, 48)


@pytest.mark.slow
def test_one_channel_and_a_fixed_size(tmp_path):
    model, path = small(input_shape=(None, None, 1)), tmp_path / "grey.onnx"
    write(model, path, shape=(33, 47))
    runtime = Runtime(path)
    assert runtime.shape == (33, 47)
    assert difference(model, runtime, photos(2, 33, 47, 1)) < 1e-5
    with pytest.raises(ValueError, match=r"images=\(47, 33\): expected \(33, 47\), for which"):
        runtime(photos(1, 47, 33, 1))
    with pytest.raises(ValueError, match=r"max\(\)=1.0: expected numbers of 0..255.* by 255"):
        runtime(photos(1, 33, 47, 1) / 255)


def test_a_runtime_takes_photos_as_predict_does(tmp_path):
    """Types, grey and byte order as `kseg.predict` reads them, none of them wrong in silence."""
    model, path = small(), tmp_path / "unet.onnx"
    write(model, path)
    runtime, images = Runtime(path), photos(2, 33, 47)
    expected = runtime(images)
    for other in (images.astype(">u2") * 256 + 7, images.astype("float64"), list(images)):
        np.testing.assert_array_equal(runtime(other), expected)
    grey = images[..., :1]
    np.testing.assert_array_equal(runtime(grey), runtime(np.repeat(grey, 3, axis=-1)))
    with pytest.raises(ValueError, match=r"\(33, 47, 3\): expected a batch.* images\[None\]"):
        runtime(images[0])
    with pytest.raises(ValueError, match=r"\[\(16, 47\), \(33, 47\)\]: .* all of one size"):
        runtime([images[0], images[1, :16]])


def test_a_file_is_loaded_predicted_with_and_evaluated(tmp_path, pair_folders):
    root, model, path = pair_folders(), small(num_classes=2), tmp_path / "unet.onnx"
    write(model, path)
    loaded, photo = kseg.load(path), photos(1, 41, 30)[0]
    assert (loaded.task, loaded.class_names, loaded.channels) == ("semantic", ("0", "1"), 3)
    np.testing.assert_array_equal(loaded.predict(photo), kseg.predict(model, photo))
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    expected = kseg.evaluate(model, source, calibration=True)
    for given in (path, loaded):
        scores = kseg.evaluate(given, source, calibration=True)
        assert scores["confusion"] == expected["confusion"]
        assert scores["calibration_error"] == pytest.approx(expected["calibration_error"], abs=1e-4)
    with pytest.raises(
        ValueError, match="min_score=0.5 is of instance models, and this one is semantic"
    ):
        loaded.predict(photo, min_score=0.5)
    write(model, path, shape=(32, 32))  # photos go in at that size, and come out at their own
    np.testing.assert_array_equal(kseg.load(path).predict(photo).shape, (41, 30))
    assert kseg.evaluate(path, source)["pixels"] == expected["pixels"]


@pytest.mark.slow
def test_a_model_in_bfloat16_is_written_in_float32(tmp_path):
    """Equal to a float32 model of the same weights, and the model itself stays as it was."""
    reference = small()
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = small()
    keras.config.set_dtype_policy("float32")
    model.set_weights(reference.get_weights())
    write(model, tmp_path / "unet.onnx")
    runtime = Runtime(tmp_path / "unet.onnx")
    assert difference(reference, runtime, photos(2, 31, 45)) < 1e-5
    assert 1e-4 < difference(model, runtime, photos(2, 31, 45)) < 0.1
    assert model.get_layer("down0_conv1").compute_dtype == "bfloat16"


def test_what_onnx_cannot_hold_is_refused_and_nothing_written(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match="no Erfinv of layer 'inverse_error'. Use .*saved_model"):
        write(strange_model(), path)
    with pytest.raises(ValueError, match="cannot hold model 'mask_rcnn'.*saved_model"):
        write(instance_model(), path)
    with pytest.raises(
        ValueError, match="precision='int8': expected one of 'float32' with .*'litert'"
    ):
        write(small(), path, precision="int8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(64,), 64, (64, 0), (64.0, 64), (True, 64), "64"])
def test_a_wrong_shape_is_refused(shape, tmp_path):
    with pytest.raises(ValueError, match="shape=.* expected \\(height, width\\) in pixels"):
        write(small(), tmp_path / "model.onnx", shape=shape)


@pytest.mark.slow
def test_a_model_of_one_size_is_written_in_it(tmp_path):
    model = small(input_shape=(32, 48, 3))
    with pytest.raises(ValueError, match=r"shape=\(None, 32\): the model was built for \(32, 48\)"):
        write(model, tmp_path / "model.onnx", shape=(None, 32))
    write(model, tmp_path / "model.onnx")
    assert Runtime(tmp_path / "model.onnx").shape == (32, 48)


def test_a_missing_file_and_an_unknown_format_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.onnx: no such ONNX file"):
        Runtime(tmp_path / "nothing.onnx")
    with pytest.raises(ValueError, match="format='coreml': expected one of"):
        format_module("coreml")


@pytest.mark.parametrize("package", ["onnx", "tf2onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(package, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.touch()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}, .* kseg's extra onnx"):
        Runtime(path) if package == "onnxruntime" else write(small(), path)
    assert path.read_bytes() == b""


@pytest.mark.slow
@pytest.mark.parametrize("name", every_model())
def test_every_model_equals_keras(name, tmp_path):
    model, path = settled(every_model()[name]()), tmp_path / "model.onnx"
    write(model, path)
    runtime = Runtime(path)
    differences = [difference(model, runtime, photos(*size)) for size in SIZES]
    print(f"onnx {name}: {max(differences):.1e}, {path.stat().st_size} bytes")
    assert np.max(differences) < 1e-4

"""OpenVINO: what its runtime makes of a folder equals Keras, at any size."""

import sys

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

from kseg.deployment.formats.openvino import Runtime, write

pytest.importorskip("openvino", reason="needs the extra openvino")
pytestmark = pytest.mark.backends("tensorflow", reason="formats are written by TensorFlow")


@pytest.mark.slow
def test_equals_keras_at_any_size(tmp_path):
    model, path = small(), tmp_path / "unet"
    write(model, path)
    runtime = Runtime(path)
    assert runtime.shape == (None, None)
    for size in SIZES:
        assert difference(model, runtime, photos(*size)) < 1e-5
    assert [each.name for each in tmp_path.iterdir()] == ["unet"]
    assert sorted(each.name for each in path.iterdir()) == ["model.bin", "model.xml"]


@pytest.mark.slow
def test_float16_halves_the_weights(tmp_path):
    model = small(num_classes=1, input_shape=(None, None, 1), width=8)
    write(model, tmp_path / "float16", shape=(33, 47), precision="float16")
    half = (tmp_path / "float16" / "model.bin").stat().st_size
    assert half < 0.55 * 4 * model.count_params()
    runtime = Runtime(tmp_path / "float16" / "model.xml")
    assert runtime.shape == (33, 47)
    lost = difference(model, runtime, photos(2, 33, 47, 1))
    assert 1e-6 < lost < 5e-3  # half precision keeps 11 bits, and its roundings add up
    with pytest.raises(ValueError, match=r"images=\(47, 33\): expected \(33, 47\), for which"):
        runtime(photos(1, 47, 33, 1))


@pytest.mark.slow
def test_what_openvino_cannot_hold_is_refused_and_nothing_written(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(ValueError, match="no Erfinv of layer 'inverse_error'. Use .*saved_model"):
        write(strange_model(), path)
    with pytest.raises(ValueError, match="cannot hold model 'mask_rcnn'.*saved_model"):
        write(instance_model(), path)
    with pytest.raises(ValueError, match="precision='int8': expected one of 'float32', 'float16'"):
        write(small(), path, precision="int8")
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="model.xml: no such OpenVINO file"):
        Runtime(tmp_path)
    (tmp_path / "model.xml").touch()
    monkeypatch.setitem(sys.modules, "openvino", None)
    for use in (lambda: Runtime(tmp_path), lambda: write(small(), tmp_path / "model")):
        with pytest.raises(ImportError, match=r"needs openvino, .* kseg's extra openvino"):
            use()


@pytest.mark.slow
@pytest.mark.parametrize("name", every_model())
def test_every_model_equals_keras(name, tmp_path):
    model, path = settled(every_model()[name]()), tmp_path / "model"
    write(model, path)
    runtime = Runtime(path)
    differences = [difference(model, runtime, photos(*size)) for size in SIZES]
    print(f"openvino {name}: {max(differences):.1e}")
    assert np.max(differences) < 1e-4

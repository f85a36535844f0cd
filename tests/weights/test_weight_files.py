import sys

import numpy as np
import pytest

import kseg

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

ARRAYS = {
    "conv.weight": np.arange(24, dtype="float32").reshape(2, 3, 4).transpose(2, 0, 1),
    "norm.num_batches_tracked": np.array(7, "int64"),
    "half": np.array([0.5, 2.0], "float16"),
}


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.pt"])
def test_read_inverts_write(name, tmp_path):
    kseg.weights.write(tmp_path / name, ARRAYS)
    actual = kseg.weights.read(str(tmp_path / name))
    assert set(actual) == set(ARRAYS)
    for key, array in ARRAYS.items():
        assert (actual[key].dtype, actual[key].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(actual[key], array)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_bfloat16_comes_as_float32(name, tmp_path):
    from safetensors.torch import save_file

    tensors = {"x": torch.tensor([1.0, 0.1], dtype=torch.bfloat16)}
    (save_file if name.endswith("safetensors") else torch.save)(tensors, tmp_path / name)
    x = kseg.weights.read(tmp_path / name)["x"]
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [1.0, 0.10009765625])  # 0.1 to 8 bits: 205 / 2048


def test_other_projects_read_what_is_written(tmp_path):
    from safetensors.torch import load_file

    kseg.weights.write(tmp_path / "w.safetensors", ARRAYS)
    kseg.weights.write(tmp_path / "w.pth", ARRAYS)
    pickled = torch.load(tmp_path / "w.pth", weights_only=True)
    for tensors in (load_file(tmp_path / "w.safetensors"), pickled):
        for key, array in ARRAYS.items():
            np.testing.assert_array_equal(tensors[key].numpy(), array)


class Stranger:
    """An object that a harmless file of tensors would not hold."""


@pytest.mark.parametrize(
    "content, part",
    [
        ({"model": {"w": torch.zeros(1)}, "epoch": 3}, "keys ['model', 'epoch']"),
        ([torch.zeros(1)], "list"),
        ({"w": torch.zeros(1), "object": Stranger()}, "tensors alone"),
    ],
)
def test_a_pickle_of_more_than_tensors_is_refused(content, part, tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save(content, path)
    with pytest.raises(ValueError) as error:
        kseg.weights.read(path)
    assert str(path) in str(error.value) and part in str(error.value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("content", [b"", b"\x80\x00", b"not weights at all" * 10])
def test_a_damaged_file_is_named(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        kseg.weights.read(path)
    assert str(path) in str(error.value)


def test_a_truncated_file_is_named(tmp_path):
    for name in ("w.safetensors", "w.pth"):
        path = tmp_path / name
        kseg.weights.write(path, {"w": np.zeros(1000, "float32")})
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(ValueError) as error:
            kseg.weights.read(path)
        assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth': expected an existing weights file"):
        kseg.weights.read(tmp_path / "none.pth")


def test_other_suffixes_are_refused(tmp_path):
    for call in (lambda p: kseg.weights.read(p), lambda p: kseg.weights.write(p, {})):
        with pytest.raises(ValueError, match="w.h5': expected a file that ends in .safetensors"):
            call(tmp_path / "w.h5")


@pytest.mark.parametrize("tensors", [[np.zeros(1)], {"w": [0.0]}, {1: np.zeros(1)}])
def test_only_named_arrays_are_written(tensors, tmp_path):
    with pytest.raises(TypeError, match="name -> NumPy array"):
        kseg.weights.write(tmp_path / "w.safetensors", tensors)


@pytest.mark.parametrize(
    "name, package, hint",
    [("w.safetensors", "safetensors", "extra weights"), ("w.pth", "torch", "extra torch")],
)
def test_a_missing_package_is_named(name, package, hint, tmp_path, monkeypatch):
    kseg.weights.write(tmp_path / name, ARRAYS)
    for module in (package, f"{package}.numpy"):
        monkeypatch.setitem(sys.modules, module, None)  # an import of it fails
    with pytest.raises(ImportError) as error:
        kseg.weights.read(tmp_path / name)
    message = str(error.value)
    assert f"needs {package}, which is not installed" in message
    assert hint in message and str(tmp_path / name) in message

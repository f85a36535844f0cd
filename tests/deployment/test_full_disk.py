"""Exports onto a full disk: the message names the place, and nothing half-written is left."""

import errno
import os
import re
from pathlib import Path

import pytest

import kseg
from kseg.base.atomic import Unwritten
from kseg.cli.main import main

pytestmark = pytest.mark.once("torch")
FULL = os.strerror(errno.ENOSPC)
FORMATS = {
    "saved_model": ("models", "saved_model", "models/unet"),
    "onnx": ("deep/m.onnx", "onnx", "deep/m.onnx"),
    "openvino": ("deep/m", "openvino", "deep/m"),
}
# What raises it: Python, TensorFlow, or the other process, of which the last words are known
ERRORS = {
    "python": lambda path: OSError(errno.ENOSPC, FULL, str(path)),
    "tensorflow": lambda path: RuntimeError(f"RESOURCE_EXHAUSTED: {path}; {FULL}"),
    "process": lambda path: RuntimeError(f"ended with code 1.\nOSError: [Errno 28] {FULL}"),
}


@pytest.fixture(scope="module")
def model():
    return kseg.build_unet(2, width=2, depth=1, compile=False)


@pytest.fixture
def full(monkeypatch):
    """Function of a kind of error, after which writers write some bytes, and then raise it."""

    def full(kind):
        def write(function, model, *, path, **asked):
            path = Path(path)
            file = path / "half" if path.is_dir() else path
            file.write_bytes(b"half")
            raise ERRORS[kind](file)

        for module in ("saved_model.export", "formats.network"):
            monkeypatch.setattr(f"kseg.deployment.{module}.on_tensorflow", write)

    return full


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_half_written_is_left(tmp_path, model, full, format, kind):
    full(kind)
    path, options, named = FORMATS[format]
    message = f"{str(tmp_path / named)!r} cannot be written: {FULL}. Nothing half-written is left. "
    with pytest.raises(Unwritten, match=re.escape(message) + "Make room there, or choose another"):
        kseg.export(model, tmp_path / path, options, verbose=False)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("format", FORMATS)
def test_where_not_even_a_folder_can_be_made(tmp_path, model, monkeypatch, format):
    path, options, named = FORMATS[format]

    def none(*given, **options):
        raise ERRORS["python"](tmp_path)

    monkeypatch.setattr("tempfile.mkdtemp", none)
    with pytest.raises(Unwritten, match=re.escape(str(tmp_path / named)) + ".*Nothing half-"):
        kseg.export(model, tmp_path / path, options, verbose=False)
    assert os.listdir(tmp_path) == []


def test_what_was_there_stays(tmp_path, model, full):
    """The versions before it, and a file that was to be replaced."""
    full("python")
    (tmp_path / "models/unet/3").mkdir(parents=True)
    (tmp_path / "m.onnx").write_bytes(b"before")
    with pytest.raises(Unwritten):
        kseg.export(model, tmp_path / "models", verbose=False)
    with pytest.raises(Unwritten):
        kseg.export(model, tmp_path / "m.onnx", overwrite=True, verbose=False)
    assert os.listdir(tmp_path / "models/unet") == ["3"]
    assert (tmp_path / "m.onnx").read_bytes() == b"before"


def test_the_command_says_it_in_a_line(tmp_path, model, full, capsys):
    full("python")
    model.save(tmp_path / "mine.keras")
    code = main(["export", str(tmp_path / "mine.keras"), str(tmp_path / "models")])
    said = capsys.readouterr().err.strip()
    assert code != 0 and "\n" not in said and f"cannot be written: {FULL}" in said
    assert os.listdir(tmp_path) == ["mine.keras"]

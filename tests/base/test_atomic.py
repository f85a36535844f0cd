"""Files that appear whole or not at all."""

import errno
import json
import os
from pathlib import Path

import pytest

from kseg.base.atomic import Unwritten, into, replacing, write_json


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".txt"
        temporary.write_text("half")
        assert path.read_text() == "before"
    assert path.read_text() == "half" and [*tmp_path.iterdir()] == [path]


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before" and [*tmp_path.iterdir()] == [path]


def test_json_makes_its_folder(tmp_path):
    path = tmp_path / "deep" / "a.json"
    write_json(path, {"a": [1, None]})
    assert json.loads(path.read_text()) == {"a": [1, None]}
    assert path.read_text() == '{\n "a": [\n  1,\n  null\n ]\n}\n'  # a line a value, for diffs


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_of_the_file(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"a": 1})
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="a.json' cannot be written: No space left on device"):
        write_json(tmp_path / "a.json", {"a": 2})
    monkeypatch.undo()
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unwritten, match="b.json' cannot be written: .*file' is no folder"):
        write_json(tmp_path / "file" / "b.json", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unwritten, match="folder' cannot be written: Is a directory"):
        write_json(tmp_path / "folder", {})
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_errors_of_libraries_about_room_are_said_of_what_is_written():
    with pytest.raises(Unwritten, match="'models/street' cannot be written: No space left"):
        with into("models/street"):
            raise RuntimeError("h5: write failed, errno = 28, 'No space left on device'")
    with pytest.raises(RuntimeError, match="^another$"), into("models/street"):
        raise RuntimeError("another")

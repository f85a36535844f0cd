"""Files that appear whole or not at all."""

import json

import pytest

from kseg.base.atomic import replacing, write_json


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

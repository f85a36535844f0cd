"""What waits for an import happens once, after it, and only then."""

import contextlib
import importlib.resources
import importlib.util
import sys

import pytest

from kseg.base.imports import when_imported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is not imported yet."""
    name = "imported_by_a_test"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(
        "import sys\nVALUE = 7\nif BROKEN: raise OSError\n"
    )
    (tmp_path / name / "note.txt").write_text("kept")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.BROKEN", False, raising=False)
    finders = list(sys.meta_path)
    yield name
    sys.modules.pop(name, None)
    assert sys.meta_path == finders


def test_it_waits_for_the_import(package):
    seen = []
    when_imported(package, lambda: seen.append(sys.modules[package].VALUE))
    assert importlib.util.find_spec(package) is not None  # to look for it is no import
    assert importlib.util.find_spec("nothing_of_this_name") is None and seen == []
    module = importlib.import_module(package)
    assert seen == [7]
    assert importlib.resources.files(module).joinpath("note.txt").read_text() == "kept"
    importlib.reload(module)
    assert seen == [7]


def test_an_import_that_fails_is_none(package, monkeypatch):
    seen = []
    when_imported(package, lambda: seen.append(1))
    monkeypatch.setattr("builtins.BROKEN", True)
    with pytest.raises(OSError):
        importlib.import_module(package)
    monkeypatch.setattr("builtins.BROKEN", False)
    assert seen == []
    importlib.import_module(package)
    assert seen == [1]


def test_several_wait_for_one_package(package):
    seen = []
    for number in range(3):
        when_imported(package, lambda number=number: seen.append(number))
    __import__(package)
    assert sorted(seen) == [0, 1, 2]


def test_a_package_is_executed_within(package):
    events = []

    @contextlib.contextmanager
    def within():
        events.append("before")
        yield
        events.append(sys.modules[package].__name__)

    when_imported(package, lambda: events.append("action"), within=within)
    __import__(package)
    assert events == ["before", package, "action"]

"""Every model has the checks of `models.contract`."""

import importlib
from pathlib import Path

from models.contract import ModelContract

import kseg


def subclasses(of):
    return [each for kind in of.__subclasses__() for each in (kind, *subclasses(kind))]


def test_every_builder_of_kseg_has_a_subclass():
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(path.stem)
    checked = {
        kind.builder for kind in subclasses(ModelContract) if kind.__name__.startswith("Test")
    }
    assert checked == {name for name in kseg.__all__ if name.startswith("build_")}
    assert all(callable(getattr(kseg, name)) for name in checked)

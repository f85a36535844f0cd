"""Whatever kseg's texts call by name is there: modules, functions, files of the project."""

import functools
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("kseg", "tests", "examples", "benchmarks", "docs")
TEXTS = sorted(
    path
    for pattern in ("*.py", "*.md", "*.cfg", "*.ini", "*.html")
    for folder in FOLDERS
    for path in (ROOT / folder).rglob(pattern)
) + [ROOT / name for name in ("README.md", "setup.cfg", "tox.ini")]
DOTTED = re.compile(r"(?<![\w./@-])kseg(?:\.[A-Za-z_]\w*)+")
PATHS = re.compile(
    r"(?<![\w./-])(?:kseg/[\w/]+(?:\.py)?|(?:benchmarks|docs|examples|tests)/[\w/-]+\.(?:ipynb|md|py)\b)"
)
# Not names of the package: files that somebody makes, and names that are to be missing.
OTHER = (
    "kseg.build_",
    "kseg.data.check",
    "kseg.io",
    "kseg.json",
    "kseg.nothing",
    "kseg.prediction.brightness",
    "kseg.report.overlay",  # tests/stored/make_stored.py runs with the kseg of before
)


@functools.cache
def known(name):
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        try:
            for part in parts[count:]:
                thing = getattr(thing, part)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.once("torch")
def test_names_exist():
    absent = []
    for path in TEXTS:
        text = path.read_text()
        dotted = {name for name in DOTTED.findall(text) if not name.startswith(OTHER)}
        paths = {name for name in PATHS.findall(text) if "NAME" not in name}  # tests/test_NAME.py
        absent += [(path, name) for name in sorted(dotted) if not known(name)]
        absent += [(path, name) for name in sorted(paths) if not (ROOT / name.rstrip("/")).exists()]
    assert absent == []

"""The website of docs/ builds offline without a warning; its reference has every public name."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import griffe
import pytest

import kseg

ROOT = Path(__file__).resolve().parents[1]
# Public names that are no entry of their own.
MODULES = ("data", "losses", "metrics", "models", "pictures", "reports", "weights")

pytestmark = pytest.mark.backends("torch", reason="no backend has a part in it")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built website."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(
        [*command, "--config-file", str(ROOT / "docs" / "website" / "mkdocs.yml")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there(site):
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / page.stem / "index.html").is_file()
    for name in ("index.html", "changelog/index.html", "benchmarks/index.html"):
        assert (site / name).is_file()


def test_the_reference_has_every_public_name(site):
    pages = "".join(path.read_text() for path in (site / "reference").rglob("*.html"))
    entries = set(re.findall(r'id="(kseg[\w.]*)"', pages))
    public = {f"kseg.{name}" for name in kseg.__all__ if name not in (*MODULES, "__version__")}
    rooms = {f"kseg.{name}": getattr(kseg, name) for name in MODULES}
    rooms["kseg.data.transforms"] = kseg.data.transforms
    for room, module in rooms.items():
        for name in getattr(module, "__all__", ()):
            if name not in kseg.__all__ and not isinstance(getattr(module, name), ModuleType):
                public.add(f"{room}.{name}")
    assert len(public) > 80
    assert public - entries == set()


def test_examples_are_code(site):
    """`>>>` at the margin would be quotations within quotations to Markdown."""
    for path in (site / "reference").rglob("*.html"):
        text = path.read_text()
        assert "<blockquote>" not in text, path
    losses = (site / "reference" / "losses" / "index.html").read_text()
    assert losses.count("&gt;&gt;&gt;") > 20


def test_nothing_is_fetched_from_elsewhere(site):
    for path in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link)[^>]+(?:src|href)="(\w+://[^"]+)"', path.read_text()
        )
        assert loaded == [], path


def documented(within):
    """Every function and class with a docstring in a package as Griffe reads it."""
    for member in within.members.values():
        if member.is_alias:
            continue
        if member.is_module or member.is_class:
            yield from documented(member)
        if (member.is_function or member.is_class) and member.docstring:
            yield member


def test_arguments_that_docstrings_name_exist():
    package = griffe.load("kseg", search_paths=[str(ROOT)])
    wrong, count = [], 0
    for each in documented(package):
        taken = {parameter.name.lstrip("*") for parameter in each.parameters} or {*each.members}
        for section in each.docstring.parse("google", warnings=False):
            if section.kind is not griffe.DocstringSectionKind.parameters:
                continue
            names = [name.lstrip("*") for entry in section.value for name in entry.name.split(", ")]
            count += len(names)
            wrong += [f"{each.path}: {name}" for name in names if name not in taken]
    assert wrong == []
    assert count > 1000

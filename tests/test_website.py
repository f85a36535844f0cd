"""The website of docs/ builds offline without a warning; its reference has every public name."""

import re
import subprocess
import sys
from pathlib import Path

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
    public = [f"kseg.{name}" for name in kseg.__all__ if name not in (*MODULES, "__version__")]
    for room in MODULES:
        module = getattr(kseg, room)
        if hasattr(module, "__all__"):
            public += [f"kseg.{room}.{name}" for name in module.__all__ if name != "torchvision"]
    public += [f"kseg.data.transforms.{name}" for name in kseg.data.transforms.__all__]
    shown = entries | {name.replace("kseg.models.build_", "kseg.build_") for name in entries}
    hidden = [name for name in public if name.replace("models.build_", "build_") not in shown]
    assert hidden == []


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

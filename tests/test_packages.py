"""Source distribution and wheel are built, and the wheel alone runs, nothing else of kseg near."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from kseg.base.version import __version__

ROOT = Path(__file__).resolve().parents[1]
BUILT_FROM = ("setup.cfg", "setup.py", "README.md", "LICENSE", "kseg")

# What is done with the wheel, in one process, for Keras and TensorFlow take seconds to import.
TRIED = """
import sys
import kseg
from kseg.cli.main import main
assert kseg.__file__.startswith(sys.argv[1]), kseg.__file__
small = ["--width", "2", "--depth", "1", "--size", "32x32", "--epochs", "1"]
for command in (
    ["info"],
    ["check", "set", "--html", "findings.html"],
    ["fit", "set", "--run", "run", *small],
    ["predict", "set/images/p0.png", "-o", "out", "--run", "run"],
):
    assert main(command) == 0, command
"""

pytestmark = pytest.mark.once("torch")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with both; the wheel is built from the source distribution, which so is whole."""
    folder = tmp_path_factory.mktemp("packages")
    tree = folder / "tree"
    tree.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            hidden = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, tree / name, ignore=hidden)
        else:
            shutil.copy(ROOT / name, tree)
    run(["-m", "build", "--no-isolation", "--outdir", str(folder), str(tree)], folder)
    return folder


def run(arguments, folder, **variables):
    """Runs Python in a folder, as who has set no variable; fails with what it said."""
    ours = ("PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "PYTHONPATH" in variables:  # nothing but kseg's own words
        assert done.stderr == ""
    return done.stdout


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "kseg").rglob("*") if path.is_file()]
    package = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert held == package
    assert any(name.endswith(".html") for name in held)  # the pages' templates


def test_the_source_distribution_says_what_it_is(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"setup.cfg", "README.md", "LICENSE", "kseg/__init__.py"} <= names
    assert not [name for name in names if name.startswith(("tests", "docs", "benchmarks"))]


def test_the_wheel_alone_runs(built, pair_folders, tmp_path):
    (wheel,) = built.glob("*.whl")
    unpacked = tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(unpacked)
    pair_folders()
    printed = run(["-m", "kseg", "--version"], tmp_path, PYTHONPATH=str(unpacked))
    assert __version__ in printed
    printed = run(["-c", TRIED, str(unpacked)], tmp_path, PYTHONPATH=str(unpacked))
    assert "mean IoU" in printed and f"kseg {__version__}" in printed
    assert (tmp_path / "out" / "masks" / "p0.png").is_file()
    assert "<html" in (tmp_path / "findings.html").read_text()


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demo(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    unpacked = tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(unpacked)
    demo = ["-m", "kseg", "demo", "--run", "demo", "--epochs", "2"]
    printed = run(demo, tmp_path, PYTHONPATH=str(unpacked))
    assert "mean IoU" in printed and "Next, your own data" in printed
    run_folder = tmp_path / "demo"
    assert {path.name for path in run_folder.iterdir()} >= {
        "run.json",
        "best.keras",
        "validation.png",
        "curve.png",
        "evaluation.json",
    }
    assert len(list((run_folder / "predictions" / "overlays").iterdir())) == 8

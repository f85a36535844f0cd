"""What is said where a package of an extra is missing."""

import json
import re
import sys
from pathlib import Path

import pytest

from kseg.base import optional
from kseg.base.optional import import_package, install

ROOT = Path(__file__).resolve().parents[2]


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nobody", None)
    message = "format='x' needs nobody, which is not installed: it comes with kseg's extra x. Run: "
    with pytest.raises(ImportError, match=f"^{re.escape(message)}pip install -e ") as raised:
        import_package("nobody.part", "x", "format='x'")
    folder = re.search('-e "(.*)\\[x\\]"', str(raised.value)).group(1)
    assert (Path(folder) / "kseg" / "base" / "optional.py").is_file()


def test_a_package_that_is_there_is_imported():
    assert import_package("json.decoder", "x", "").__name__ == "json.decoder"


def test_the_command_goes_by_where_kseg_came_from(tmp_path, monkeypatch):
    monkeypatch.setattr(optional, "CHECKOUT", tmp_path)
    wheel = tmp_path / "my files" / "kseg-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    text = json.dumps({"url": wheel.as_uri(), "archive_info": {}})
    distribution = type("Distribution", (), {"read_text": lambda self, name: text})
    monkeypatch.setattr(optional.importlib.metadata, "distribution", lambda name: distribution())
    # a wheel that is gone since
    assert install("onnx").startswith('Run: pip install "PATH[onnx]", PATH being the folder')
    wheel.touch()
    assert install("onnx") == f'Run: pip install "{wheel}[onnx]"'
    (tmp_path / "setup.cfg").touch()
    assert install("onnx") == f'Run: pip install -e "{tmp_path}[onnx]"'


def test_nothing_installs_from_an_index_that_does_not_have_kseg():
    files = [ROOT / name for name in ("README.md", "CHANGELOG.md", "setup.cfg", "tox.ini")]
    for folder in ("kseg", "docs", "examples", "benchmarks", "tests"):
        for pattern in ("*.py", "*.md", "*.html", "*.ipynb", "*.txt"):
            files += (ROOT / folder).rglob(pattern)
    wrong = re.compile(r"pip3? install (-\S+ )*[\"']?kse" + "g")
    found = [str(file) for file in files if wrong.search(file.read_text())]
    assert found == []

"""Every example runs with --smoke, on generated scenes.

On one backend: they are calls of what is tested on each, but for the first one, which runs on all.
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
TRAINING = [path for path in EXAMPLES if path.stem != "serve_unet"]
EVERYWHERE = ("unet_camvid",)
once = pytest.mark.backends("torch", reason="the same calls on each, soonest here")


@pytest.mark.filterwarnings("default")  # as where a user runs it
@pytest.mark.parametrize(
    "example",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in EVERYWHERE else once)
        for path in TRAINING
    ],
)
def test_smoke(example, tmp_path, monkeypatch, capsys):
    """As `python EXAMPLE`, but in this process: to start one takes longer than most examples."""
    arguments = ["--smoke", "--run", tmp_path / "run"]
    monkeypatch.setattr(sys, "argv", [str(example), *map(str, arguments)])
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    assert "mean IoU" in printed or "mask AP" in printed
    assert (tmp_path / "run" / "last.keras").is_file()


def run(example, *arguments):
    return subprocess.run(
        [sys.executable, str(example), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
    )


def test_smoke_of_the_client(tmp_path):
    (client,) = set(EXAMPLES) - set(TRAINING)
    result = run(client, "--smoke", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "again in" in result.stderr  # the server was busy at first
    assert "3 masks as of kseg.predict, 1 file refused" in result.stdout
    assert (tmp_path / "a_overlay.jpg").is_file()


def test_a_client_without_a_server_gives_up(tmp_path):
    (client,) = set(EXAMPLES) - set(TRAINING)
    (tmp_path / "a.jpg").write_bytes(b"")
    url = "http://127.0.0.1:9/v1/models/unet"  # the port of "discard", where nothing listens
    result = run(client, url, tmp_path / "a.jpg", "--out", tmp_path, "--tries", 2)
    assert result.returncode == 1 and "Gave up after 2 tries" in result.stderr

"""Every example runs with --smoke, on generated scenes.

On one backend: they are calls of what is tested on each, but for the first one, which runs on all.
"""

import ast
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
(CLIENT,) = (path for path in EXAMPLES if path.stem == "serve_unet")
(RAY,) = (path for path in EXAMPLES if path.stem == "predict_with_ray")
TRAINING = [path for path in EXAMPLES if path not in (CLIENT, RAY)]
WITH_CARD = ("mask_rcnn_nuclei", "pretrained_camvid", "unet_brain")
LONG = (
    "mask_rcnn_nuclei",
    "unet_cityscapes",
    "unet_voc",
    "unet_tfds",
    "unet_coco",
    "unet_brain",
    "pretrained_camvid",
)  # others go the same way through other readers
once = pytest.mark.once("torch")


@pytest.mark.filterwarnings("default")  # as where a user runs it
@pytest.mark.parametrize(
    "example",
    [
        pytest.param(path, id=path.stem, marks=[once] + [pytest.mark.slow] * (path.stem in LONG))
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
    if example.stem in WITH_CARD:
        assert "## Limits" in (tmp_path / "run" / "card.md").read_text()


NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))


@pytest.mark.once("tensorflow")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(notebook, tmp_path, monkeypatch, capsys):
    """Its cells one after the other in this process, and what is shown of each, as Jupyter does it.

    No kernel: that would import all anew, and need packages that the cells do not.
    """
    monkeypatch.chdir(tmp_path)
    cells = json.loads(notebook.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    names, shown = {}, []
    for cell in code:
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, notebook.name, "exec"), names)
        if last is not None:
            shown.append(eval(compile(ast.Expression(last.value), notebook.name, "eval"), names))
    shown = [each for each in shown if each is not None]
    source, report, curve, scores, overlay, sheet, agreement = shown
    assert source._repr_html_().count("<img") == 4 and "0 kinds of errors" in report._repr_html_()
    assert scores["mean_iou"] > 0.8 and f">{scores['mean_iou']:.3f}</td>" in scores._repr_html_()
    assert all(len(np.unique(picture)) > 50 for picture in (curve, overlay, sheet))
    assert agreement > 0.999
    assert "epoch 3/3" in capsys.readouterr().out


def run(example, *arguments):
    return subprocess.run(
        [sys.executable, str(example), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.once("tensorflow")
def test_smoke_of_the_client(tmp_path):
    result = run(CLIENT, "--smoke", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "again in" in result.stderr  # the server was busy at first
    assert "3 masks as of kseg.predict, 1 file refused" in result.stdout
    assert (tmp_path / "a_overlay.jpg").is_file()


def test_a_client_without_a_server_gives_up(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    url = "http://127.0.0.1:9/v1/models/unet"  # the port of "discard", where nothing listens
    result = run(CLIENT, url, tmp_path / "a.jpg", "--out", tmp_path, "--tries", 2)
    assert result.returncode == 1 and "Gave up after 2 tries" in result.stderr


@pytest.mark.slow
@pytest.mark.once("torch")
def test_smoke_of_many_workers(tmp_path):
    pytest.importorskip("ray")
    result = run(RAY, "--smoke", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"6 masks in {tmp_path}, 0 photos refused" in result.stdout
    assert {path.name for path in tmp_path.glob("*.png")} == {f"val-0000{i}.png" for i in range(6)}
    result = run(RAY, "--smoke", "--out", tmp_path)
    assert (tmp_path / "found.csv").read_text().count("was there") == 6

"""The way from files to scores and masks on the command line, for every reader of files."""

import json

import numpy as np
import pytest
from data.tool_sets import SIZE, WRITERS
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data.spec import DataSpec

TINY = (*("--width", 2, "--depth", 1, "--size", "16x16"), *("--batch-size", 2, "--epochs", 1))


@pytest.mark.slow
@pytest.mark.once("torch")  # where nothing is compiled
@pytest.mark.parametrize("kind", WRITERS)
def test_from_files_to_scores_and_masks(kind, tmp_path, capsys):
    def said(*arguments):
        code = main([str(each) for each in arguments])
        printed = capsys.readouterr()
        assert code == 0, printed.out + printed.err
        return printed.out

    root, run = tmp_path / "set", tmp_path / "run"
    root.mkdir()
    WRITERS[kind](root)
    data = f"{kind}:{root}"
    said("check", data)
    said("fit", data, "--run", run, *TINY)
    printed = said("evaluate", run, "--json", tmp_path / "scores.json")
    scores, source = json.loads((tmp_path / "scores.json").read_text()), DataSpec(data).open("val")
    assert all(name in printed for name in source.class_names)
    model = kseg.Run.open(run).load_model()
    expected = kseg.evaluate(model, source)
    assert scores["mean_iou"] == pytest.approx(expected["mean_iou"], abs=1e-6)

    photo = source.files()[0]
    said("predict", photo, "--run", run, "-o", tmp_path / "out")
    (written,) = (tmp_path / "out" / "masks").iterdir()
    with Image.open(written) as mask:
        ids = np.asarray(mask)
    assert ids.shape == SIZE and ids.max() < source.num_classes
    np.testing.assert_array_equal(ids, kseg.predict(model, source[0]["image"]))

"""Some photos of a folder cannot be read: the others are predicted, and the bad ones are named."""

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.models.saving import save_model
from kseg.prediction.files import BadPhotos, predict_files


@pytest.fixture
def run(tmp_path):
    run = kseg.Run(tmp_path / "run", ("a", "b"), ((0, 0, 0), (9, 0, 0)), 255, {})
    run.write()
    save_model(kseg.build_unet(2, width=2, depth=1, compile=False), run.path / "best.keras")
    (tmp_path / "photos").mkdir()
    for name in "adz":
        image = np.full((8, 9, 3), ord(name), np.uint8)
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "photos" / "b.png").write_bytes(b"")
    (tmp_path / "photos" / "c.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return run


def results(tmp_path):
    return {path.stem for path in (tmp_path / "out").rglob("*.png") if "overlay" not in str(path)}


@pytest.mark.once("torch")
def test_the_others_are_predicted(run, tmp_path, capsys):
    arguments = ["predict", str(tmp_path / "photos"), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--run", str(run.path)]) == 1
    out, err = capsys.readouterr()
    assert "3 masks and overlays" in out
    first, second = [line for line in err.splitlines() if line.startswith("kseg: ")]
    assert "photos/b.png' cannot be read" in first and "photos/c.jpg' cannot be read" in second
    assert results(tmp_path) == {"a", "d", "z"}


def test_in_python_they_are_in_the_error(run, tmp_path):
    photos = sorted((tmp_path / "photos").iterdir())
    with pytest.raises(BadPhotos, match="2 photos cannot be read: .*b.png.*c.jpg") as raised:
        predict_files(kseg.load(run.path), photos, tmp_path / "out")
    assert [path.stem for path in raised.value.written] == ["a", "d", "z"]
    assert [error.subject for error in raised.value.errors] == [str(photos[1]), str(photos[2])]

"""Photos whose bands are files each: predicted as one array of them, however they are named."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.cli.predict import bands_of
from kseg.data.errors import DataError
from kseg.models.saving import save_model

pytestmark = pytest.mark.once("torch")

BANDS = ("red", "nir")
PATTERNS = ("red/red_{}.tif", "nir/nir_{}.tif")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two photos of 12 bits, a file a band."""
    root, rng = tmp_path_factory.mktemp("scenes"), np.random.default_rng(0)
    for band in BANDS:
        (root / band).mkdir()
        for name in "ab":
            numbers = rng.integers(0, 4096, (16, 24), dtype=np.uint16)
            tifffile.imwrite(root / band / f"{band}_{name}.tif", numbers)
    return root


def stacked(root, name):
    read = [tifffile.imread(root / band / f"{band}_{name}.tif") for band in BANDS]
    return np.stack(read, axis=-1)


def test_as_one_array(scenes, tmp_path):
    model = kseg.build_unet(3, input_shape=(None, None, 2), width=2, depth=1, value_range=(0, 4095))
    files = [tuple(str(scenes / b / f"{b}_{name}.tif") for b in BANDS) for name in "ab"]
    expected = [kseg.predict(model, stacked(scenes, name)) for name in "ab"]
    assert len({int(mask.sum()) for mask in expected}) == 2
    for found, mask in zip(kseg.predict(model, files), expected):
        np.testing.assert_array_equal(found, mask)
    other = kseg.predict(model, [files[0][::-1]])[0]
    assert (other != expected[0]).any()  # the order is that of the bands

    save_model(model, tmp_path / "m.keras")
    typed = "+".join(str(scenes / pattern) for pattern in PATTERNS)
    for number, photos in enumerate((typed, "+".join(files[0]))):
        out = tmp_path / str(number)
        assert main(["predict", photos, "-o", str(out), "--run", str(tmp_path / "m.keras")]) == 0
        written = sorted((out / "masks").iterdir())
        assert [file.stem for file in written] == ["red_a", "red_b"][: len(written)]
        for file, mask in zip(written, expected):
            np.testing.assert_array_equal(np.asarray(Image.open(file)), mask)
    assert len(written) == 1


def test_a_folder_by_the_patterns_of_the_run(scenes, tmp_path):
    found = bands_of(scenes, PATTERNS)
    assert [[file[-9:] for file in photo] for photo in found] == [
        ["red_a.tif", "nir_a.tif"],
        ["red_b.tif", "nir_b.tif"],
    ]
    for band in BANDS:  # in one folder
        (tmp_path / f"{band}_c.tif").write_bytes((scenes / band / f"{band}_a.tif").read_bytes())
    assert bands_of(tmp_path, PATTERNS) == [
        (str(tmp_path / "red_c.tif"), str(tmp_path / "nir_c.tif"))
    ]
    assert bands_of(scenes / "red", ()) == [] and bands_of(scenes / "red/red_a.tif", PATTERNS) == []
    (tmp_path / "nir_c.tif").rename(tmp_path / "nir_d.tif")
    with pytest.raises(FileNotFoundError, match=r"2 of 2 photos|1 of 2 photos have no file"):
        bands_of(tmp_path, PATTERNS)
    with pytest.raises(FileNotFoundError, match="no file of these patterns"):
        bands_of(Path(f"{tmp_path}/x_{{}}.tif+{tmp_path}/y_{{}}.tif"), ())
    with pytest.raises(ValueError, match="expected patterns of one kind"):
        bands_of(Path(f"{tmp_path}/x_{{}}.tif+y_{{}}.tif"), ())


def test_what_does_not_fit(scenes, tmp_path):
    model = kseg.build_unet(3, input_shape=(None, None, 2), width=2, depth=1, value_range=(0, 4095))
    red = str(scenes / "red/red_a.tif")
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((8, 24), np.uint16))
    for other, message in (
        (str(tmp_path / "small.tif"), r"is of \(8, 24\), and .*red_a.tif' of \(16, 24\)"),
        (str(tmp_path / "none.tif"), "none.tif' does not exist"),
    ):
        with pytest.raises(DataError, match=message):
            kseg.predict(model, [(red, other)])
    with pytest.raises(DataError, match="red_a.tif'.*1"):
        kseg.predict(model, red)

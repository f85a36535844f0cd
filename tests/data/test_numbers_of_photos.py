"""Bands, bits, ranges and clipping of the photos of every reader of files, by one mechanism."""

import shutil

import numpy as np
import pytest
import tifffile
from tool_sets import SIZE, WRITERS, converted, mask

import kseg
from kseg.cli.main import main
from kseg.data.bad_files import naming_bad_files
from kseg.data.errors import DataError
from kseg.data.spec import NUMBERS, OPTIONS, DataSpec

MOST = 4095


def with_five_bands(source, most=MOST):
    """Writes a TIFF of five bands, 12 bits, in place of each photo; returns their numbers."""
    written = []
    for index, path in enumerate(source.columns["image"]):
        numbers = np.random.default_rng(index).integers(0, most + 1, (*SIZE, 5), dtype=np.uint16)
        numbers[0, 0] = most
        tifffile.imwrite(path, numbers, photometric="minisblack")
        written.append(numbers)
    return written


def test_every_reader_of_files_is_here():
    assert {kind for kind, options in OPTIONS.items() if {*NUMBERS} <= {*options}} == {*WRITERS}


@pytest.mark.few("folder", "coco", "voc", "labelme")
@pytest.mark.parametrize("kind", WRITERS)
def test_five_bands_of_twelve_bits(tmp_path, kind):
    root = tmp_path / kind
    root.mkdir()
    WRITERS[kind](root)
    plain = DataSpec(f"{kind}:{root}").open("train")
    before = [plain[index]["label"] for index in range(len(plain))]
    written = with_five_bands(plain)
    source = DataSpec(f"{kind}:{root}", bits=12, bands=(4, 2, 0)).open("train")
    assert (source.channels, source.dtype) == (5, "uint16")
    assert (source.value_range, source.bands) == ((0, MOST), (4, 2, 0))
    for index, label in enumerate(before):
        sample = source[index]
        assert sample["image"].dtype == np.uint16
        np.testing.assert_array_equal(sample["image"], written[index])
        np.testing.assert_array_equal(sample["label"], label)
    with pytest.raises(ValueError, match="clip=True: expected False where no range is said"):
        DataSpec(f"{kind}:{root}", clip=True).open("train")
    with_five_bands(plain, most=5000)
    with pytest.raises(DataError, match=r"image.max\(\)=5000: .* hold files within it: clip=True"):
        with naming_bad_files(source):
            list(kseg.data.samples(source))
    clipped = DataSpec(f"{kind}:{root}", value_range=(0, MOST), clip=True).open("train")
    image = clipped[0]["image"]
    assert image.dtype == np.uint16 and image.max() == MOST
    np.testing.assert_array_equal(image, np.minimum(tifffile.imread(clipped.files()[0]), MOST))


@pytest.mark.parametrize("kind", ["coco", "yolo", "labelme", "via"])
def test_objects_too(tmp_path, kind):
    root = tmp_path / kind
    root.mkdir()
    if kind in ("labelme", "via"):
        WRITERS[kind](root)
    else:
        scenes = kseg.data.shapes("train", count=2, size=SIZE, instances=True)
        kseg.data.convert({"train": scenes, "val": scenes}, f"{kind}:{root}")
    plain = DataSpec(f"{kind}:{root}", instances=True).open("train")
    masks = [plain[index]["masks"] for index in range(len(plain))]
    written = with_five_bands(plain)
    again = DataSpec(f"{kind}:{root}", instances=True, bits=12).open("train")
    for index, of_photo in enumerate(masks):
        np.testing.assert_array_equal(again[index]["image"], written[index])
        np.testing.assert_array_equal(again[index]["masks"], of_photo)


def test_floats_and_ints_are_clipped_and_nan_is_not(tmp_path):
    root = tmp_path / "set"
    converted("folder")(root)
    plain = DataSpec(f"folder:{root}").open("train")
    for path, numbers in (
        (plain.columns["image"][0], np.full((*SIZE, 2), 1.5, np.float32)),
        (plain.columns["image"][1], np.full((*SIZE, 2), -0.25, np.float32)),
    ):
        numbers[0, 0] = 0.5
        tifffile.imwrite(path, numbers, photometric="minisblack")
    said = {"value_range": (0, 1), "clip": True}
    source = DataSpec(f"folder:{root}", **said).open("train")
    assert [source[i]["image"][1, 1].tolist() for i in (0, 1)] == [[1.0, 1.0], [0.0, 0.0]]
    assert source[0]["image"][0, 0].tolist() == [0.5, 0.5]
    numbers[3, 3] = np.nan
    tifffile.imwrite(plain.columns["image"][1], numbers, photometric="minisblack")
    with pytest.raises(DataError, match="nan"):
        with naming_bad_files(source):
            list(kseg.data.samples(source))


def test_bands_in_files_of_their_own(tmp_path, capsys):
    """As 38-Cloud has them: a folder for each band."""
    written = []
    for index in range(3):
        numbers = np.random.default_rng(index).integers(0, 1024, (*SIZE, 2), dtype=np.uint16)
        for band, name in enumerate(("red", "nir")):
            path = tmp_path / f"train_{name}" / f"{name}_patch_{index}.TIF"
            path.parent.mkdir(exist_ok=True)
            tifffile.imwrite(path, numbers[..., band])
        mask(tmp_path / "train_gt" / f"gt_patch_{index}.TIF")
        written.append(numbers)
    bands = [tmp_path / f"train_{name}/{name}_{{}}.TIF" for name in ("red", "nir")]
    names = ["ground", "cloud"]
    source = kseg.data.folder(bands, tmp_path / "train_gt/gt_{}.TIF", names, bits=10, bands=(1,))
    assert source.ids == ("patch_0", "patch_1", "patch_2") and source.channels == 2
    for index, numbers in enumerate(written):
        np.testing.assert_array_equal(source[index]["image"], numbers)
    patterns = "train_red/red_{}.TIF+train_nir/nir_{}.TIF,train_gt/gt_{}.TIF"
    command = ["check", f"folder:{tmp_path}", "--pairs", patterns, "--classes", "ground,cloud"]
    assert main([*command, "--bits", "10", "--bands", "1"]) == 0
    assert main([*command, "--bits", "9"]) == 1
    assert "--clip" in capsys.readouterr().out
    assert main([*command, "--bits", "9", "--clip"]) == 0
    (tmp_path / "train_nir" / "nir_patch_1.TIF").unlink()
    assert main([*command, "--bits", "10"]) == 1
    with pytest.raises(FileNotFoundError, match="1 of 3 photos have no file") as raised:
        kseg.data.folder(bands, tmp_path / "train_gt/gt_{}.TIF", names, bits=10, probe=False)
    assert raised.value.rest.ids == ("patch_0", "patch_2")
    shutil.rmtree(tmp_path / "train_nir")
    with pytest.raises(FileNotFoundError, match="No file in .* is of the pattern 'train_nir"):
        kseg.data.folder(bands, tmp_path / "train_gt/gt_{}.TIF", names)

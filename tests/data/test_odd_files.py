"""What people really have in their folders: read as it is meant, or refused by name."""

import json
import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data.bad_files import naming_bad_files
from kseg.data.cache import fingerprint
from kseg.data.errors import DataError, MissingData

SIZE = (20, 30)
NAMES = ["ground", "cell"]
LABEL = np.zeros(SIZE, np.uint8)
LABEL[4:9, 5:20] = 1


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def root(tmp_path, rng):
    save(tmp_path / "images" / "a.png", rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8))
    (tmp_path / "masks").mkdir()
    return tmp_path


def label_of(root, **given):
    source = kseg.data.folder(root / "images", root / "masks", NAMES, **given)
    with naming_bad_files(source):
        (sample,) = kseg.data.samples(source)
    return sample["label"]


def test_names_stored_in_two_ways_are_one(root):
    """As after a copy from macOS: a letter and its mark are one sign, or two."""
    one, two = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    (root / "images" / "a.png").rename(root / "images" / f"{one}.png")
    save(root / "masks" / f"{two}.png", LABEL)
    np.testing.assert_array_equal(label_of(root), LABEL)
    source = kseg.data.folder(root / "images/{}.png", root / "masks/{}.png", NAMES)
    np.testing.assert_array_equal(source[0]["label"], LABEL)


def test_two_masks_of_one_photo_are_refused(root):
    save(root / "masks" / "a.png", LABEL)
    np.save(root / "masks" / "a.npy", 1 - LABEL)
    with pytest.raises(DataError, match=r"a.npy' and '.*a.png' are of one photo: expected one"):
        label_of(root)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.bool_])
def test_ids_of_any_type(root, kind):
    np.save(root / "masks" / "a.npy", LABEL.astype(kind))
    np.testing.assert_array_equal(label_of(root), LABEL)
    (root / "masks" / "a.npy").unlink()
    if kind is not np.bool_:
        tifffile.imwrite(root / "masks" / "a.tif", LABEL.astype(kind))
        np.testing.assert_array_equal(label_of(root), LABEL)


def test_a_void_below_zero(root):
    """No data of a raster, -9999 or -1, are void if it is said."""
    stored = LABEL.astype(np.int16)
    stored[0] = -9999
    tifffile.imwrite(root / "masks" / "a.tif", stored)
    label = label_of(root, void_values=(-9999,))
    np.testing.assert_array_equal(label[1:], LABEL[1:])
    assert (label[0] == 255).all()
    with pytest.raises(DataError, match="the value -9999, which is no class"):
        label_of(root)
    stored[0] = -1
    tifffile.imwrite(root / "masks" / "a.tif", stored)
    with pytest.raises(DataError, match="holds the value -1"):
        label_of(root, void_values=(-9999,))


def test_folders_that_nobody_sees(tmp_path, rng):
    bowl, several = tmp_path / "bowl", tmp_path / "several"
    photo = rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    for name in "ab":
        save(bowl / name / "images" / f"{name}.png", photo)
        save(bowl / name / "masks" / "1.png", LABEL * 255)
        save(several / "images" / f"{name}.png", photo)
        save(several / "masks" / name / "cell.png", LABEL * 255)
    for folder in (bowl, several / "masks"):
        (folder / ".ipynb_checkpoints").mkdir()
    (bowl / "__MACOSX").mkdir()
    (several / "masks" / "a" / "._cell.png").write_bytes(b"of macOS")
    np.testing.assert_array_equal(kseg.data.folder(bowl, bowl, NAMES)[1]["label"], LABEL)
    source = kseg.data.folder(
        several / "images", several / "masks", ["cell"], multilabel=True, values=(0, 255)
    )
    np.testing.assert_array_equal(source[0]["label"][..., 0], LABEL)
    scenes = kseg.data.shapes("train", count=2, size=(32, 48))
    kseg.data.convert(scenes, f"cityscapes:{tmp_path / 'city'}")
    first = next((tmp_path / "city/leftImg8bit/train/kseg").iterdir())
    (first.parent / f"._{first.name}").write_bytes(b"of macOS")
    assert len(kseg.data.cityscapes(tmp_path / "city")) == 2


def test_poses_are_no_polygons(tmp_path, rng):
    """A box and two key points are eight numbers, as a polygon of four corners has them."""
    save(tmp_path / "images" / "a.png", rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.4 0.4 0.4 0.4 0.6 0.6\n")
    (tmp_path / "data.yaml").write_text("names: [person]\nkpt_shape: [2, 2]\n")
    with pytest.raises(DataError, match="has kpt_shape: these are boxes and key points"):
        kseg.data.yolo(tmp_path, None)


@pytest.mark.parametrize("kind", ["rectangle", "rotation", "quadrilateral", "oriented_rectangle"])
def test_four_corners_of_anylabeling(tmp_path, rng, kind):
    save(tmp_path / "a.png", rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8))
    points = [[5, 4], [20, 4], [20, 9], [5, 9]]
    shape = {"label": "cell", "points": points, "shape_type": kind}
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [shape], "imagePath": "a.png"}))
    np.testing.assert_array_equal(kseg.data.labelme(tmp_path)[0]["label"], LABEL)


def test_a_cache_knows_how_files_were_read(root, tmp_path):
    """Of the same files, read otherwise, it held the labels of the first time."""
    save(root / "masks" / "a.png", LABEL)

    def source(**given):
        return kseg.data.folder(root / "images", root / "masks", NAMES, **given)

    def labels(**given):
        batches = kseg.data.batches(source(**given), batch_size=1, cache=tmp_path / "cache")
        return next(iter(batches))[1].numpy()[0]

    np.testing.assert_array_equal(labels(), LABEL)
    np.testing.assert_array_equal(labels(values=(1, 0)), 1 - LABEL)
    np.testing.assert_array_equal(labels(), LABEL)
    assert fingerprint(source()) == fingerprint(source(values=(0, 1)))
    assert fingerprint(source()) != fingerprint(source(void_values=(7,)))
    ranged = [fingerprint(source(bits=12, clip=clip)) for clip in (False, True)]
    assert ranged[0] != ranged[1]


def test_an_archive_is_no_folder(tmp_path, capsys):
    (tmp_path / "set.zip").write_bytes(b"PK\x03\x04")
    for name in (str(tmp_path / "set.zip"), f"folder:{tmp_path / 'set.zip'}"):
        assert main(["check", name]) == 2
        assert "is a file: expected the folder of the data set. Unpack" in capsys.readouterr().err
    with pytest.raises(MissingData, match="none' does not exist"):
        kseg.data.spec.DataSpec(f"folder:{tmp_path / 'none'}").check()

"""CamVid, folders, and the Source they return."""

import dataclasses

import numpy as np
import pytest

import kseg
from kseg.base.colors import voc_colors
from kseg.checks.check import check_samples
from kseg.data.readers.camvid import CLASSES
from kseg.data.spec import DataSpec
from kseg.data.writers import layouts
from kseg.models.contract import check_source


def test_voc_palette():
    # the first entries of the palette in every Pascal VOC annotation file
    assert voc_colors(5) == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert voc_colors(21)[20] == (0, 64, 128)


def test_camvid_layout(write_image, tmp_path):
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_image("train/a.jpg", np.full((3, 4, 3), 90, np.uint8))
    write_image("trainannot/a.png", mask)
    source = kseg.data.camvid(tmp_path)
    assert source.num_classes == 11 and source.void == 255 and source.ids == ("a",)
    expected = np.where(mask == 11, 255, mask)
    np.testing.assert_array_equal(source[0]["label"], expected)
    assert source[0]["label"].dtype == np.uint8


def test_camvid_colors_are_the_published_ones():
    known = "808080 800000 c0c080 804080 3c28de 808000 c08080 404080 400080 404000 0080c0"
    assert [bytes(color).hex() for color in CLASSES.values()] == known.split()


def test_real_camvid(camvid_root):
    train, val = kseg.data.camvid(camvid_root), kseg.data.camvid(camvid_root, "val")
    assert (len(train), len(val)) == (367, 101)
    pixels = check_samples(val)
    assert (pixels > 0).all() and pixels.sum() < 101 * 360 * 480


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (3, 7)])
def test_folder_of_ids(pair_folders, values):
    root = pair_folders(values=values)
    source = kseg.data.folder(
        root / "images", root / "masks", ["ground", "object"], values=values, void_values=()
    )
    pixels = check_samples(source)
    assert pixels[1] == 6 * 16 * 16 and pixels.sum() == 6 * 40 * 56


def test_folder_of_colours(tmp_path, write_image):
    palette = [(0, 0, 0), (255, 0, 0), (0, 255, 0)]
    ids = np.array([[0, 1], [2, 1]])
    write_image("i/a.png", np.zeros((2, 2, 3), np.uint8))
    write_image("m/a.png", np.array(palette, np.uint8)[ids])
    source = kseg.data.folder(tmp_path / "i", tmp_path / "m", ["a", "b", "c"], palette=palette)
    np.testing.assert_array_equal(source[0]["label"], ids)
    assert source.colors == tuple(palette)


def test_split_is_a_partition(pair_folders):
    root = pair_folders(count=10)
    parts = [
        kseg.data.folder(root / "images", root / "masks", ["a", "b"], split=split, val_fraction=0.3)
        for split in ("train", "val")
    ]
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(parts[0].ids + parts[1].ids) == [f"p{i}" for i in range(10)]


def test_subset(pair_folders):
    root = pair_folders()
    source = kseg.data.folder(root / "images", root / "masks", ["a", "b"])
    part = source.subset([4, 1])
    assert part.ids == ("p4", "p1") and len(part) == 2
    np.testing.assert_array_equal(part[0]["image"], source[4]["image"])


def test_named(pair_folders, camvid_root, write_image):
    root = pair_folders()
    assert DataSpec(f"folder:{root}").open("train").class_names == ("ground", "object")
    assert len(DataSpec(f"camvid:{camvid_root}").open("val")) == 101
    assert DataSpec("shapes").open("val").num_classes == 6
    for spec in ("photos", "camvid", "coco:", "ade:x"):
        with pytest.raises(ValueError, match="camvid:PATH"):
            DataSpec(spec).open("train")
    with pytest.raises(FileNotFoundError, match="'nowhere' does not exist"):
        DataSpec("coco:nowhere").open("train")
    (root / "classes.txt").unlink()
    assert DataSpec(f"folder:{root}").open("train").class_names == ("background", "object")
    write_image("set/masks/p0.png", np.full((40, 56), 3, np.uint8))  # not 0 and 1 alone
    with pytest.raises(FileNotFoundError, match="classes.txt"):
        DataSpec(f"folder:{root}").open("train")


def test_named_sets_of_every_layout(tmp_path, monkeypatch):
    semantic = [kseg.data.shapes(split, count=3) for split in ("train", "val")]
    objects = [kseg.data.shapes(split, count=3, instances=True) for split in ("train", "val")]
    for split, labels, things in zip(("train", "val"), semantic, objects):
        layouts.write_voc(labels, tmp_path / "voc" / "VOC2012", split)
        layouts.write_cityscapes(labels, tmp_path / "city", split)
        annotations = tmp_path / "coco" / "annotations" / f"instances_{split}2017.json"
        layouts.write_coco(things, tmp_path / "coco" / f"{split}2017", annotations)
        kseg.data.write_records(labels, tmp_path / "records" / split)
    layouts.write_coco(objects[0], tmp_path / "one/images", tmp_path / "one/annotations.json")
    for spec, classes in (("voc", 21), ("city", 19), ("coco", 6), ("records", 6)):
        kind = "cityscapes" if spec == "city" else spec
        for split, labels in zip(("train", "val"), semantic):
            source = DataSpec(f"{kind}:{tmp_path / spec}").open(split)
            assert source.num_classes == classes and len(source) == 3
            assert source[1]["label"].shape == labels[1]["label"].shape
        with pytest.raises((FileNotFoundError, ValueError), match="test"):
            DataSpec(f"{kind}:{tmp_path / spec}").open("test")
    one = DataSpec(f"coco:{tmp_path / 'one'}", val_fraction=0.34)
    assert sorted(one.open("train").ids + one.open("val").ids) == sorted(objects[0].ids)
    monkeypatch.chdir(tmp_path)
    assert DataSpec("records:records").resolved().spec == f"records:{tmp_path / 'records'}"
    assert DataSpec("tfds:pets").resolved().spec == "tfds:pets"


def test_source_refuses_what_cannot_be(pair_folders):
    root = pair_folders()
    source = kseg.data.folder(root / "images", root / "masks", ["a", "b"])
    for change, part in (
        ({"ids": source.ids[:2]}, "one length"),
        ({"colors": source.colors[:1]}, r"len\(colors\)=1: expected 2"),
        ({"void": 1}, "void=1"),
        ({"columns": {}, "ids": ()}, r"ids=\(\): expected at least one sample"),
        ({"task": "two words"}, "task='two words': expected an identifier"),
        ({"task": None}, "task=None"),
    ):
        with pytest.raises(ValueError, match=part):
            dataclasses.replace(source, **change)


class TestMistakes:
    """Each mistake of a new user: one line that names the file or argument and the remedy."""

    def read(self, root, **arguments):
        source = kseg.data.folder(root / "images", root / "masks", ["a", "b"], **arguments)
        return check_samples(source)

    def refused(self, root, *parts, **arguments):
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            self.read(root, **arguments)
        for part in parts:
            assert part in str(error.value)
        assert "\n" not in str(error.value)

    def test_clean_set_passes(self, pair_folders):
        assert self.read(pair_folders()).sum() == 6 * 40 * 56

    def test_missing_folder(self, tmp_path):
        self.refused(tmp_path / "none", "images=", "does not exist")

    def test_empty_folder(self, tmp_path):
        (tmp_path / "images").mkdir()
        self.refused(tmp_path, "holds no file ending in")

    def test_image_without_mask(self, pair_folders):
        root = pair_folders()
        (root / "masks" / "p3.png").unlink()
        self.refused(root, "p3.png", "no mask")

    def test_mask_of_another_size(self, pair_folders, write_image):
        root = pair_folders()
        write_image("set/masks/p2.png", np.zeros((20, 28), np.uint8))
        self.refused(root, "p2.png", "28x20", "56x40")

    def test_id_beyond_the_classes(self, pair_folders, write_image):
        root = pair_folders()
        write_image("set/masks/p5.png", np.full((40, 56), 7, np.uint8))
        self.refused(root, "p5.png", "value 7", "0..1")

    def test_corrupt_jpeg(self, pair_folders, write_image):
        root = pair_folders()
        path = write_image("set/images/q.jpg", np.zeros((40, 56, 3), np.uint8))
        path.write_bytes(path.read_bytes()[:200])
        write_image("set/masks/q.png", np.zeros((40, 56), np.uint8))
        self.refused(root, "q.jpg", "cannot be read")

    def test_corrupt_mask(self, pair_folders):
        root = pair_folders()
        (root / "masks" / "p1.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
        self.refused(root, "p1.png", "cannot be read")

    def test_black_and_white_masks_taken_for_ids(self, pair_folders):
        self.refused(pair_folders(values=(0, 255)), "values=(0, 255)")

    def test_colour_masks_taken_for_ids(self, pair_folders, write_image):
        root = pair_folders(count=1)
        write_image("set/masks/p0.png", np.zeros((40, 56, 3), np.uint8))
        self.refused(root, "colour mask", "palette=")

    def test_wrong_number_of_values(self, pair_folders):
        self.refused(
            pair_folders(),
            "values=(0, 1, 2): expected one for each of the 2 class_names",
            values=(0, 1, 2),
        )

    def test_model_of_another_number_of_classes(self, pair_folders):
        root = pair_folders()
        source = kseg.data.folder(root / "images", root / "masks", ["a", "b"])
        model = kseg.build_unet(3, width=2, depth=1, compile=False)
        with pytest.raises(ValueError, match="3 classes but .* has 2"):
            check_source(model, source)
        check_source(kseg.build_unet(1, width=2, depth=1, compile=False), source)  # binary

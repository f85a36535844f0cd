"""Pascal VOC and SBD: pixel for pixel what the files hold, and no photo of val in training."""

import shutil

import numpy as np
import pytest
import scipy.io
from PIL import Image

import kseg
from kseg.data.errors import DataError
from kseg.data.sample import boxes_of
from kseg.data.spec import DataSpec
from kseg.data.writers.layouts import write_voc


def indices(path):
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.array(image)


@pytest.fixture
def scenes():
    return [kseg.data.shapes("val", count=4, size=(32, 48), instances=i) for i in (False, True)]


@pytest.fixture
def tree(scenes, tmp_path):
    """Photos val-00000, val-00001 in train; val-00002, val-00003 in val."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    semantic, instances = scenes
    for split, chosen in (("train", [0, 1]), ("val", [2, 3])):
        write_voc(semantic.subset(chosen), root, split, instances.subset(chosen))
    return root


def test_masks_in_the_colours_of_the_palette(tmp_path, same_eagerly):
    """As tools write them that know no palette: RGB, whose colours are the classes."""
    scenes = [kseg.data.shapes("val", count=2, size=(48, 64), instances=i) for i in (False, True)]
    write_voc(scenes[0], tmp_path / "VOC2012", "train", scenes[1])
    expected = [kseg.data.voc(tmp_path, "train", instances=i) for i in (False, True)]
    expected = [[source[i] for i in range(2)] for source in expected]
    for path in tmp_path.glob("VOC2012/Segmentation*/*.png"):
        Image.open(path).convert("RGB").save(path)
    labels = same_eagerly(kseg.data.voc(tmp_path, "train"))
    objects = same_eagerly(kseg.data.voc(tmp_path, "train", instances=True))
    for index in range(2):
        np.testing.assert_array_equal(labels[index]["label"], expected[0][index]["label"])
        found, right = objects[index], expected[1][index]
        pairs = [
            sorted((int(c), m.tobytes()) for c, m in zip(each["classes"], each["masks"]))
            for each in (found, right)
        ]
        assert pairs[0] == pairs[1] and not found["crowd"].any()


def test_real_masks_are_the_palette_indices(voc_root, same_eagerly):
    source = kseg.data.voc(voc_root, "trainval")
    assert len(source) == 4 and source.num_classes == 21 and source.void == 255
    for name, sample in zip(source.ids, same_eagerly(source)):
        label = indices(voc_root / "SegmentationClass" / f"{name}.png")
        np.testing.assert_array_equal(sample["label"], label)
        assert sample["label"].dtype == np.uint8
    assert kseg.data.voc(voc_root).ids == ("2007_000063", "2011_000003")
    assert kseg.data.voc(voc_root, "val").ids == ("2011_000006", "2011_000025")


def test_real_instances(voc_root, same_eagerly):
    source = kseg.data.voc(voc_root, "trainval", instances=True)
    assert source.class_names[0] == "aeroplane" and source.category_ids == tuple(range(1, 21))
    for name, sample in zip(source.ids, same_eagerly(source)):
        objects = indices(voc_root / "SegmentationObject" / f"{name}.png")
        label = indices(voc_root / "SegmentationClass" / f"{name}.png")
        keys = sorted(set(np.unique(objects)) - {0, 255})
        assert len(keys) == len(sample["masks"])
        for key, mask, class_id, box in zip(
            keys, sample["masks"], sample["classes"], sample["boxes"]
        ):
            np.testing.assert_array_equal(mask, objects == key)
            things = label[(objects == key) & (label != 0) & (label != 255)]
            assert np.bincount(things).argmax() == class_id + 1
            y, x = np.nonzero(mask)
            np.testing.assert_array_equal(box, [x.min(), y.min(), x.max() + 1, y.max() + 1])
        assert not sample["crowd"].any()
    names = [source.class_names[c] for c in source[0]["classes"]]
    assert sorted(names) == ["chair", "dog"]  # 2007_000063: a dog on a chair


def test_round_trip(tree, scenes, same_eagerly):
    for root in (tree, tree.parent, tree.parent.parent):
        assert kseg.data.voc(root, "val").ids == ("val-00002", "val-00003")
    semantic, instances = scenes
    for index, sample in enumerate(same_eagerly(kseg.data.voc(tree, "train"))):
        np.testing.assert_array_equal(sample["label"], semantic[index]["label"])
        wrong = np.abs(sample["image"] - semantic[index]["image"].astype(float))
        assert wrong.mean() < 8  # a JPEG of noisy scenes
    for index, sample in enumerate(same_eagerly(kseg.data.voc(tree, instances=True))):
        for key in ("masks", "classes", "boxes", "crowd"):
            np.testing.assert_array_equal(sample[key], instances[index][key])
        np.testing.assert_array_equal(sample["boxes"], boxes_of(sample["masks"]).numpy())


def test_no_object_at_all(tree):
    blank = Image.new("P", (48, 32))
    for kind in ("SegmentationClass", "SegmentationObject"):
        blank.save(tree / kind / "val-00002.png")
    sample = kseg.data.voc(tree, "val", instances=True)[0]
    assert sample["masks"].shape == (0, 32, 48) and sample["boxes"].shape == (0, 4)


class TestSBD:
    """`train` of these lists: a, and val-00002, which VOC holds out; `val`: b, and val-00000."""

    @pytest.fixture
    def sbd(self, tree, tmp_path, rng):
        savemat = scipy.io.savemat
        dataset = tmp_path / "benchmark_RELEASE" / "dataset"
        for folder in ("img", "cls", "inst"):
            (dataset / folder).mkdir(parents=True)
        for name in ("a", "b", "val-00000", "val-00002"):
            shutil.copy(tree / "JPEGImages" / "val-00000.jpg", dataset / "img" / f"{name}.jpg")
            objects = np.zeros((32, 48), np.uint8)
            objects[2:9, 3:30], objects[12:30, 20:40] = 1, 2
            kinds = rng.integers(1, 21, 2)
            label = np.array([0, *kinds], np.uint8)[objects]
            for folder, variable, mask in (("cls", "GTcls", label), ("inst", "GTinst", objects)):
                truth = {"Segmentation": mask, "Categories": kinds[:, None], "Boundaries": [[0]]}
                savemat(dataset / folder / f"{name}.mat", {variable: truth}, do_compression=True)
        (dataset / "train.txt").write_text("a\nval-00002\n")
        (dataset / "val.txt").write_text("b\nval-00000\n")
        return tmp_path / "benchmark_RELEASE"

    def test_train_aug_holds_nothing_of_val(self, tree, sbd):
        for given in (sbd, sbd.parent, sbd / "dataset"):
            source = kseg.data.voc(tree, sbd=given)
            assert source.ids == ("val-00000", "val-00001", "a", "b")
        # VOC's own mask stays where both have one
        np.testing.assert_array_equal(source[0]["label"], kseg.data.voc(tree)[0]["label"])
        assert kseg.data.voc(tree, "val", sbd=sbd).ids == kseg.data.voc(tree, "val").ids
        assert not list(sbd.rglob("*.tmp"))
        assert not list(sbd.rglob("val-*.png"))

    def test_masks_are_matlabs(self, tree, sbd, same_eagerly):
        loadmat = scipy.io.loadmat
        stored = loadmat(sbd / "dataset" / "cls" / "a.mat")["GTcls"]["Segmentation"][0, 0]
        np.testing.assert_array_equal(kseg.data.voc(tree, sbd=sbd)[2]["label"], stored)
        sample = same_eagerly(kseg.data.voc(tree, sbd=sbd, instances=True))[2]
        np.testing.assert_array_equal(sample["classes"] + 1, [stored[2, 3], stored[12, 20]])
        np.testing.assert_array_equal(sample["boxes"], [[3, 2, 30, 9], [20, 12, 40, 30]])

    def test_converted_once(self, tree, sbd):
        kseg.data.voc(tree, sbd=sbd)
        shutil.rmtree(sbd / "dataset" / "cls")
        (sbd / "dataset" / "cls").mkdir()
        assert len(kseg.data.voc(tree, sbd=sbd)) == 4

    def test_folder_of_pngs(self, tree, sbd):
        first = kseg.data.voc(tree, sbd=sbd)
        pngs = sbd / "dataset" / "kseg_png" / "cls"
        shutil.copy(tree / "SegmentationClass" / "val-00003.png", pngs)
        for name in ("a", "b"):
            shutil.copy(sbd / "dataset" / "img" / f"{name}.jpg", tree / "JPEGImages")
        second = kseg.data.voc(tree, sbd=pngs)
        assert second.ids == first.ids
        for one, other in zip(kseg.data.samples(first), kseg.data.samples(second)):
            np.testing.assert_array_equal(one["label"], other["label"])
        with pytest.raises(ValueError, match="masks of classes alone"):
            kseg.data.voc(tree, sbd=pngs, instances=True)

    def test_mistakes(self, tree, sbd, monkeypatch):
        (sbd / "dataset" / "cls" / "b.mat").write_bytes(b"MATLAB 5.0 MAT-file, broken")
        with pytest.raises(ValueError, match="b.mat.*GTcls.Segmentation"):
            kseg.data.voc(tree, sbd=sbd)
        (sbd / "dataset" / "cls" / "b.mat").unlink()
        with pytest.raises(FileNotFoundError, match="b.mat"):
            kseg.data.voc(tree, sbd=sbd)
        (sbd / "dataset" / "train.txt").unlink()
        with pytest.raises(FileNotFoundError, match="train.txt"):
            kseg.data.voc(tree, sbd=sbd)
        with pytest.raises(FileNotFoundError, match="sbd=.*benchmark_RELEASE"):
            kseg.data.voc(tree, sbd=tree)


def test_mistakes(tree, tmp_path):
    with pytest.raises(FileNotFoundError, match="root=.*VOCdevkit"):
        kseg.data.voc(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="VOC2007"):
        kseg.data.voc(tree.parent, year="2007")
    with pytest.raises(FileNotFoundError, match="test.txt.*train, val"):
        kseg.data.voc(tree, "test")
    (tree / "SegmentationClass" / "val-00001.png").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 4 .*SegmentationClass/val-00001.png"):
        kseg.data.voc(tree)
    (tree / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    with pytest.raises(ValueError, match="val.txt.*empty"):
        kseg.data.voc(tree, "val")


def test_bad_masks_are_named(tree):
    Image.fromarray(np.full((32, 48), 21, np.uint8)).save(
        tree / "SegmentationClass" / "val-00001.png"
    )
    with pytest.raises(Exception, match=r"val-00001.png.*value 21.*0\.\.20"):
        kseg.data.voc(tree)[1]
    Image.fromarray(np.zeros((32, 48), np.uint8)).save(tree / "SegmentationClass" / "val-00000.png")
    with pytest.raises(Exception, match="SegmentationObject/val-00000.png.*no pixel with a class"):
        kseg.data.voc(tree, instances=True)[0]
    Image.fromarray(np.zeros((30, 48), np.uint8)).save(
        tree / "SegmentationObject" / "val-00000.png"
    )
    with pytest.raises(
        Exception, match="SegmentationObject/val-00000.png.*mask is 48x30 but its image is 48x32"
    ):
        kseg.data.voc(tree, instances=True)[0]


def test_writer_refuses_what_does_not_fit(scenes, tmp_path):
    semantic, instances = scenes
    with pytest.raises(ValueError, match="source.task='instance': expected 'semantic'"):
        write_voc(instances, tmp_path, "train")


def test_other_classes_in_its_layout(tree):
    """A list of other names: read as VOC's, the first of them would be an aeroplane."""
    (tree / "classes.txt").write_text("background\naeroplane\nbicycle\n")
    assert kseg.data.voc(tree, "train").num_classes == 21
    (tree / "classes.txt").write_text("background\nroad\ncar\n")
    with pytest.raises(DataError, match="names other classes than Pascal VOC's: background, road"):
        kseg.data.voc(tree, "train")
    for path in (tree / "SegmentationClass").glob("*.png"):
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels == 255, 255, labels % 3).astype("uint8")).save(path)
    pairs = ("JPEGImages/{}.jpg", "SegmentationClass/{}.png")
    source = DataSpec(f"folder:{tree}", pairs=pairs).open("train")
    assert source.class_names == ("background", "road", "car") and len(source[0]["label"])

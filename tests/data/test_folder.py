"""Folders of every layout: classes, colours, objects; splits by sub-folder, list and ratio."""

import csv

import numpy as np
import pytest

import kseg
from kseg.data import folder
from kseg.data.spec import DataSpec

SIZE = (20, 30)


@pytest.fixture
def photos(write_image, rng):
    """Function that writes photos of these names into `images/`; returns their arrays."""

    def write(*names, folder="images"):
        arrays = {}
        for name in names:
            arrays[name] = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            write_image(f"{folder}/{name}.png", arrays[name])
        return arrays

    return write


@pytest.fixture
def numbered(rng):
    """Two objects on ground: (H, W) of 0, 7 and 300, the second cut by the first."""
    numbers = np.zeros(SIZE, np.uint16)
    numbers[2:12, 5:25] = 300
    numbers[8:15, 10:18] = 7
    return numbers


def test_instance_ids_of_16_bits(tmp_path, photos, write_image, numbered):
    photos("a", "b")
    write_image("masks/a.png", numbered)
    write_image("masks/b.png", np.zeros(SIZE, np.uint16))
    source = folder(tmp_path / "images", tmp_path / "masks", ["nucleus"], instances=True)
    assert source.task == "instance" and source.class_names == ("nucleus",)
    first, second = source[0], source[1]
    np.testing.assert_array_equal(first["masks"], [numbered == 7, numbered == 300])
    assert first["boxes"].tolist() == [[10, 8, 18, 15], [5, 2, 25, 12]]
    assert first["classes"].tolist() == [0, 0] and not first["crowd"].any()
    assert second["masks"].shape == (0, *SIZE) and second["boxes"].shape == (0, 4)
    for index, sample in enumerate(kseg.data.samples(source)):
        for key, value in source[index].items():
            np.testing.assert_array_equal(sample[key], value)
    label = folder(
        tmp_path / "images", tmp_path / "masks", ["ground", "nucleus"], stored="instances"
    )
    np.testing.assert_array_equal(label[0]["label"], numbered > 0)


def test_one_file_an_object(tmp_path, photos, write_image, numbered):
    photos("a", "b")
    for key in (7, 300):
        write_image(f"masks/a/{key:03}.png", np.where(numbered == key, 255, 0).astype(np.uint8))
    (tmp_path / "masks" / "b").mkdir()
    source = folder(tmp_path / "images", tmp_path / "masks", ["nucleus"], instances=True)
    np.testing.assert_array_equal(source[0]["masks"], [numbered == 7, numbered == 300])
    assert source[1]["masks"].shape == (0, *SIZE)
    assert [len(s["masks"]) for s in kseg.data.samples(source)] == [2, 0]
    label = folder(tmp_path / "images", tmp_path / "masks", ["ground", "nucleus"])
    np.testing.assert_array_equal(label[0]["label"], numbered > 0)
    assert not label[1]["label"].any()
    found = DataSpec(str(tmp_path), val_fraction=0.5).resolved()  # nobody says the classes
    assert found.class_names == ("background", "object") and found.values is None
    labels = {
        id_: sample["label"]
        for split in ("train", "val")
        for s in [found.open(split)]
        for id_, sample in zip(s.ids, kseg.data.samples(s))
    }
    np.testing.assert_array_equal(labels["a"], numbered > 0)


def test_the_layout_of_the_data_science_bowl(tmp_path, photos, write_image, numbered):
    for name in "mn":
        photos(name, folder=f"stage/{name}/images")
        for key in (7, 300):
            mask = np.where(numbered == key, 255, 0).astype(np.uint8)
            write_image(f"stage/{name}/masks/{key}.png", mask)
    source = folder(tmp_path / "stage", tmp_path / "stage", ["nucleus"], instances=True)
    assert source.ids == ("m", "n") and len(source[1]["masks"]) == 2
    found = DataSpec(str(tmp_path / "stage")).resolved()
    assert found.class_names == ("background", "object") and found.values is None
    for split in ("train", "val"):
        np.testing.assert_array_equal(found.open(split)[0]["label"], numbered > 0)
    objects = DataSpec(str(tmp_path / "stage"), class_names=("nucleus",), instances=True)
    assert len(objects.resolved().open("val")[0]["masks"]) == 2
    photos("again", folder="stage/m/images")
    with pytest.raises(ValueError, match="2 images"):
        folder(tmp_path / "stage", tmp_path / "stage", ["nucleus"], instances=True)


@pytest.mark.slow
@pytest.mark.once("torch")
def test_instances_feed_training(tmp_path, photos, write_image, numbered):
    photos("a", "b", "c")
    for name in "abc":
        write_image(f"masks/{name}.png", numbered)
    source = folder(tmp_path / "images", tmp_path / "masks", ["nucleus"], instances=True)
    ds = kseg.data.batches(source, batch_size=3, max_instances=4)
    ((images, objects),) = ds
    assert images["image"].shape == (3, *SIZE, 3) and objects["masks"].shape == (3, 4, *SIZE)
    assert images["size"].numpy().tolist() == [list(SIZE)] * 3
    assert objects["classes"].numpy().tolist() == [[0, 0, -1, -1]] * 3
    assert not objects["crowd"].numpy().any()
    np.testing.assert_array_equal(objects["masks"][1, 0], numbered == 7)
    np.testing.assert_array_equal(objects["boxes"][2, 1], [5, 2, 25, 12])
    ((_, one),) = kseg.data.batches(source, batch_size=3, max_instances=1)
    np.testing.assert_array_equal(one["masks"][0, 0], numbered > 0)  # all, as a crowd
    assert one["crowd"].numpy().all()
    for _, objects in kseg.data.batches(source, size=(16, 16), batch_size=2, augment=True):
        masks, boxes = objects["masks"].numpy(), objects["boxes"].numpy()
        for mask, box in zip(masks.reshape(-1, 16, 16), boxes.reshape(-1, 4)):
            y, x = np.nonzero(mask)
            expected = [x.min(), y.min(), x.max() + 1, y.max() + 1] if len(y) else [0, 0, 0, 0]
            assert box.tolist() == expected


def test_splits_by_subfolder(tmp_path, photos, write_image, rng):
    for split, names in (("train", "ab"), ("holdout", "c")):
        photos(*names, folder=f"images/{split}")
        for name in names:
            write_image(f"masks/{split}/{name}.png", rng.integers(0, 2, SIZE, dtype=np.uint8))
    arguments = (tmp_path / "images", tmp_path / "masks", ["ground", "object"])
    assert folder(*arguments, split="train").ids == ("a", "b")
    assert folder(*arguments, split="holdout").ids == ("c",)


def test_splits_by_list(tmp_path, photos, write_image, rng):
    photos("a", "b c", "d.e", "f")
    for name in ("a", "b c", "d.e", "f"):
        write_image(f"masks/{name}.png", rng.integers(0, 2, SIZE, dtype=np.uint8))
    arguments = (tmp_path / "images", tmp_path / "masks", ["ground", "object"])
    path = tmp_path / "train.txt"
    path.write_text("# mine\nf.png\n\nb c\nimages/d.e.png masks/d.e.png\n")
    assert folder(*arguments, list_file=path).ids == ("f", "b c", "d.e")
    for text, part in (
        ("a\nnowhere\n", "'nowhere'"),
        ("a\na.png\n", "'a' twice"),
        ("\n# none\n", "names no photo"),
    ):
        path.write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=part):
            folder(*arguments, list_file=path)
    path.write_bytes(b"\x80\x81")
    with pytest.raises(ValueError, match="no text file"):
        folder(*arguments, list_file=path)


def test_mistakes_in_sets_of_objects(tmp_path, photos, write_image, numbered):
    photos("a", "b")
    write_image("masks/a.png", numbered)
    write_image("masks/b.png", numbered)
    images, masks = tmp_path / "images", tmp_path / "masks"
    with pytest.raises(ValueError, match="class_names=.*expected 1 name, that of the object"):
        folder(images, masks, ["ground", "cell"], instances=True)
    with pytest.raises(ValueError, match="class_names=.*expected 2 names, ground and object"):
        folder(images, masks, ["cell"], stored="instances")
    with pytest.raises(ValueError, match="stored='ids'"):
        folder(images, masks, ["cell"], stored="ids")
    with pytest.raises(ValueError, match="palette="):
        folder(images, masks, ["cell"], palette=[(0, 0, 1)], instances=True)
    with pytest.raises(FileNotFoundError, match="same folder"):
        folder(images, images, ["cell"], instances=True)
    write_image("apart/a/1.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(FileNotFoundError, match="one mask for each object of .*b.png"):
        folder(images, tmp_path / "apart", ["cell"], instances=True)


def test_real_nuclei(dsb_root):
    source = folder(dsb_root / "images", dsb_root / "labels", ["nucleus"], instances=True)
    with open(dsb_root / "index.csv") as stream:
        rows = {row["id"]: int(row["n_instances"]) for row in csv.DictReader(stream)}
    assert len(source) == 404 and set(source.ids) == set(rows) and sum(rows.values()) == 12212
    some = source.subset(range(0, 404, 40))
    for name, sample in zip(some.ids, kseg.data.samples(some)):
        assert len(sample["masks"]) == rows[name]
        assert (sample["masks"].sum(axis=0) <= 1).all()


@pytest.mark.slow
def test_all_real_nuclei(dsb_root):
    source = folder(dsb_root / "images", dsb_root / "labels", ["nucleus"], instances=True)
    assert sum(len(sample["masks"]) for sample in kseg.data.samples(source)) == 12212

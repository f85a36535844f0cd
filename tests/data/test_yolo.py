"""YOLO's text files of polygons: every value as it was written, each mistake by its line."""

import numpy as np
import pytest
from data.tool_sets import area, inside, photo, square, yolo_line

import kseg
from kseg.data.spec import DataSpec

pytest.importorskip("pycocotools", reason="needs the extra coco")

TWO = [yolo_line(0, square(5, 6, 20)), yolo_line(1, square(15, 16, 8))]


def written(root, names="abcd", folder="{}/images", lines=TWO, yaml="names: [cell, nucleus]\n"):
    for name in names:
        split = "train" if name < "d" else "valid"
        path = root / folder.format(split) / f"{name}.jpg"
        photo(path, seed=ord(name))
        text = root / folder.format(split).replace("images", "labels") / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join(lines) + "\n")
    if yaml:
        (root / "data.yaml").write_text(yaml)
    return root


@pytest.mark.parametrize(
    "folder, yaml",
    [
        ("{}/images", "train: ../train/images\nval: ../valid/images\nnames: [cell, nucleus]\n"),
        (
            "images/{}",
            "path: .\ntrain: images/train\nval: images/valid\nnames: {0: cell, 1: nucleus}",
        ),
        ("{}/images", "names: [cell, nucleus]\n"),
    ],
)
def test_layouts(tmp_path, same_eagerly, folder, yaml):
    root = written(tmp_path / "set", folder=folder, yaml=yaml)
    train, val = (kseg.data.yolo(root, split) for split in ("train", "val"))
    assert (train.ids, val.ids) == (("a", "b", "c"), ("d",))
    assert train.class_names == ("background", "cell", "nucleus")
    label = same_eagerly(train)[0]["label"]
    assert area(label > 0) == inside(5, 6, 20) and area(label == 2) == inside(15, 16, 8)
    objects = kseg.data.yolo(root, "train", instances=True)
    sample = same_eagerly(objects)[0]
    assert objects.class_names == ("cell", "nucleus") and sample["classes"].tolist() == [0, 1]
    assert [area(mask) for mask in sample["masks"]] == [inside(5, 6, 20), inside(15, 16, 8)]
    found = DataSpec(str(root)).resolved()
    assert found.kind == "yolo" and len(found.open("val")) == 1


NAMED = "names: [cell, nucleus]\n"


@pytest.mark.parametrize(
    "yaml, names",
    [
        ("train: images/train\nval: images/valid\nnames: {'0': cell, '1': nucleus}", None),
        ("train: images/train\nval: images/valid\nnc: 2", ("class_0", "class_1")),
        ("train: /content/set/images/train\nval: /content/set/images/valid\n" + NAMED, None),
        ("path: /content/set\ntrain: [images/train]\nval: [images/valid]\n" + NAMED, None),
        ("train: C:\\set\\images\\train\nval: images\\valid\n" + NAMED, None),
        ("train: lists/a.txt\nval: lists/b.txt\n" + NAMED, None),
    ],
)
def test_spellings_of_the_yaml_file(tmp_path, yaml, names):
    root = written(tmp_path / "set", folder="images/{}", yaml=yaml)
    (root / "lists").mkdir()
    lines = [f"../images/train/{name}.jpg" for name in "abc"]  # from where the list lies
    (root / "lists/a.txt").write_text("\n".join(lines))
    (root / "lists/b.txt").write_text("D:\\old\\set\\images\\valid\\d.jpg\n")
    train, val = (DataSpec(str(root)).resolved().open(split) for split in ("train", "val"))
    assert (train.ids, val.ids) == (("a", "b", "c"), ("d",))
    assert train.class_names == ("background", *(names or ("cell", "nucleus")))
    assert area(train[0]["label"] == 2) == inside(15, 16, 8)


def test_lists_of_photos_and_drawn_parts(tmp_path):
    root = written(tmp_path / "set", folder="images/{}", yaml=None)
    (root / "train.txt").write_text("data/images/train/a.jpg\n./images/train/b.jpg\n")
    (root / "data.yaml").write_text("train: train.txt\nnames: [cell, nucleus]\n")
    assert kseg.data.yolo(root, None).ids == ("a", "b")
    ids = [kseg.data.yolo(root, split, val_fraction=0.5).ids for split in ("train", "val")]
    assert sorted(sum(ids, ())) == ["a", "b"] and all(ids)
    (root / "images" / "train" / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="names './images/train/b.jpg', and there is no"):
        kseg.data.yolo(root)


def test_where_val_is_train_a_part_is_held_out(tmp_path):
    root = written(tmp_path / "set", yaml="train: train/images\nval: train/images\n" + NAMED)
    ids = [kseg.data.yolo(root, split).ids for split in ("train", "val", None)]
    assert sorted(ids[0] + ids[1]) == ["a", "b", "c"] == sorted(ids[2]) and len(ids[1]) == 1
    assert len(kseg.data.yolo(root, "val", val_fraction=0.6).ids) == 2
    file = root / "data.yaml"
    file.write_text(f"{file.read_text()}\ntest: valid/images\n")
    found = [kseg.data.yolo(root, split).ids for split in ("train", "val", "test")]
    assert found == [*ids[:2], ("d",)]


def test_a_photo_without_a_file_has_no_object(tmp_path):
    root = written(tmp_path / "set")
    (root / "train/labels/a.txt").unlink()
    (root / "train/labels/b.txt").write_text("")
    source = kseg.data.yolo(root, "train", instances=True)
    assert [len(source[i]["classes"]) for i in range(3)] == [0, 0, 2]
    assert not kseg.data.yolo(root, "train")[0]["label"].any()


@pytest.mark.parametrize(
    "line, said",
    [
        ("2 0.1 0.1 0.5 0.1 0.5 0.5", "class 2; expected one of the 2 names, 0 to 1"),
        ("0.5 0.1 0.1 0.5 0.1 0.5 0.5", "class 0.5; expected one of the 2 names"),
        ("0 6 6 30 6 30 30", "coordinate 30; expected shares of width and height, 0 to 1"),
        ("0 0.1 0.1 1.2 0.1 0.5 0.5", "coordinate 1.2; expected shares"),
        ("0 0.1 -0.2 0.5 0.1 0.5 0.5", "coordinate -0.2; expected shares"),
        ("0 0.1 0.1 0.5 0.1 0.5 nan", "nan; expected shares"),
        ("0 0.1 0.1 0.5 0.1 0.5", "5 coordinates, which are not pairs"),
        ("0 0.1 0.1", "2 coordinates; expected 3 points or more"),
        ("cell 0.1 0.1 0.5 0.1 0.5 0.5", "are no numbers"),
    ],
)
def test_each_fault_by_its_line(tmp_path, line, said):
    root = written(tmp_path / "set")
    for name in "ab":
        (root / "train/labels" / f"{name}.txt").write_text(f"{TWO[0]}\n{line}\n")
    with pytest.raises(ValueError) as error:
        kseg.data.yolo(root)
    assert "a.txt', line 2: " in str(error.value) and said in str(error.value)
    assert "b.txt', line 2" in str(error.value)  # all of them at once


def test_boxes_are_no_masks(tmp_path):
    root = written(tmp_path / "set", lines=["0 0.5 0.5 0.2 0.2"])
    with pytest.raises(ValueError, match="all 3 lines of its labels are boxes.* with polygons"):
        kseg.data.yolo(root)
    (root / "train/labels/b.txt").write_text("\n".join([TWO[0], "1 0.5 0.5 0.2 0.2"]))
    source = kseg.data.yolo(root, "train", instances=True)
    assert len(source[1]["classes"]) == 1
    assert source.problems(1) == [("box", source.problems(1)[0][1])]
    assert (
        "line 2" in source.problems(1)[0][1] and "a box without a mask" in source.problems(1)[0][1]
    )
    (found,) = [each for each in kseg.check(source).findings if each.kind == "box"]
    assert found.severity == "warning" and "is background" in found.remedy


@pytest.mark.parametrize(
    "yaml, said",
    [
        ("names: {0: cell, 2: nucleus}", "names has the numbers 0, 2; expected 0, 1, 2"),
        ("names: cell", "names='cell': expected a list of names"),
        ("names: [cell, nucleus]\ntrain: nowhere", "nowhere' does not exist"),
        ("names: [a: b: c", "is no YAML"),
        ("- names", "holds a list"),
    ],
)
def test_a_yaml_file_that_cannot_be(tmp_path, yaml, said):
    root = written(tmp_path / "set", yaml=yaml)
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        kseg.data.yolo(root)


def test_names_without_a_yaml_file(tmp_path):
    root = written(tmp_path / "set", yaml=None)
    with pytest.raises(FileNotFoundError, match="no data.yaml with names, nor classes.txt"):
        kseg.data.yolo(root)
    assert kseg.data.yolo(root, class_names=["x", "y"]).class_names[1:] == ("x", "y")
    (root / "classes.txt").write_text("u\nv\n")
    assert kseg.data.yolo(root).class_names[1:] == ("u", "v")
    with pytest.raises(FileNotFoundError, match=r"the splits train, valid.*splits=\('valid', 't"):
        kseg.data.yolo(root, "test")


def test_the_check_names_a_damaged_photo(tmp_path):
    root = written(tmp_path / "set")
    (root / "train/images/b.jpg").write_bytes(b"\xff\xd8\xff nothing")
    report = kseg.check(kseg.data.yolo(root, "train"))
    assert [finding.files for finding in report.errors] == [(str(root / "train/images/b.jpg"),)]
    assert np.isfinite(report.sources[0].read)

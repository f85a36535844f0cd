"""Photos and masks told apart by their names alone, and paired by patterns."""

import numpy as np
import pytest
from data.tool_sets import photo

import kseg
from kseg.data.find_pairs import find_pairs
from kseg.data.pairs import matching, paired
from kseg.data.spec import DataSpec


def each(*patterns, keys=("a", "b")):
    """Files of these patterns for each key; of two holes, the first is train or val."""
    splits = dict(zip(keys, ("train", "val")))
    return [
        pattern.replace("{s}", splits[key]).replace("{}", key)
        for pattern in patterns
        for key in keys
    ]


@pytest.mark.parametrize(
    "files, found",
    [
        (each("{}_sat.jpg", "{}_mask.png"), [("{}_sat.jpg", "{}_mask.png")]),
        (each("{}.jpg", "{}.png"), [("{}.jpg", "{}.png")]),
        (each("{}.png", "{}_mask.png"), [("{}.png", "{}_mask.png")]),
        (each("images/{}.jpg", "labels/{}.png"), [("images/{}.jpg", "labels/{}.png")]),
        (each("img/{}.png", "gt/{}_gt.png"), [("img/{}.png", "gt/{}_gt.png")]),
        (each("{s}/img/{}.jpg", "{s}/gt/{}.png"), [("{}/img/{}.jpg", "{}/gt/{}.png")]),
        (each("img/{s}/{}.jpg", "gt/{s}/{}.png"), [("img/{}.jpg", "gt/{}.png")]),
        (each("{s}/{}.jpg", "{s}_masks/{}_mask.png"), [("{}/{}.jpg", "{}_masks/{}_mask.png")]),
        (each("{}/image.png", "{}/mask.png"), [("{}/image.png", "{}/mask.png")]),
        (each("image_{}1.png", "gt_{}1.png"), [("image_{}.png", "gt_{}.png")]),
        (
            each("imagesTr/{}_0000.png", "labelsTr/{}.png"),
            [("imagesTr/{}_0000.png", "labelsTr/{}.png")],
        ),
        (["img/a.jpg", "img/b.jpeg", "gt/a.png", "gt/b.png"], [("img/{}", "gt/{}")]),
        (["x/a.jpg", "x/b.JPG", "y/a.png", "y/b.png"], [("x/{}.jpg", "y/{}.png")]),
        # what is drawn for people is no mask
        (each("img/{}.png", "masks/{}.png", "overlay/{}.png"), [("img/{}.png", "masks/{}.png")]),
        # which of them nobody can tell
        (
            each("images/{}.jpg", "masks/{}.png", "labels/{}.png"),
            [("images/{}.jpg", "masks/{}.png"), ("images/{}.jpg", "labels/{}.png")],
        ),
        (each("{}.jpg"), []),
        (each("left/{}.png", "right/{}.png"), []),
        (["a.jpg", "b.png", "notes.txt"], []),
    ],
)
def test_what_names_tell(files, found):
    assert find_pairs(sorted(files)) == found


def test_patterns():
    files = ["a_sat.jpg", "b/c_sat.JPG", "a_mask.png", "d_sat.txt"]
    expected = {("a",): "a_sat.jpg", ("b/c",): "b/c_sat.JPG"}
    assert matching(files, "{}_sat", (".jpg",)) == matching(files, "{}_sat.jpg", ()) == expected
    with pytest.raises(ValueError, match="'a.jpg' and 'a.png', which differ in their endings"):
        matching(["a.jpg", "a.png"], "{}", (".jpg", ".png"))


@pytest.fixture
def road(tmp_path, write_image):
    """Photos and masks of two values in one folder, as DeepGlobe has them."""
    for index in range(4):
        photo(tmp_path / "road" / f"{index}_sat.jpg", seed=index)
        mask = np.zeros((40, 60), np.uint8)
        mask[index : index + 9, :20] = 255
        write_image(f"road/{index}_mask.png", mask)
    return tmp_path / "road"


def test_a_folder_of_both(road, same_eagerly):
    names = ["ground", "road"]
    patterns = road / "{}_sat.jpg", road / "{}_mask.png"
    source = kseg.data.folder(*patterns, names, values=(0, 255))
    assert source.ids == ("0_sat", "1_sat", "2_sat", "3_sat")
    assert [int(sample["label"].sum()) for sample in same_eagerly(source)] == [180] * 4
    parts = [kseg.data.folder(*patterns, names, values=(0, 255), split=s) for s in ("train", "val")]
    assert sorted(parts[0].ids + parts[1].ids) == sorted(source.ids) and all(map(len, parts))
    for wrong, said in (
        (
            (road / "{}_sat.jpg", road / "{}_m.png"),
            "4 of 4 images have no mask; .*expected '0_m.png'",
        ),
        ((road / "{}_x.jpg", road / "{}_mask.png"), "No file in .* is of the pattern '{}_x.jpg'"),
        ((road / "{}.jpg", road / "mask.png"), "two different patterns with equally many {}"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=said):
            kseg.data.folder(*wrong, names)
    with pytest.raises(ValueError, match="mask_suffix='_m': expected None"):
        kseg.data.folder(*patterns, names, mask_suffix="_m")


def test_a_spec_finds_patterns_and_two_classes(road):
    asked = DataSpec(str(road))
    found = asked.resolved()
    assert found.pairs == ("{}_sat.jpg", "{}_mask.png") and found.values == (0, 255)
    assert found.found_since(asked) == (
        f"folder:{road}; pairs {{}}_sat.jpg with {{}}_mask.png; classes background, object; "
        "values 0, 255"
    )
    assert len(found.open("train")) == 3 and DataSpec.from_json(vars(found)) == found
    given = DataSpec(
        str(road), class_names=("a", "b"), pairs=("{}_sat", "{}_mask"), values=(0, 255)
    )
    assert given.resolved().open("val").class_names == ("a", "b")


def test_what_masks_hold_is_told(road, write_image):
    """Of more than two values nobody but the user knows the names: the remedy holds the rest."""
    write_image("road/3_mask.png", np.full((40, 60), 7, np.uint8))
    with pytest.raises(FileNotFoundError) as error:
        DataSpec(str(road)).resolved().open("train")
    assert "The masks hold the values 0, 7, 255." in str(error.value)
    assert "class_names=('class0', 'class1', 'class2') values=(0, 7, 255)." in str(error.value)
    for index in range(4):
        write_image(f"road/{index}_mask.png", np.full((40, 60, 3), (index, 0, 9), np.uint8))
    with pytest.raises(FileNotFoundError, match=r"4 colours.* palette=\(\(0, 0, 9\), \(1, 0, 9\)"):
        DataSpec(str(road)).resolved().open("train")


def test_splits_within_patterns(tmp_path, write_image):
    for split, names in (("training", "ab"), ("valid", "c")):
        for name in names:
            photo(tmp_path / "set" / split / "photo" / f"{name}.jpg")
            write_image(f"set/{split}/gt/{name}.png", np.eye(40, 60, dtype=np.uint8))
    root = tmp_path / "set"
    spec = DataSpec(str(root), class_names=("a", "b")).resolved()
    assert spec.pairs == ("{}/photo/{}.jpg", "{}/gt/{}.png")
    assert [spec.open(split).ids for split in ("train", "val")] == [("a", "b"), ("c",)]
    with pytest.raises(
        FileNotFoundError, match=r"the splits training, valid.*\('valid', 'training'"
    ):
        spec.open("test")
    assert paired(root, *spec.pairs)[0].key == ("training", "a")


def test_a_set_of_the_one_split_train_is_divided(tmp_path, write_image):
    """As Carvana has it: no mask of `test` is published."""
    for name in "abcde":
        write_image(f"train/{name}.jpg", np.zeros((8, 8, 3), np.uint8))
        write_image(f"train_masks/{name}_mask.gif", np.eye(8, dtype=np.uint8))
    write_image("test/f.jpg", np.zeros((8, 8, 3), np.uint8))
    found = DataSpec(str(tmp_path)).resolved()
    assert found.pairs == ("train/{}.jpg", "train_masks/{}_mask.gif")
    train, val = (found.open(split) for split in ("train", "val"))
    assert sorted(train.ids + val.ids) == [*"abcde"] and len(val) == 1
    np.testing.assert_array_equal(val[0]["label"], np.eye(8))


def test_hidden_files_are_none(pair_folders):
    """`._a.jpg`, which macOS leaves in archives, is no photo."""
    root = pair_folders()
    for name in ("images/._p0.png", "masks/._p0.png"):
        (root / name).write_bytes(b"\0\5\x16\7")
    assert len(kseg.data.folder(root / "images", root / "masks", ["a", "b"])) == 6
    assert len(DataSpec(f"folder:{root}").open("train")) == 5

"""labelme's JSON files: every kind of shape, and every mistake, as labelme means them."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from data.tool_sets import area, inside, labelme_file, labelme_mask, labelme_shape, photo, square
from PIL import Image

import kseg
from kseg.cli.predict import photos_of
from kseg.data.files import load_photo
from kseg.data.images import image_arrays
from kseg.data.spec import DataSpec
from kseg.data.writers.photos import stored_samples

pytest.importorskip("pycocotools", reason="needs the extra coco")

CELL = labelme_shape("cell", square(5, 6, 20))
NUCLEUS = labelme_shape("nucleus", square(15, 16, 8))


def written(root, shapes=(CELL, NUCLEUS), names="abc", **more):
    for name in names:
        photo(root / f"{name}.jpg", seed=ord(name))
        labelme_file(root / f"{name}.json", list(shapes), f"{name}.jpg", **more)
    return root


def test_a_map_and_objects(tmp_path, same_eagerly):
    root = written(tmp_path / "set")
    photo(root / "without.jpg")  # not annotated
    (root / "._a.json").write_bytes(b"\0of a Mac")
    source = kseg.data.labelme(root)
    assert source.ids == ("a", "b", "c") and source.class_names == ("background", "cell", "nucleus")
    label = same_eagerly(source)[0]["label"]
    assert area(label > 0) == inside(5, 6, 20) and area(label == 2) == inside(15, 16, 8)
    objects = kseg.data.labelme(root, instances=True)
    sample = same_eagerly(objects)[1]
    assert objects.class_names == ("cell", "nucleus") and sample["classes"].tolist() == [0, 1]
    assert [area(mask) for mask in sample["masks"]] == [inside(5, 6, 20), inside(15, 16, 8)]
    found = DataSpec(str(root)).resolved()
    assert found.kind == "labelme"
    assert sorted(found.open("train").ids + found.open("val").ids) == ["a", "b", "c"]


def test_what_is_drawn_later_lies_on_top(tmp_path):
    """As labelme's own exports have it, whatever the sizes; `_background_` erases."""
    shapes = [NUCLEUS, CELL, labelme_shape("_background_", square(5, 6, 4))]
    label = kseg.data.labelme(written(tmp_path / "set", shapes))[0]["label"]
    assert not (label == 2).any() and (label == 1).sum() == 20 * 20 - 4 * 4
    assert not label[6:10, 5:9].any()


def test_ignored_is_void_and_a_crowd(tmp_path):
    root = written(tmp_path / "set", [CELL, labelme_shape("__ignore__", square(30, 6, 10))])
    label = kseg.data.labelme(root)[0]["label"]
    assert area(label == 255) == inside(30, 6, 10) and (label == 1).sum() == 400
    sample = kseg.data.labelme(root, instances=True)[0]
    assert sample["crowd"].tolist() == [False, True]


def test_a_group_is_one_object(tmp_path):
    shapes = [
        labelme_shape("cell", square(x, 6, 8), group_id=g) for x, g in ((5, 1), (20, 1), (40, 2))
    ]
    shapes += [labelme_shape("nucleus", square(5, 20, 8), group_id=1)]
    sample = kseg.data.labelme(written(tmp_path / "set", shapes), instances=True)[0]
    assert sample["classes"].tolist() == [0, 0, 1]
    assert [int(mask.sum()) for mask in sample["masks"]] == [128, 64, 64]


def test_every_kind_of_shape(tmp_path):
    blob = np.zeros((6, 9), bool)
    blob[2:4, 3:8] = True
    shapes = [
        labelme_shape("box", [[30, 26], [10, 6]], "rectangle"),  # from any corner
        labelme_shape("round", [[45, 20], [45, 30]], "circle"),
        labelme_mask("blob", (2, 30), blob),
        labelme_shape("cut", [[1, 1], [9, 9]], "line"),
        labelme_shape("dot", [[1, 1]], "point"),
        labelme_shape("thin", [[1, 1], [5, 5]]),
    ]
    source = kseg.data.labelme(written(tmp_path / "set", shapes), instances=True)
    assert source.class_names == ("blob", "box", "round")
    box, disk, mask = source[0]["masks"]
    assert area(box) == inside(10, 6, 20)
    assert abs(disk.sum() - np.pi * 100) < 6 and area(disk)[:2] in ((10, 29), (10, 30))
    np.testing.assert_array_equal(mask[30:36, 2:11], blob)
    assert mask.sum() == blob.sum()
    kinds = [kind for kind, _ in source.problems(0)]
    assert kinds == [*["empty_instance"] * 3, "filled_boxes"]
    assert "1 of 3 objects on " in source.problems(0)[3][1]


def test_names_of_a_file_and_of_the_user(tmp_path):
    root = written(tmp_path / "set")
    (root / "labels.txt").write_text("__ignore__\n_background_\nnucleus\ncell\n")
    assert kseg.data.labelme(root).class_names == ("background", "nucleus", "cell")
    given = kseg.data.labelme(root, class_names=["cell", "nucleus", "other"], instances=True)
    assert given.class_names == ("cell", "nucleus", "other")
    with pytest.raises(
        ValueError, match=r"labelled 'nucleus', which is not in class_names \(cell\)"
    ):
        kseg.data.labelme(root, class_names=["cell"])


def test_splits(tmp_path):
    root = written(tmp_path / "set" / "train", names="ab")
    written(tmp_path / "set" / "val", [CELL], names="c")
    train, val = (kseg.data.labelme(root.parent, split) for split in ("train", "val"))
    assert (train.ids, val.ids) == (("a", "b"), ("c",))
    assert val.class_names == train.class_names == ("background", "cell", "nucleus")
    with pytest.raises(ValueError, match="val_fraction=0.5: expected None"):
        kseg.data.labelme(root.parent, "val", val_fraction=0.5)
    with pytest.raises(FileNotFoundError, match="has the splits train, val"):
        kseg.data.labelme(root.parent, "test")
    (root / "val.txt").write_text("b\n")
    assert kseg.data.labelme(root, "val").ids == ("b",)


@pytest.mark.parametrize(
    "shape, said",
    [
        (labelme_shape("a", [[1, 1], [10**400, 1], [9, 9]]), "int too large"),
        (
            labelme_shape("cell", [[1, 2], [float("nan"), 4], [5, 6]]),
            "coordinates that are no pixels",
        ),
        (labelme_shape("cell", [[1, 2], [3, 4], [5, 6]], "blob"), "shape_type='blob'; expected"),
        (labelme_shape("cell", [[1, 2], [3, 4], [5, 6]], "circle"), "a circle of 3 points"),
        (labelme_shape("cell", [[1, 2], [3, 4]], "mask", mask="none"), "'cell': "),
        ({"points": []}, "shapes.0. has no label"),
    ],
)
def test_each_fault_names_its_file(tmp_path, shape, said):
    root = written(tmp_path / "set", [shape], names="ab")
    with pytest.raises(ValueError, match=said) as error:
        kseg.data.labelme(root)
    assert "a.json" in str(error.value) and "b.json" in str(error.value)


def test_photos_that_are_elsewhere(tmp_path):
    root = written(tmp_path / "set", names="a")
    labelme_file(root / "a.json", [CELL], "..\\photos\\a.jpg")  # of another machine: beside it
    assert kseg.data.labelme(root)[0]["image"].shape == (40, 60, 3)
    (root / "a.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="photo '../photos/a.jpg', which is neither there"):
        kseg.data.labelme(root)
    (root / "a.json").write_text("{")
    with pytest.raises(ValueError, match="a.json' is not JSON"):
        kseg.data.labelme(root)
    (root / "a.json").write_text(json.dumps({"info": 1}))
    with pytest.raises(FileNotFoundError, match="no JSON file of labelme"):
        kseg.data.labelme(root)


def test_a_drawing_of_another_size(tmp_path):
    root = written(tmp_path / "set", names="ab", size=(40, 61))
    report = kseg.check(kseg.data.labelme(root))
    assert [finding.kind for finding in report.errors] == ["size_mismatch"]


def test_shares_of_the_photo_are_told(tmp_path):
    """Coordinates of 0..1, as of converters from YOLO, would draw one pixel each."""
    shares = [[0.1, 0.1], [0.7, 0.1], [0.7, 0.6]]
    photo(tmp_path / "a.jpg")
    labelme_file(tmp_path / "a.json", [labelme_shape("cell", shares)], "a.jpg")
    assert [kind for kind, _ in kseg.data.labelme(tmp_path).notes] == ["relative_coordinates"]
    labelme_file(tmp_path / "a.json", [labelme_shape("cell", square(5, 6, 20))], "a.jpg")
    assert not kseg.data.labelme(tmp_path).notes


def test_files_of_windows_in_utf_16(tmp_path):
    photo(tmp_path / "a.jpg")
    labelme_file(tmp_path / "a.json", [labelme_shape("Zelle \u00fc", square(5, 6, 20))], "a.jpg")
    text = (tmp_path / "a.json").read_text().encode("utf-16")
    (tmp_path / "a.json").write_bytes(text)
    assert kseg.data.labelme(tmp_path).class_names == ("background", "Zelle \u00fc")
    (tmp_path / "labels.txt").write_bytes("__ignore__\r\nZelle \u00fc\r\n".encode("utf-16"))
    assert kseg.data.labelme(tmp_path).class_names == ("background", "Zelle \u00fc")


def embedded(root, name, encoding, pixels, **more):
    """A JSON file that holds its photo, which lies nowhere else."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, encoding)
    text = base64.b64encode(stream.getvalue()).decode()
    labelme_file(root / f"{name}.json", [CELL], f"C:\\photos\\{name}.jpg", imageData=text, **more)
    return stream.getvalue()


def test_photos_that_are_in_the_json_files_alone(tmp_path, rng, same_eagerly):
    root, pixels = tmp_path / "set", rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    contents = [embedded(root, "a", "JPEG", pixels), embedded(root, "b", "PNG", pixels)]
    embedded(root, "c", "BMP", pixels, imageHeight=None, imageWidth=None)
    source = kseg.data.labelme(root)
    assert source.ids == ("a", "b", "c")
    a, b, c = same_eagerly(source)
    np.testing.assert_array_equal(a["image"], Image.open(io.BytesIO(contents[0])))
    for sample in (b, c):
        np.testing.assert_array_equal(sample["image"], pixels)
        assert area(sample["label"] == 1) == inside(5, 6, 20)
    np.testing.assert_array_equal(load_photo(root / "b.json"), pixels)
    assert not [f for f in kseg.check(source).findings if f.severity == "error"]
    written = [sample["image"] for sample in stored_samples(source)]  # by kseg convert
    assert written[:2] == contents and written[2][:4] == b"\x89PNG"


def test_a_folder_of_json_files_stands_for_their_photos(tmp_path, rng):
    """As `kseg.predict` and its command take it; photos beside them go first."""
    root, pixels = tmp_path / "set", rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    embedded(root, "b", "PNG", pixels)
    embedded(root, "a", "PNG", pixels[::-1])
    photos, several = image_arrays(root, 3)
    first, second = photos
    assert several
    np.testing.assert_array_equal([first, second], [pixels[::-1], pixels])
    screen = io.StringIO()
    console = SimpleNamespace(print=lambda text, **_: screen.write(text))
    assert [path.name for path in photos_of(console, root)] == ["a.json", "b.json"]
    Image.fromarray(pixels).save(root / "b.png")
    assert [path.name for path in photos_of(console, root)] == ["b.png"]
    assert "2 files left out" in screen.getvalue()
    (tmp_path / "none").mkdir()
    labelme_file(tmp_path / "none/a.json", [], "a.jpg")
    with pytest.raises(FileNotFoundError, match="these JSON files hold none"):
        image_arrays(tmp_path / "none", 3)


@pytest.mark.parametrize("dtype", ["uint16"])
def test_numbers_of_photos_in_json_files(tmp_path, rng, dtype):
    import tensorflow as tf

    deep = rng.integers(0, 4096, (40, 60, 3), dtype=dtype)
    text = base64.b64encode(tf.io.encode_png(deep).numpy()).decode()
    labelme_file(tmp_path / "a.json", [CELL], "a.png", imageData=text)
    np.testing.assert_array_equal(kseg.data.labelme(tmp_path, bits=12)[0]["image"], deep)


@pytest.mark.parametrize(
    "text, said",
    [
        ("bm90IGEgcGhvdG8=", "cannot be read"),  # base64 of words
        ("abc", "holds no photo that can be read as imageData"),
        (base64.b64encode(b"\xff\xd8\xff\xe0 cut short").decode(), "cannot be read"),
        (base64.b64encode(b"II*\0\0\0").decode(), "holds a TIFF as imageData"),
    ],
)
def test_photos_in_json_files_that_are_none(tmp_path, text, said):
    labelme_file(tmp_path / "a.json", [CELL], "a.png", imageData=text)
    (found,) = [f for f in kseg.check(kseg.data.labelme(tmp_path)).errors if f.kind != "no_samples"]
    assert str(tmp_path / "a.json") in str(found.files) + found.message
    assert said in found.message

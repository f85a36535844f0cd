"""Annotation files as tools write them: what has one meaning is read, all else is told at once."""

import copy
import json

import numpy as np
import pytest
from data.tool_sets import SIZE, coco_content, square
from data.tool_sets import photo as save_photo
from PIL import Image

import kseg
from kseg.checks.open_splits import open_splits
from kseg.cli.main import main
from kseg.data.faults import ManyFaults
from kseg.data.spec import DataSpec

pytest.importorskip("pycocotools.mask", reason="needs the extra coco")
pytestmark = pytest.mark.backends("tensorflow", reason="reads files, whatever the backend")

SQUARE = [2, 3, 8, 3, 8, 9, 2, 9]  # 36 pixels
PAIRS = [[2, 3], [8, 3], [8, 9], [2, 9]]
RUNS = {"size": [20, 30], "counts": [43, 6, 14, 6, 14, 6, 14, 6, 14, 6, 14, 6, 451]}
CONTENT = {
    "images": [
        {"id": 1, "file_name": "a.png", "height": 20, "width": 30},
        {"id": 2, "file_name": "b.png", "height": 20, "width": 30},
    ],
    "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "cyst"}],
    "annotations": [
        {"id": 7, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [SQUARE]},
        {"id": 8, "image_id": 2, "category_id": 2, "iscrowd": 0, "segmentation": [SQUARE]},
    ],
}


@pytest.fixture
def opened(tmp_path, rng):
    """Opens the set after a function has changed its content."""
    (tmp_path / "images").mkdir()
    for name in "ab":
        photo = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / f"images/{name}.png")

    def opened(change=lambda content: None, **options):
        content = copy.deepcopy(CONTENT)
        change(content)
        (tmp_path / "annotations.json").write_text(json.dumps(content))
        return kseg.data.coco(tmp_path / "images", tmp_path / "annotations.json", **options)

    return opened


def segmentation(value):
    return lambda content: content["annotations"][0].update(segmentation=value)


def quoted(content):
    for image in content["images"]:
        image.update(height="20", width="30")
    for each in content["annotations"]:
        each.update({key: str(each[key]) for key in ("image_id", "category_id", "iscrowd")})


def floats(content):
    for image in content["images"]:
        image.update(id=float(image["id"]), height=20.0, width=30.0)
    for each in content["annotations"]:
        each.update(image_id=float(each["image_id"]), category_id=float(each["category_id"]))
    runs = {key: list(map(float, value)) for key, value in RUNS.items()}
    content["annotations"][0]["segmentation"] = runs


def named(pattern):
    def change(content):
        for image in content["images"]:
            image["file_name"] = pattern.format(image["file_name"])

    return change


@pytest.mark.parametrize(
    "change",
    [
        segmentation(SQUARE),
        segmentation(PAIRS),
        segmentation([PAIRS]),
        segmentation([{"x": x, "y": y} for x, y in PAIRS]),
        segmentation([SQUARE, [1.0, 1.0], []]),
        quoted,
        floats,
        named("images\\{}"),
        named("C:\\work\\images\\{}"),
        named("/home/me/images/{}"),
        lambda content: content["annotations"][0].update(bbox=None),
    ],
)
def test_what_has_one_meaning_is_read(opened, change):
    source = opened(change)
    for index, class_id in enumerate((1, 2)):
        label = np.zeros((20, 30), np.uint8)
        label[3:9, 2:8] = class_id
        np.testing.assert_array_equal(source[index]["label"], label)
    assert source.ids == ("a", "b")


def test_an_id_in_quotes_beside_the_same_without(opened):
    def change(content):
        content["images"][1]["id"] = "1"
        content["annotations"][1]["image_id"] = "1"

    assert opened(change)[1]["label"].max() == 2


def test_clicks_that_made_no_polygon_are_counted(opened):
    def change(content):
        content["annotations"][0]["segmentation"] += [[5, 5], [1, 2, 3, 4]]
        content["annotations"][1]["segmentation"] = [[5, 5]]

    source = opened(change)
    report = kseg.check(source, duplicates=False)
    kinds = {finding.kind: str(finding) for finding in report.findings}
    assert "annotation 7 has 2 polygons of fewer than 3 points" in kinds["stray_points"]
    assert "2 files" in kinds["stray_points"] and report.ok
    assert "annotation 8 has no pixel" in kinds["empty_instance"]
    assert not source[1]["label"].any() and (source[0]["label"] == 1).sum() == 36


def everything_wrong(content):
    content["images"][1]["height"] = "tall"
    content["annotations"][0]["segmentation"] = [[1, 2, 3]]
    content["annotations"] += [
        {"id": 9, "image_id": 1, "category_id": 5, "segmentation": [SQUARE]},
        {"id": 10, "image_id": 1, "category_id": 6, "segmentation": [SQUARE]},
        {"id": 11, "image_id": 1, "category_id": 1},
    ]


def test_all_faults_are_told_at_once(opened, tmp_path, capsys):
    with pytest.raises(ManyFaults) as error:
        opened(everything_wrong)
    text, faults = str(error.value), error.value.faults
    assert len(faults) == 4 and all(fault.remedy for fault in faults) and "\n" not in text
    for words in (
        "image 2: height='tall'; expected int.",
        "annotation 7: a polygon is 3 numbers",
        "annotation 9: category_id=5 is not among the file's",
        "Likewise annotation 10.",
        "annotation 11: 'segmentation' is missing",
    ):
        assert words in text
    splits, findings = open_splits(DataSpec(f"coco:{tmp_path}"))
    assert not splits and [finding.source for finding in findings] == ["coco/train, coco/val"] * 4
    assert main(["check", f"coco:{tmp_path}"]) == 1
    assert "4 kinds of errors" in capsys.readouterr().out


def test_categories_that_are_no_class(opened):
    def change(content):
        content["categories"] = [
            {"id": 0, "name": "pets", "supercategory": "none"},
            {"id": 1, "name": "_background_", "supercategory": "pets"},
            {"id": 2, "name": "cat", "supercategory": "pets"},
            {"id": 3, "name": "__ignore__", "supercategory": "pets"},
        ]
        content["annotations"] += [
            {
                "id": 9,
                "image_id": 1,
                "category_id": 2,
                "segmentation": [[0, 0, 20, 0, 20, 15, 0, 15]],
            },
            {
                "id": 10,
                "image_id": 1,
                "category_id": 3,
                "segmentation": [[0, 0, 30, 0, 30, 20, 0, 20]],
            },
        ]

    maps = opened(change)
    assert maps.class_names == ("background", "cat") and maps.category_ids == (1, 2)
    label = np.full((20, 30), 255)
    label[:15, :20] = 1
    label[3:9, 2:8] = 0  # drawn as background
    np.testing.assert_array_equal(maps[0]["label"], label)
    objects = opened(change, instances=True)
    assert objects.class_names == ("cat",) and objects.category_ids == (2,)
    sample = objects[0]
    assert sample["crowd"].tolist() == [False, True] and sample["masks"][1].all()
    told = [message for kind, message in maps.notes if kind == "no_class"]
    assert len(told) == 3 and "Roboflow" in told[0] and "'__ignore__', is void" in told[2]


def test_what_is_to_be_ignored_is_a_crowd_region_of_each_class(opened):
    def change(content):
        content["categories"].append({"id": 3, "name": "ignore"})
        content["annotations"][0]["category_id"] = 3

    sample = opened(change, instances=True)[0]
    assert sample["classes"].tolist() == [0, 1] and sample["crowd"].all()
    assert sample["masks"].sum() == 2 * 36


def all_crowd(content):
    for each in content["annotations"]:
        each["iscrowd"] = 1


def boxes(content):
    for each in content["annotations"]:
        each["segmentation"] = []


def shares(content):
    for each in content["annotations"]:
        each["segmentation"] = [[value / 30 for value in SQUARE]]


def elsewhere(content):
    for each in content["annotations"]:
        each["segmentation"] = [[value + 500 for value in SQUARE]]


@pytest.mark.few("False")
@pytest.mark.parametrize("instances", [False, True])
@pytest.mark.parametrize(
    "change, kind, words",
    [
        (all_crowd, "all_crowd", "CVAT"),
        (boxes, "boxes_only", "Label Studio"),
        (shares, "relative_coordinates", "YOLO"),
        (elsewhere, "nothing_drawn", "none of the 2 annotations covers a pixel"),
        (lambda content: content.update(annotations=[]), "nothing_to_learn", "2 photos"),
    ],
)
def test_a_set_from_which_nothing_is_learnt_is_an_error(opened, change, kind, words, instances):
    errors = kseg.check(opened(change, instances=instances), duplicates=False).errors
    assert [finding.kind for finding in errors] == [kind] and words in str(errors[0])


@pytest.mark.few("True")
@pytest.mark.parametrize("instances", [False, True])
def test_photos_that_exif_turns(opened, tmp_path, rng, instances):
    """Sizes as stored tell nothing; polygons beyond them, or the turned size, tell of the photo."""
    exif = Image.Exif()
    exif[274] = 6
    for name in "ab":
        photo = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / f"images/{name}.png", exif=exif)

    def kinds(change=lambda content: None):
        findings = kseg.check(opened(change, instances=instances), duplicates=False).findings
        return {finding.kind: finding.severity for finding in findings}

    assert kinds() == {"exif_orientation": "warning"}
    assert kinds(segmentation([[2, 12, 18, 12, 18, 28, 2, 28]])) == {
        "exif_rotation": "error",
        "exif_orientation": "warning",
    }

    def turned(content):
        for image in content["images"]:
            image.update(height=30, width=20)

    assert kinds(turned) == {"exif_rotation": "error"}


def runs(flat):
    """Uncompressed runs of zeros and ones."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    return np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()


def test_boxes_that_stand_elsewhere(tmp_path):
    """Masks whose runs go along the rows, and boxes of two corners, differ from their boxes."""
    save_photo(tmp_path / "a.jpg")
    content = coco_content(["a.jpg"], [(30, 20, 9, 1), (20, 8, 15, 2)])

    def notes():
        (tmp_path / "a.json").write_text(json.dumps(content))
        source = kseg.data.coco(tmp_path, tmp_path / "a.json", instances=True)
        return [note for note in source.notes if note[0] == "boxes_elsewhere"]

    assert not notes()
    for annotation in content["annotations"]:
        x, y, side, _ = annotation["bbox"]
        mask = np.zeros(SIZE, int)
        mask[y : y + side, x : x + side] = 1
        annotation["segmentation"] = {"size": list(SIZE), "counts": runs(mask.T.ravel())}
    assert not notes()
    for annotation in content["annotations"]:
        counts = annotation["segmentation"]["counts"]
        mask = np.repeat(np.arange(len(counts)) % 2, counts).reshape(SIZE[::-1])
        annotation["segmentation"]["counts"] = runs(mask.T.ravel())  # along the rows
    ((_, said),) = notes()
    assert "2 of 2 boxes (bbox) do not stand around their masks" in said
    for annotation in content["annotations"]:
        x, y, side, _ = annotation["bbox"]
        annotation["segmentation"] = [sum(square(x, y, side), [])]
    assert not notes()
    for annotation in content["annotations"]:
        x, y, side, _ = annotation["bbox"]
        annotation["bbox"] = [x, y, x + side, y + side]
    assert len(notes()) == 1

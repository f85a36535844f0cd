"""Tasks of Label Studio: every value by hand, and every mistake."""

import json

import numpy as np
import pytest
from data.tool_sets import SIZE, area, inside, packed, percent, photo, region, square, task

import kseg
from kseg.data.layout import layout_of
from kseg.data.readers.label_studio import decoded

pytest.importorskip("pycocotools", reason="needs the extra coco")
pytestmark = pytest.mark.once("tensorflow")

HEIGHT, WIDTH = SIZE


def written(folder, *tasks):
    for name in "ab":
        photo(folder / "photos" / f"{name}.jpg", seed=ord(name))
    (folder / "project-1.json").write_text(json.dumps(tasks))
    return folder


CELL = region("polygonlabels", "cell", points=percent(square(5, 6, 20)))


def test_numbers_are_unpacked():
    ones = [1] * 4 + [2, 3, 5, 6, 7, 8] + [4] * 8  # as Label Studio's own tests have it packed
    theirs = [0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32]
    assert decoded(np.array(theirs, np.uint8), 18).tolist() == ones
    numbers = [0] * 40_000 + [7, 9, 9, 9, 200, 1] + [255] * 20
    np.testing.assert_array_equal(
        decoded(np.array(packed(numbers), np.uint8), len(numbers)), numbers
    )
    with pytest.raises(ValueError, match="cut off"):
        decoded(np.array(packed(numbers)[:-3], np.uint8), len(numbers))
    with pytest.raises(ValueError, match="a mask of 2 numbers of 8 bits; expected 3"):
        decoded(np.array(packed([1, 2]), np.uint8), 3)


def test_what_is_drawn(tmp_path, same_eagerly):
    rgba = np.zeros((*SIZE, 4), np.uint8)
    rgba[15:23, 16:24, 3], rgba[14, 16:24, 3] = 255, 127  # a soft border
    brush = region("brushlabels", "nucleus", format="rle", rle=packed(rgba.ravel().tolist()))
    box = {"x": 25.0, "y": 50.0, "width": 50.0, "height": 25.0}
    upright = {"x": 50.0, "y": 50.0, "radiusX": 1000 / WIDTH, "radiusY": 500 / HEIGHT}
    regions = [
        region("rectanglelabels", "box", **box, rotation=0),
        region("ellipselabels", "disk", **upright, rotation=0),
        {"type": "choices", "value": {"choices": ["good"]}},
    ]
    address = "/data/local-files/?d=my%20set/photos/b.jpg"
    root = written(
        tmp_path,
        task("/data/upload/1/0a1b2c3d-a.jpg", CELL, brush),
        task(address, *regions),
    )
    assert layout_of(root) == ("jsonl", None)
    source = kseg.data.json_lines(root)
    assert source.ids == ("a", "b")
    assert source.class_names == ("background", "box", "cell", "disk", "nucleus")
    first, second = (each["label"] for each in same_eagerly(source))
    assert area(first == 4) == inside(16, 15, 8)
    assert area(first > 0) == inside(5, 6, 20)
    assert abs(area(second == 3)[-1] - np.pi * 10 * 5) < 8  # on top, for it is the smaller
    assert area(second > 0)[:4] == (HEIGHT // 2 - 5, 3 * HEIGHT // 4 - 1, WIDTH // 4, 44)
    objects = kseg.data.json_lines(root, instances=True)
    assert objects.class_names == ("box", "cell", "disk", "nucleus")
    assert objects[0]["classes"].tolist() == [1, 3]


def test_a_box_turns_about_its_corner(tmp_path):
    turned = {"x": 50.0, "y": 25.0, "width": 1000 / WIDTH, "height": 400 / HEIGHT, "rotation": 90}
    root = written(tmp_path, task("a.jpg", region("rectanglelabels", "box", **turned)))
    rows, columns = np.nonzero(kseg.data.json_lines(root)[0]["label"])
    assert (rows.min(), rows.max() + 1) == (HEIGHT // 4, HEIGHT // 4 + 10)
    assert (columns.min(), columns.max() + 1) == (WIDTH // 2 - 4, WIDTH // 2)


def test_which_annotation_counts(tmp_path):
    other = region("polygonlabels", "other", points=percent(square(30, 6, 8)))
    several = task("a.jpg", CELL, ground_truth=True)
    several["annotations"] += task("a.jpg", other)["annotations"]
    cancelled = task("b.jpg", other, was_cancelled=True)
    source = kseg.data.json_lines(written(tmp_path, several, cancelled))
    assert (source.ids, source.class_names) == (("a",), ("background", "cell"))
    ((kind, said),) = source.problems(0)
    assert kind == "several_annotations" and "2 annotations" in said
    several["annotations"][0].pop("ground_truth")
    source = kseg.data.json_lines(written(tmp_path, several, cancelled))
    assert source.class_names == ("background", "other")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"value": {"points": [[1, 2], [3, 4], [5, 6]]}}, "region 0 has no label; expected one"),
        ({"value": CELL["value"] | {"polygonlabels": ["a", "b"]}}, "has 2 labels; expected one"),
        ({"image_rotation": 90}, "image_rotation=90.*turn the file itself"),
        ({"original_width": "wide"}, "original_height, original_width="),
        ({"value": CELL["value"] | {"points": [[1, 2], [3, "x"]]}}, "task 1: could not convert"),
        ({"original_width": WIDTH + 1}, "its annotation is for"),
    ],
)
def test_what_is_wrong(tmp_path, change, words):
    root = written(tmp_path, task("a.jpg", CELL | change))
    with pytest.raises(ValueError, match=words):
        kseg.data.json_lines(root)[0]


def test_photos_that_are_not_there(tmp_path):
    root = written(tmp_path, task("c.jpg", CELL), {"data": {"text": "no photo"}, "annotations": []})
    with pytest.raises(ValueError, match=r"'c.jpg', of which there is none(.|\n)*path of a photo"):
        kseg.data.json_lines(root)

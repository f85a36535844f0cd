"""JSON Lines of Azure, Prodigy and Ultralytics: every value by hand, and every mistake."""

import json

import pytest
from data.tool_sets import SIZE, area, inside, photo, square

import kseg
from kseg.data.layout import layout_of
from kseg.data.spec import DataSpec

pytest.importorskip("pycocotools", reason="needs the extra coco")

HEIGHT, WIDTH = SIZE
CELL, NUCLEUS = square(5, 6, 20), square(15, 16, 8)


def flat(corners, shares=True):
    return [c / side if shares else c for x, y in corners for c, side in ((x, WIDTH), (y, HEIGHT))]


def azure(name, **more):
    label = [
        {"label": "nucleus", "isCrowd": "0", "polygon": [flat(NUCLEUS)]},
        {"label": "cell", "isCrowd": 0, "polygon": [flat(CELL)]},
    ]
    details = {"format": "jpg", "width": f"{WIDTH}px", "height": f"{HEIGHT}px"}
    url = f"azureml://subscriptions/s/workspaces/w/paths/photos/{name}"
    return {"image_url": url, "image_details": details, "label": label} | more


def prodigy(name, **more):
    spans = [
        {"label": "cell", "points": CELL, "type": "polygon"},
        {"label": "nucleus", "points": NUCLEUS, "type": "freehand"},
    ]
    return {
        "image": name,
        "width": WIDTH,
        "height": HEIGHT,
        "spans": spans,
        "answer": "accept",
    } | more


def ultralytics(name, **more):
    segments = [[1, *flat(NUCLEUS)], [0, *flat(CELL)]]
    line = {"type": "image", "file": name, "width": WIDTH, "height": HEIGHT, "split": "train"}
    return line | {"annotations": {"segments": segments}} | more


HEAD = {"type": "dataset", "task": "segment", "class_names": {"0": "cell", "1": "nucleus"}}


def written(path, lines, names="ab"):
    for name in names:
        photo(path.parent / "photos" / f"{name}.jpg", seed=ord(name))
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path.parent


@pytest.mark.parametrize("tool", [azure, prodigy, ultralytics])
def test_a_map_and_objects(tmp_path, same_eagerly, tool):
    head = [HEAD] if tool is ultralytics else []
    root = written(tmp_path / "annotations.jsonl", [*head, tool("a.jpg"), tool("b.jpg")])
    assert layout_of(root) == ("jsonl", None)
    source = DataSpec(str(root)).resolved().open("train" if head else "val")
    assert source.class_names == ("background", "cell", "nucleus")
    label = same_eagerly(source)[0]["label"]
    assert area(label > 0) == inside(5, 6, 20) and area(label == 2) == inside(15, 16, 8)
    objects = kseg.data.json_lines(root, instances=True)
    assert objects.ids == ("a", "b") and objects.class_names == ("cell", "nucleus")
    sample = objects[1]
    assert {c: area(mask) for c, mask in zip(sample["classes"].tolist(), sample["masks"])} == {
        0: inside(5, 6, 20),
        1: inside(15, 16, 8),
    }


def test_splits_by_file_by_line_and_by_folder(tmp_path):
    root = written(tmp_path / "train_annotations.jsonl", [azure("a.jpg")])
    written(tmp_path / "validation_annotations.jsonl", [azure("b.jpg")])
    assert [kseg.data.json_lines(root, s).ids for s in ("train", "val", None)] == [
        ("a",),
        ("b",),
        ("a", "b"),
    ]
    with pytest.raises(ValueError, match="val_fraction=0.5: expected None"):
        kseg.data.json_lines(root, "val", val_fraction=0.5)
    root = written(
        tmp_path / "set/a.ndjson", [HEAD, ultralytics("a.jpg"), ultralytics("b.jpg", split="val")]
    )
    assert kseg.data.json_lines(root, "val").ids == ("b",)
    with pytest.raises(FileNotFoundError, match="has the splits train, val"):
        kseg.data.json_lines(root, "test")


def test_what_is_no_mask(tmp_path):
    line = prodigy("a.jpg")
    line["spans"] += [
        {"label": "box", "type": "rect", "x": 30, "y": 2, "width": 10, "height": 5},
        {"label": "thin", "points": [[1, 1], [5, 5]]},
    ]
    lines = [line, prodigy("b.jpg", answer="reject"), prodigy("b.jpg", answer="ignore")]
    source = kseg.data.json_lines(written(tmp_path / "a.jsonl", lines), instances=True)
    assert source.ids == ("a",) and source.class_names == ("box", "cell", "nucleus")
    assert [kind for kind, _ in source.problems(0)] == ["empty_instance", "filled_boxes"]
    box = source[0]["masks"][source[0]["classes"].tolist().index(0)]
    assert area(box) == (2, 6, 30, 39, 50)


def test_crowds_and_boxes_of_azure(tmp_path):
    line = azure("a.jpg")
    line["label"] += [
        {"label": "cell", "isCrowd": 1, "polygon": [flat(square(40, 2, 9))]},
        {"label": "cell", "topX": 0.1, "topY": 0.1, "bottomX": 0.2, "bottomY": 0.2},
    ]
    root = written(tmp_path / "a.jsonl", [line])
    assert area(kseg.data.json_lines(root)[0]["label"] == 255) == inside(40, 2, 9)
    assert [kind for kind, _ in kseg.data.json_lines(root).problems(0)] == ["box"]


def test_photos_of_one_name(tmp_path):
    root = written(tmp_path / "a.jsonl", [azure("a.jpg")])
    photo(root / "others/a.jpg")
    assert kseg.data.json_lines(root).columns["image"][0].endswith("photos/a.jpg")
    written(tmp_path / "a.jsonl", [prodigy("a.jpg")])
    with pytest.raises(FileNotFoundError, match="there are 2: others/a.jpg, photos/a.jpg"):
        kseg.data.json_lines(root)


def changed(line, key, value):
    line[key][0].update(value)
    return line


@pytest.mark.parametrize(
    "line, said",
    [
        (azure("nowhere.jpg"), "of which there is none. Copy it below"),
        (
            changed(azure("a.jpg"), "label", {"polygon": [flat(CELL, shares=False)]}),
            "expected shares",
        ),
        (
            changed(azure("a.jpg"), "label", {"polygon": [[0.1, 0.1, 1.2, 0.1, 0.5, 0.5]]}),
            "the coordinate 1.2; expected shares",
        ),
        (changed(azure("a.jpg"), "label", {"label": 3}), "label=3; expected the name of a class"),
        (changed(azure("a.jpg"), "label", {"polygon": [[0.1, None]]}), "line 1: "),
        (changed(prodigy("a.jpg"), "spans", {"points": "x"}), "line 1: "),
        (prodigy("a.jpg", width=HEIGHT, height=WIDTH), "differ in size"),
        (ultralytics("a.jpg"), "segment 0 is of the class 1, which has no name"),
        ({"image": "a.jpg", "prefix": "segment cell", "suffix": "<loc0001>"}, "vision-language"),
        ({"data_row": {}, "projects": {}}, "Labelbox"),
        ({"file_name": "a.jpg", "text": "a cell"}, "Hugging Face, without polygons"),
        (prodigy("a.jpg", width=2**31), "expected those of the photo, in pixels"),
        (prodigy("a.jpg", spans=[]), "Nothing is drawn on any photo"),
        ({"some": 1}, "image and spans, file and annotations, or data"),
        ([1], "line 1 is .*, no object"),
    ],
)
def test_mistakes(tmp_path, line, said):
    root = written(tmp_path / "a.jsonl", [line])
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        kseg.data.json_lines(root)[0]


def test_a_line_that_is_no_json(tmp_path):
    root = written(tmp_path / "a.jsonl", [azure("a.jpg")])
    (root / "a.jsonl").write_text(json.dumps(azure("a.jpg"))[:-9])
    with pytest.raises(ValueError, match="line 1 is no JSON"):
        kseg.data.json_lines(root)
    (root / "a.jsonl").write_text(2 * (json.dumps(azure("a.jpg")) + "\n"))
    with pytest.raises(ValueError, match="line 2: a second line of "):
        kseg.data.json_lines(root)

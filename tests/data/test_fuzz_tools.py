"""Damaged files of tools, hundreds of them: a refusal or a sound sample, never a crash.

Mutations follow from a fixed seed. `pytest -m slow` runs twenty times as many.
"""

import json
import random

import numpy as np
import pytest
from data.damage import damaged_json, damaged_text
from data.tool_sets import (
    labelme_file,
    labelme_mask,
    labelme_shape,
    packed,
    percent,
    photo,
    region,
    square,
    task,
    via_polygon,
    via_region,
    yolo_line,
)
from PIL import Image

import kseg
from kseg.data.spec import DataSpec

pytest.importorskip("pycocotools", reason="needs the extra coco")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
COUNTS = [pytest.param(40, id="few"), pytest.param(800, id="many", marks=pytest.mark.slow)]


def of_yolo(root):
    photo(root / "images/train/a.jpg")
    (root / "labels/train").mkdir(parents=True)
    lines = [yolo_line(0, square(5, 6, 20)), yolo_line(1, square(15, 16, 8))]
    (root / "labels/train/a.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [a, b]\n")
    return "data.yaml", "labels/train/a.txt"


def of_labelme(root):
    photo(root / "a.jpg")
    shapes = [
        labelme_shape("cell", square(5, 6, 20), group_id=1),
        labelme_shape("box", [[30, 26], [10, 6]], "rectangle"),
        labelme_shape("round", [[45, 20], [45, 30]], "circle"),
        labelme_mask("blob", (2, 30), np.ones((4, 5), bool)),
    ]
    labelme_file(root / "a.json", shapes, "a.jpg")
    return ("a.json",)


def of_via(root):
    photo(root / "a.jpg")
    ellipse = {"name": "ellipse", "cx": 20, "cy": 20, "rx": 5, "ry": 4}
    regions = [
        via_region(via_polygon(square(5, 6, 20)), type="cell"),
        via_region(ellipse, type="b"),
    ]
    (root / "v.json").write_text(json.dumps({"a": {"filename": "a.jpg", "regions": regions}}))
    return ("v.json",)


def of_jsonl(root):
    photo(root / "a.jpg")
    spans = [{"label": "cell", "points": square(5, 6, 20), "type": "polygon"}]
    spans += [{"label": "b", "type": "rect", "x": 1, "y": 2, "width": 30, "height": 9}]
    line = {"image": "a.jpg", "width": 60, "height": 40, "spans": spans, "answer": "accept"}
    (root / "all.jsonl").write_text(json.dumps(line))
    return ("all.jsonl",)


def of_label_studio(root):
    photo(root / "a.jpg")
    rgba = np.zeros((40, 60, 4), np.uint8)
    rgba[30:36, 2:9, 3] = 255
    share = {"x": 10.0, "y": 20.0, "rotation": 20}
    drawn = [
        region("polygonlabels", "cell", points=percent(square(5, 6, 20))),
        region("rectanglelabels", "box", **share, width=30.0, height=40.0),
        region("ellipselabels", "round", **share, radiusX=9.0, radiusY=5.0),
        region("brushlabels", "blob", format="rle", rle=packed(rgba.ravel().tolist())),
    ]
    (root / "tasks.json").write_text(json.dumps([task("a.jpg", *drawn)]))
    return ("tasks.json",)


def of_cvat(root):
    root.rmdir()
    kseg.data.convert(kseg.data.shapes("train", count=1, size=(32, 32)), f"voc:{root}")
    return "labelmap.txt", "ImageSets/Segmentation/train.txt"


def of_cvat_xml(root):
    photo(root / "images/a.jpg")
    (root / "annotations.xml").write_text(
        """<?xml version="1.0" encoding="utf-8"?>
<annotations><meta><task><labels>
<label><name>cell</name><color>#fa3253</color><type>any</type></label>
<label><name>blob</name><color>#33ddff</color><type>any</type></label></labels></task></meta>
<image id="0" name="a.jpg" subset="Train" width="60" height="40">
<polygon label="cell" points="5,6;25,6;25,26" z_order="1" group_id="1"></polygon>
<mask label="cell" rle="3, 5, 2, 6" left="2" top="30" width="4" height="4" group_id="1"></mask>
<box label="blob" xtl="30" ytl="6" xbr="40" ybr="16" rotation="30" z_order="0"></box>
<ellipse label="blob" cx="20" cy="20" rx="5" ry="4"></ellipse>
</image></annotations>"""
    )
    return ("annotations.xml",)


def of_nnunet(root):
    photo(root / "imagesTr/a_0000.png")
    (root / "labelsTr").mkdir()
    Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(root / "labelsTr/a.png")
    labels = {"background": 0, "cell": 1, "ignore": 2}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return ("dataset.json",)


TOOLS = [of_yolo, of_labelme, of_via, of_jsonl, of_label_studio, of_cvat, of_cvat_xml, of_nnunet]
KINDS = {"cvat_xml": "cvat", "label_studio": "jsonl"}


@pytest.mark.parametrize("times", COUNTS)
@pytest.mark.parametrize("write", TOOLS)
def test_damaged_files(tmp_path, write, times):
    rng, root, refused = random.Random(5), tmp_path / "set", 0
    root.mkdir()
    for name in write(root):
        content = (root / name).read_bytes()
        damage = damaged_json if name.endswith((".json", ".jsonl")) else damaged_text
        for trial in range(times):
            (root / name).write_bytes(damage(content, rng))
            try:
                kind = write.__name__.removeprefix("of_")
                kind = KINDS.get(kind, kind)
                instances = kind != "nnunet" and trial % 2 == 0
                split = "train" if kind in ("yolo", "cvat") else None
                split = None if write is of_cvat_xml else split
                sound(DataSpec(f"{kind}:{root}", instances=instances).open(split))
            except (ValueError, FileNotFoundError):
                refused += 1
        (root / name).write_bytes(content)
    assert times // 10 < refused


def sound(source):
    sample = source[0]
    if source.task == "instance":
        assert sample["masks"].shape[1:] == sample["image"].shape[:2]
        assert set(sample["classes"].tolist()) <= set(range(source.num_classes))
        assert sample["masks"].any(axis=(1, 2)).all()
    else:
        assert sample["label"].shape == sample["image"].shape[:2]
        known = {*range(source.num_classes), source.void}
        assert set(np.unique(sample["label"]).tolist()) <= known

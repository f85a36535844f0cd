"""All sets at hand, read through the public API and compared with Pillow and pycocotools alone;
and a page with pictures of each, kept in the folder that KSEG_TEST_REPORT names, if it does."""

import base64
import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.base.colors import NOT_SCORED, object_colors
from kseg.checks.findings import Report
from kseg.data.source import spread
from kseg.reports.check import write_check
from kseg.reports.shots import LARGEST, SMALLEST, size_for

pytestmark = pytest.mark.backends("tensorflow", reason="reads files, whatever the backend")

READ = 6  # samples that the fast tests read of a set


@dataclasses.dataclass(frozen=True)
class Set:
    """A set at hand.

    Args:
        fixture: That gives its folder, or skips.
        open: Folder -> `Source`.
        samples, classes: How many it must have.
        expected: Folder, id of a sample -> the sample as read without kseg, but for the photo.
        objects: Instances in the whole set.
    """

    fixture: str
    open: Callable
    samples: int
    classes: int
    expected: Callable
    objects: int | None = None

    def at(self, request):
        """Folder and source, or a skip."""
        if self.fixture.startswith("coco"):
            pytest.importorskip("pycocotools", reason="needs the extra coco")
        root = request.getfixturevalue(self.fixture)
        return root, self.open(root)


def stored(path):
    """The values of a mask: of a palette its indices."""
    with Image.open(path) as image:
        return np.array(image)


def camvid(split):
    def expected(root, name):
        label = stored(root / f"{split}annot" / f"{name}.png")
        return {"label": np.where(label == 11, 255, label)}

    return expected


def nuclei(root, name):
    numbers = stored(root / "labels" / f"{name}.png")
    keys = np.unique(numbers[numbers != 0])
    return {
        "masks": numbers == keys[:, None, None],
        "classes": np.zeros(len(keys)),
        "crowd": np.zeros(len(keys), bool),
    }


def voc_labels(root, name):
    return {"label": stored(root / "SegmentationClass" / f"{name}.png")}


def voc_objects(root, name):
    numbers = stored(root / "SegmentationObject" / f"{name}.png")
    label = stored(root / "SegmentationClass" / f"{name}.png")
    keys = [key for key in np.unique(numbers) if key not in (0, 255)]
    masks = np.array([numbers == key for key in keys])
    classes = [np.bincount(label[mask & (label % 255 != 0)]).argmax() - 1 for mask in masks]
    return {"masks": masks, "classes": classes, "crowd": np.zeros(len(keys), bool)}


def coco_json(root):
    nested = root / "annotations" / "instances_train2017.json"
    return json.loads((nested if nested.is_file() else root / "annotations.json").read_text())


def coco_objects(root, name):
    from pycocotools import mask as api

    content = coco_json(root)
    image = next(i for i in content["images"] if Path(i["file_name"]).stem == name)
    size = image["height"], image["width"]
    numbers = sorted(category["id"] for category in content["categories"])
    masks, classes, crowd = [], [], []
    for annotation in content["annotations"]:
        if annotation["image_id"] == image["id"]:
            rle = annotation["segmentation"]
            if isinstance(rle, list):
                rle = api.merge(api.frPyObjects(rle, *size))
            elif isinstance(rle["counts"], list):
                rle = api.frPyObjects(rle, *size)
            masks.append(api.decode(rle))
            classes.append(numbers.index(annotation["category_id"]))
            crowd.append(annotation["iscrowd"] == 1)
    return {"masks": np.array(masks).reshape(-1, *size), "classes": classes, "crowd": crowd}


def coco_labels(root, name):
    """Painted: crowds as void, over them the objects, large ones first."""
    found = coco_objects(root, name)
    label = np.zeros(found["masks"].shape[1:], np.uint8)
    areas = found["masks"].sum(axis=(1, 2))
    for i in sorted(range(len(areas)), key=lambda i: (not found["crowd"][i], -int(areas[i]))):
        label[found["masks"][i] != 0] = 255 if found["crowd"][i] else found["classes"][i] + 1
    return {"label": label}


def coco(photos, annotations, **options):
    return lambda root: kseg.data.coco(root / photos, root / annotations, **options)


def open_nuclei(root):
    return kseg.data.folder(root / "images", root / "labels", ["nucleus"], instances=True)


def open_voc(**options):
    return lambda root: kseg.data.voc(root, "trainval", **options)


MINI = "train2017", "annotations/instances_train2017.json"
POLYGONS = "images", "annotations.json"
SETS = {
    "CamVid train": Set(
        "camvid_root", lambda root: kseg.data.camvid(root), 367, 11, camvid("train")
    ),
    "CamVid val": Set(
        "camvid_root", lambda root: kseg.data.camvid(root, "val"), 101, 11, camvid("val")
    ),
    "DSB 2018, objects": Set("dsb_root", open_nuclei, 404, 1, nuclei, 12212),
    "COCO, labels": Set("coco_mini_root", coco(*MINI), 100, 81, coco_labels),
    "COCO, objects": Set("coco_mini_root", coco(*MINI, instances=True), 100, 80, coco_objects, 746),
    "COCO polygons, labels": Set("coco_polygons_root", coco(*POLYGONS), 6, 81, coco_labels),
    "COCO polygons, objects": Set(
        "coco_polygons_root", coco(*POLYGONS, instances=True), 6, 80, coco_objects, 36
    ),
    "Pascal VOC, labels": Set("voc_root", open_voc(), 4, 21, voc_labels),
    "Pascal VOC, objects": Set("voc_root", open_voc(instances=True), 4, 20, voc_objects, 14),
}


def compare(sample, expected):
    for key, value in expected.items():
        np.testing.assert_array_equal(sample[key], value, err_msg=key)
    for mask, box in zip(expected.get("masks", ()), sample.get("boxes", ())):
        y, x = np.nonzero(mask)
        np.testing.assert_array_equal(box, [x.min(), y.min(), x.max() + 1, y.max() + 1])
    size = sample["label"].shape if "label" in sample else sample["masks"].shape[1:]
    assert sample["image"].dtype == np.uint8 and sample["image"].shape == (*size, 3)


@pytest.mark.few("CamVid train", "COCO polygons", "DSB", "VOC")
@pytest.mark.parametrize("name", SETS)
def test_read(request, name):
    known = SETS[name]
    root, source = known.at(request)
    assert (len(source), source.num_classes) == (known.samples, known.classes)
    assert source.task == ("semantic" if known.objects is None else "instance")
    some = source.subset(spread(len(source), READ))
    for id_, sample in zip(some.ids, kseg.data.samples(some)):
        compare(sample, known.expected(root, id_))


def test_coco_is_counted_in_full(coco_mini_root):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    found = list(kseg.data.samples(SETS["COCO, objects"].open(coco_mini_root)))
    classes = np.concatenate([sample["classes"] for sample in found])
    crowd = np.concatenate([sample["crowd"] for sample in found])
    assert (len(classes), crowd.sum(), len(set(classes.tolist()))) == (746, 6, 69)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_every_pixel(request, name):
    known = SETS[name]
    root, source = known.at(request)
    objects = 0
    for id_, sample in zip(source.ids, kseg.data.samples(source)):
        compare(sample, known.expected(root, id_))
        objects += len(sample.get("masks", ()))
    assert objects == (known.objects or 0)


@pytest.mark.slow
def test_every_nucleus_is_counted(dsb_root):
    with open(dsb_root / "index.csv") as stream:
        counts = {row["id"]: int(row["n_instances"]) for row in csv.DictReader(stream)}
    source = open_nuclei(dsb_root)
    read = {id_: len(sample["masks"]) for id_, sample in zip(source.ids, kseg.data.samples(source))}
    assert read == counts and sum(read.values()) == 12212


def pictures_of(text):
    """The photos under each source's heading of a page, each with its labels: pairs of arrays."""
    found = {}
    for part in text.split("<h2>")[1:]:
        shots = []
        for shot in part.split('<li class="shot"')[1:]:
            photo = re.search('class="photo" alt="" src="data:image/jpeg;base64,([^"]+)"', shot)
            truth = re.search('src="data:image/png;base64,([^"]+)" data-layer="truth"', shot)
            stored = [io.BytesIO(base64.b64decode(each[1])) for each in (photo, truth)]
            kinds = zip(stored, ("RGB", "RGBA"))
            shots.append(tuple(np.asarray(Image.open(x).convert(kind)) for x, kind in kinds))
        found[part.partition("</h2>")[0]] = shots
    return found


@pytest.mark.slow
def test_pictures_of_all_sets(request, tmp_path):
    sources, missing = [], []
    for name, known in SETS.items():
        try:
            source = known.at(request)[1]
        except pytest.skip.Exception as reason:
            missing.append(str(reason))
            continue
        sources.append(source.subset(spread(len(source), READ), name=name))
    if not sources:
        pytest.skip("; ".join(dict.fromkeys(missing)))
    # each by itself: the labels and the objects of a set are of the same photos
    reports = [kseg.check(source) for source in sources]
    assert not [str(error) for report in reports for error in report.errors]
    file = Path(os.environ.get("KSEG_TEST_REPORT", tmp_path)) / "real_sets.html"
    # without the warnings of classes and the like, which are of these few samples only
    write_check(Report((), tuple(report.sources[0] for report in reports)), sources, file)

    shown = pictures_of(file.read_text(encoding="utf-8"))
    assert list(shown) == [source.name for source in sources]
    for source in sources:
        pictures = shown[source.name]
        assert len(pictures) == len(source)
        for index, (picture, labels) in enumerate(pictures):
            sample = source[index]
            size = size_for(sample["image"].shape, max(picture.shape))
            assert picture.shape == (*size, 3) and labels.shape == (*size, 4)
            assert SMALLEST <= max(size) <= LARGEST
            small = np.asarray(Image.fromarray(sample["image"]).resize(size[::-1]))
            assert np.abs(picture.astype(int) - small).mean() < 12 < picture.std() + 7  # the photo
            labelled = sample["label"] != 255 if "label" in sample else sample["masks"].any(axis=0)
            seen = np.count_nonzero(labels[..., 3]) / labels[..., 3].size
            assert seen == pytest.approx(labelled.mean(), abs=0.05) or "label" in sample
            assert seen >= labelled.mean() - 0.01  # void is hatched


def test_page_of_a_set_with_a_bad_sample(tmp_path, pair_folders):
    root = pair_folders()
    names = ["<ground>", "object"]
    (root / "images" / "p1.png").write_bytes(b"no picture")
    broken = kseg.data.folder(root / "images", root / "masks", names, name="a&b", probe=False)
    scenes = kseg.data.shapes("val", count=9, instances=True)
    write_check(kseg.check(broken, scenes), [broken, scenes], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = pictures_of(text)
    assert [len(pictures) for pictures in shown.values()] == [5, 6]  # p1 is left out
    first, second = text.split("<h2>")[1:]
    assert first.startswith("a&amp;b") and "<ground>" not in text and "&lt;ground&gt; " in text
    for index, id_ in enumerate(broken.ids):
        assert (f"<b>{id_}</b>" in first) == (index != 1)
    label = broken[0]["label"]
    assert f"object {(label == 1).mean():.1%}" in first
    name = scenes.class_names[scenes[0]["classes"][0]]
    count = (scenes[0]["classes"] == scenes[0]["classes"][0]).sum()
    assert f"{name}: {count}" in second


def test_objects_by_hand():
    image = np.full((6, 8, 3), 100, np.uint8)
    masks = np.zeros((3, 6, 8), np.uint8)
    masks[0, 2:4, 2:4] = 1  # lies on the second, which is larger
    masks[1, 1:5, 1:7] = 1
    masks[2, 5, 7] = 1
    boxes = np.array([[2, 2, 4, 4], [1, 1, 7, 5], [7, 5, 8, 6]], np.float32)
    crowd = np.array([False, False, True])
    picture = kseg.pictures.objects(image, masks, boxes, crowd=crowd)
    colors = object_colors(crowd)
    assert len({*colors}) == 3 and colors[2] == NOT_SCORED
    np.testing.assert_array_equal(picture[0], image[0])  # outside
    np.testing.assert_array_equal(picture[2:4, 2:4].reshape(-1, 3), [colors[0]] * 4)  # its box
    np.testing.assert_array_equal(picture[1, 1:7], [colors[1]] * 6)
    mixed = np.round(50 + np.array(colors[1]) / 2)
    np.testing.assert_array_equal(picture[2, 4:6], [mixed] * 2)
    np.testing.assert_array_equal(picture[5, 7], colors[2])
    none = kseg.pictures.objects(image, masks[:0], boxes[:0])
    np.testing.assert_array_equal(none, image)

"""Sets converted: what is read back is what was there, pixel for pixel, or a refusal."""

import dataclasses
import json
import os

import numpy as np
import pytest
from data.tool_sets import coco_content
from data.tool_sets import photo as write_photo

import kseg
from kseg.cli.main import main
from kseg.data.readers.voc import CLASSES as VOC
from kseg.data.spec import DataSpec
from kseg.data.writers.folders import _segments
from kseg.data.writers.outlines import outline

pytest.importorskip("pycocotools", reason="needs the extra coco")

KINDS = ("coco", "voc", "cityscapes", "yolo", "folder", "records")


def scenes(count=3, **options):
    return {s: kseg.data.shapes(s, count=count, size=(48, 64), **options) for s in ("train", "val")}


def made(samples, task="semantic", names=("background", "cell", "nucleus"), void=255, ids=None):
    """A source of these samples: dicts of arrays."""
    import tensorflow as tf

    keys = [key for key in samples[0] if key != "image"]

    def sample(index):
        return [samples[index]["image"], *(samples[index][key] for key in keys)]

    def decode(row):
        kinds = [tf.as_dtype(samples[0][key].dtype) for key in ("image", *keys)]
        values = tf.numpy_function(sample, [row["index"]], kinds)
        shapes = [(None,) * samples[0][key].ndim for key in keys]
        image = tf.ensure_shape(values[0], (None, None, 3))
        return {"image": image} | {
            key: tf.ensure_shape(v, s) for key, v, s in zip(keys, values[1:], shapes)
        }

    return kseg.data.Source(
        name="made",
        columns={"index": np.arange(len(samples))},
        decode=decode,
        class_names=names,
        colors=tuple((i, 9 * i, 200 - i) for i in range(len(names))),
        ids=ids or tuple(f"p{i}" for i in range(len(samples))),
        void=void,
        task=task,
    )


def photo(rng, size=(20, 30)):
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


def maps(rng, void=True, names=3):
    """Labels of specks, with holes, pieces and corners that touch; void is 254."""
    samples = []
    for _ in range(3):
        label = rng.integers(0, names, (20, 30)).astype(np.uint8)
        label[5:15, 5:25] = 1
        label[8:11, 9:14] = 0
        if void:
            label[:2] = 254
        samples.append({"image": photo(rng), "label": label})
    return samples


def objects(rng, overlap=False, crowd=False, classes=2):
    samples = []
    for index in range(3):
        masks = np.zeros((index, 20, 30), np.uint8)
        for number in range(index):
            masks[number, 2 + 6 * number : 9 + 5 * number, 3:20] = 1
            masks[number, 4 + 6 * number, 5:9] = 0
        if not overlap and index == 2:
            masks[0] *= 1 - masks[1]
        of = {"classes": rng.integers(0, classes, index).astype(np.int32)}
        of["crowd"] = np.zeros(index, bool)
        if crowd and index:
            of["crowd"][0] = True
        samples.append({"image": photo(rng), "masks": masks, **of})
    return samples


def in_order(sample):
    """The objects of a sample in an order that does not depend on that of a file."""
    order = sorted(
        range(len(sample["classes"])),
        key=lambda i: (sample["classes"][i], sample["masks"][i].tobytes()),
    )
    return {key: value if key == "image" else value[order] for key, value in sample.items()}


def same(source, back, ids=True):
    assert back.class_names == source.class_names and back.task == source.task
    assert len(back) == len(source) and (not ids or back.ids == source.ids)
    for index in range(len(source)):
        expected, sample = source[index], back[index]
        if "masks" in expected and not ids:  # Cityscapes numbers the objects of each class
            expected, sample = in_order(expected), in_order(sample)
        np.testing.assert_array_equal(sample["image"], expected["image"])
        for key in expected.keys() - {"image", "boxes"}:
            value = expected[key]
            if key == "label":
                value = np.where(value == source.void, back.void, value)
            np.testing.assert_array_equal(sample[key], value, err_msg=key)


@pytest.fixture
def there_and_back(tmp_path):
    def check(sources, kind, instances=False, ids=True):
        out = tmp_path / kind
        assert kseg.data.convert(sources, f"{kind}:{out}") == out
        spec = DataSpec(f"{kind}:{out}", instances=instances)
        for split, source in sources.items():
            same(source, spec.open(split), ids)
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
        return out

    return check


@pytest.mark.parametrize("kind", KINDS)
def test_generated_scenes(there_and_back, kind):
    sources = scenes()
    out = there_and_back(sources, kind, ids=kind != "cityscapes")
    found = DataSpec(str(out)).resolved()
    assert found.kind == {"voc": "cvat"}.get(kind, kind)
    same(sources["val"], found.open("val"), ids=kind != "cityscapes")


@pytest.mark.parametrize("kind", KINDS)
def test_generated_objects(there_and_back, kind):
    sources = scenes(instances=True)
    if kind == "folder":  # objects of one class
        for split, source in sources.items():
            decode = source.decode
            one = {"class_names": ("thing",), "colors": ((9, 9, 9),)}
            sources[split] = dataclasses.replace(
                source,
                decode=lambda row, d=decode: d(row) | {"classes": d(row)["classes"] * 0},
                **one,
            )
    there_and_back(sources, kind, instances=True, ids=kind != "cityscapes")


@pytest.mark.parametrize("kind", KINDS)
def test_specks_holes_and_void(there_and_back, rng, kind):
    train = made(maps(rng, kind != "yolo"), void=254)
    sources = {"train": train, "val": made(maps(rng, False), ids=("a", "b c", "d"))}
    if kind in ("voc", "folder", "cityscapes"):  # whose names are flat
        sources["val"] = made(maps(rng, False), ids=("a", "b", "d"))
    out = there_and_back(sources, kind, ids=kind != "cityscapes")
    if kind == "yolo":
        with pytest.raises(ValueError, match="void in 'p0'.: expected labels without void"):
            kseg.data.convert(made(maps(rng), void=254), f"yolo:{out}-2")


@pytest.mark.few("coco", "yolo")
@pytest.mark.parametrize("kind", ["coco", "voc", "cityscapes", "yolo", "records"])
def test_objects_with_holes_and_overlaps(there_and_back, tmp_path, rng, kind):
    names = ("cell", "nucleus")
    train = made(objects(rng), "instance", names)
    apart = {"train": train, "val": made(objects(rng), "instance", names, ids=tuple("abc"))}
    there_and_back(apart, kind, True, ids=kind != "cityscapes")
    over = made(objects(rng, overlap=True), "instance", names)
    if kind in ("voc", "cityscapes"):
        with pytest.raises(ValueError, match="objects that overlap'.*Convert to coco: or yolo:"):
            kseg.data.convert(over, f"{kind}:{tmp_path}/over")
        assert not (tmp_path / "over").exists()
    else:
        kseg.data.convert({"train": over, "val": over}, f"{kind}:{tmp_path}/over")
        same(over, DataSpec(f"{kind}:{tmp_path}/over", instances=True).open("train"))
    crowds = made(objects(rng, crowd=True), "instance", names)
    if kind in ("voc", "yolo"):
        with pytest.raises(ValueError, match="crowd regions'.*Convert to coco:"):
            kseg.data.convert(crowds, f"{kind}:{tmp_path}/crowds")
    else:
        kseg.data.convert({"val": crowds}, f"{kind}:{tmp_path}/crowds")
        same(crowds, DataSpec(f"{kind}:{tmp_path}/crowds", instances=True).open("val"), ids=False)


def test_official_names_stay_official(tmp_path, there_and_back, rng):
    """Classes that are VOC's, or are called as Cityscapes' are, stand under their own numbers."""
    voc = made(maps(rng), names=VOC, void=254)
    assert not (there_and_back({"train": voc}, "voc") / "labelmap.txt").exists()
    city = made(maps(rng), names=("sky", "road", "car"), void=254)
    kseg.data.convert({"val": city}, f"cityscapes:{tmp_path}/city")
    back = kseg.data.cityscapes(tmp_path / "city", "val")
    assert back.category_ids == (23, 7, 26)
    same(city, back, ids=False)


def test_photos_stay_the_files_they_are(tmp_path, rng, write_image):
    for name in ("a.jpg", "b.png", "c.bmp"):
        write_image(f"set/images/{name}", photo(rng))
        write_image(f"set/masks/{name[0]}.png", np.eye(20, 30, dtype=np.uint8))
    source = kseg.data.folder(tmp_path / "set/images", tmp_path / "set/masks", ["a", "b"])
    kseg.data.convert(source, f"coco:{tmp_path}/coco")
    for name in ("a.jpg", "b.png"):
        content = (tmp_path / "set/images" / name).read_bytes()
        assert (tmp_path / "coco/train" / name).read_bytes() == content
    same(source, DataSpec(f"coco:{tmp_path}/coco").open("train"))  # of c.bmp, the pixels


@pytest.mark.parametrize(
    "to, names, said",
    [
        ("png:x", None, "to='png:x': expected one of coco:PATH"),
        ("coco", None, "to='coco': expected one of"),
        (
            "yolo:{}",
            ("sky", "road", "car"),
            "expected 'background', which yolo: has without a label",
        ),
        ("folder:{}", ("a", "void", "b"), "'void' is read as something else. Rename it"),
        ("cityscapes:{}", tuple(map(str, range(20))), "expected at most 19, the classes of city"),
        ("voc:{}", tuple(map(str, range(255))), "expected at most 254, the ids of voc:"),
    ],
)
def test_what_cannot_be(tmp_path, rng, to, names, said):
    source = made(maps(rng, False), names=names) if names else scenes(1)["val"]
    with pytest.raises(ValueError, match=said):
        kseg.data.convert(source, to.format(tmp_path / "out"))
    assert os.listdir(tmp_path) == []


def test_nothing_is_written_over_or_left_behind(tmp_path, rng):
    source = scenes(1)["val"]
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not there yet, or is empty"):
        kseg.data.convert(source, f"coco:{tmp_path}/full")
    assert (tmp_path / "full/mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    kseg.data.convert(source, f"coco:{tmp_path}/empty")

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kseg.data.convert(source, f"coco:{tmp_path}/stopped", progress=stop)
    assert sorted(os.listdir(tmp_path)) == ["empty", "full"]
    other = made(maps(rng))
    with pytest.raises(ValueError, match="splits of one task and one list of classes"):
        kseg.data.convert({"train": source, "val": other}, f"coco:{tmp_path}/x")


def test_an_outline_is_of_its_mask_alone(rng):
    from pycocotools import mask as coco

    for trial in range(60):
        height, width = rng.integers(1, 30, 2)
        mask = (rng.random((height, width)) < rng.choice([0.05, 0.3, 0.6, 0.9])).astype(np.uint8)
        mask[rng.integers(height), rng.integers(width)] = 1
        (runs,) = coco.frPyObjects([outline(mask).ravel().tolist()], int(height), int(width))
        np.testing.assert_array_equal(coco.decode(runs), mask, err_msg=str(trial))


@pytest.mark.slow
def test_what_an_annotation_file_says_is_carried(tmp_path, capsys):
    """Its own boxes and areas, crowd, ids of photos and of categories from 0; or it is said."""
    content = coco_content("ab", [(2, 3, 10, 0), (20, 5, 8, 4)], ("cell", "nucleus"))
    content["images"][1]["id"] = 77
    for entry, name in zip(content["images"], "ab"):
        entry["file_name"] = f"{name}.png"
        write_photo(tmp_path / "set/images" / f"{name}.png")
    for category, key in zip(content["categories"], (0, 4)):
        category["id"] = key
    for annotation in content["annotations"]:
        annotation["image_id"] = {0: 0, 1: 77}[annotation["image_id"]]
        annotation |= {"bbox": [1.5, 2.25, 11.75, 12.5], "area": 93.125}
    content["annotations"][1] |= {"iscrowd": 1}
    del content["annotations"][2]["area"]
    (tmp_path / "set/annotations.json").write_text(json.dumps(content))
    source = kseg.data.coco(
        tmp_path / "set/images", tmp_path / "set/annotations.json", instances=True
    )
    stated = [source.annotated(index) for index in range(2)]
    assert stated[0].tolist() == [[1.5, 2.25, 11.75, 12.5, 93.125]] * 2
    assert np.isnan(stated[1][0, 4]) and source.category_ids == (0, 4)
    kseg.data.convert(source, f"records:{tmp_path / 'records'}")
    kseg.data.convert(source, f"coco:{tmp_path / 'coco'}")
    for kind, back in (
        ("records", kseg.data.records(tmp_path / "records/train")),
        ("coco", DataSpec(f"coco:{tmp_path / 'coco'}", instances=True).open("train")),
    ):
        same(source, back)
        assert (back.category_ids, back.image_ids) == ((0, 4), (0, 77))
        np.testing.assert_array_equal(back.annotated(0), stated[0])
        np.testing.assert_array_equal(back[0]["crowd"], [False, True])
        expected = stated[1].copy()
        if kind == "coco":
            expected[0, 4] = 100  # where the file says none, of the mask
        np.testing.assert_array_equal(back.annotated(1), expected)
        np.testing.assert_array_equal(back.subset([1]).annotated(0), expected)
    assert main(["convert", str(tmp_path / "set"), f"voc:{tmp_path / 'voc'}"]) == 0
    assert "not in voc: the annotation file's ids of photos" in capsys.readouterr().out
    damaged = dict(np.load(tmp_path / "records/train/index.npz"))
    np.savez(tmp_path / "records/train/index.npz", **damaged | {"objects": damaged["objects"] + 1})
    with pytest.raises(ValueError, match="index.npz is damaged .*annotated is not what"):
        kseg.data.records(tmp_path / "records/train")


def test_segments_of_a_panoptic_file_by_hand():
    label = np.array([[0, 0, -1], [1, 0, -1]])
    assert _segments(label, [5, 9]) == [
        {"id": 1, "category_id": 5, "iscrowd": 0, "bbox": [0, 0, 2, 2], "area": 3},
        {"id": 2, "category_id": 9, "iscrowd": 0, "bbox": [0, 1, 1, 1], "area": 1},
    ]

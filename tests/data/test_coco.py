"""COCO: masks as pycocotools decodes them, and each mistake in a JSON named with its annotation."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kseg
from kseg.data.coco_format.rle import END, decode_rles, encode_block, parse
from kseg.data.coco_format.rows import stated_by
from kseg.data.writers.layouts import write_coco

mask_api = pytest.importorskip("pycocotools.mask", reason="needs the extra coco")

HEIGHT, WIDTH = 20, 30


def reference(content, image):
    """An image's annotations, and their masks by pycocotools alone."""
    size = image["height"], image["width"]
    annotations = [a for a in content["annotations"] if a["image_id"] == image["id"]]
    masks = []
    for annotation in annotations:
        stored = annotation["segmentation"]
        if isinstance(stored, list) or isinstance(stored["counts"], list):
            stored = mask_api.frPyObjects(stored, *size)
        masks.append(mask_api.decode(mask_api.merge(stored if type(stored) is list else [stored])))
    return annotations, np.array(masks, np.uint8).reshape(-1, *size)


def painted(annotations, masks, class_of):
    """The semantic map: crowd, then objects by falling area."""
    label = np.zeros(masks.shape[1:], np.uint8)
    order = sorted(
        range(len(masks)), key=lambda i: (not annotations[i]["iscrowd"], -int(masks[i].sum()))
    )
    for i in order:
        crowd = annotations[i]["iscrowd"]
        label[masks[i] != 0] = 255 if crowd else class_of[annotations[i]["category_id"]]
    return label


@pytest.mark.few("coco_polygons")
@pytest.mark.parametrize("name", ["coco_mini", "coco_polygons"])
def test_real_masks_are_those_of_pycocotools(name, request):
    root = request.getfixturevalue(f"{name}_root")
    folder, file = {
        "coco_mini": ("train2017", "annotations/instances_train2017.json"),
        "coco_polygons": ("images", "annotations.json"),
    }[name]
    content = json.loads((root / file).read_text())
    numbers = sorted(category["id"] for category in content["categories"])

    things = kseg.data.coco(root / folder, root / file, instances=True)
    assert things.category_ids == tuple(numbers) and things.num_classes == 80
    assert things.class_names[11] == "stop sign" and things.category_ids[11] == 13
    maps = kseg.data.coco(root / folder, root / file)
    assert maps.category_ids == (0, *numbers) and maps.class_names[:2] == ("background", "person")

    with_crowd = {a["image_id"] for a in content["annotations"] if a["iscrowd"]}
    images = content["images"]
    chosen = [i for i, image in enumerate(images) if i % 5 == 0 or image["id"] in with_crowd]
    crowds = 0
    for index, found, map_ in zip(
        chosen, kseg.data.samples(things.subset(chosen)), kseg.data.samples(maps.subset(chosen))
    ):
        image = images[index]
        annotations, masks = reference(content, image)
        np.testing.assert_array_equal(found["masks"], masks)
        assert [numbers[c] for c in found["classes"]] == [a["category_id"] for a in annotations]
        assert found["crowd"].tolist() == [a["iscrowd"] == 1 for a in annotations]
        for mask, box in zip(masks, found["boxes"]):
            y, x = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            np.testing.assert_array_equal(box, [x[0], y[0], x[-1] + 1, y[-1] + 1])
        class_of = {number: 1 + place for place, number in enumerate(numbers)}
        np.testing.assert_array_equal(map_["label"], painted(annotations, masks, class_of))
        for mask in masks[found["crowd"]]:
            crowds += 1
            objects = masks[~found["crowd"]].any(axis=0)
            assert (map_["label"][(mask != 0) & ~objects] == 255).all()
    assert crowds == {"coco_mini": 6, "coco_polygons": 1}[name]


@pytest.fixture(scope="module")
def in_graph():
    import tensorflow as tf

    signature = [tf.TensorSpec((), tf.string), tf.TensorSpec((2,), tf.int32)]
    return tf.function(decode_rles, input_signature=signature)


@settings(max_examples=60, deadline=None)
@given(
    masks=hnp.arrays(
        np.uint8,
        st.tuples(st.integers(0, 4), st.integers(1, 40), st.integers(1, 40)),
        elements=st.integers(0, 1),
        fill=st.integers(0, 1),
    )
)
def test_any_mask_comes_back(in_graph, masks):
    rles = [mask_api.encode(np.asfortranarray(mask))["counts"].decode() for mask in masks]
    for rle, mask in zip(rles, masks):
        assert parse(rle).sum() == mask.size
    found = in_graph("".join(rle + END for rle in rles), masks.shape[1:])
    np.testing.assert_array_equal(found, masks)


def test_large_counts(in_graph):
    # differences of many digits and of either sign
    mask = np.zeros((3000, 700), np.uint8)
    mask[:, 300], mask[7, 301:], mask[:2999, 500:502] = 1, 1, 1
    rle = mask_api.encode(np.asfortranarray(mask))["counts"].decode()
    np.testing.assert_array_equal(in_graph(rle + END, mask.shape)[0], mask)


@pytest.mark.parametrize(
    "first, block",
    [
        ((0, 0), np.ones((3, 2), bool)),
        ((2, 5), np.eye(4, dtype=bool)),
        ((0, 28), np.ones((20, 2), bool)),  # ends in ones
        ((4, 7), np.zeros((3, 3), bool)),
        ((1, 3), np.random.default_rng(0).integers(0, 2, (17, 25)).astype(bool)),  # either sign
    ],
)
def test_a_block_of_a_mask_is_encoded_as_by_pycocotools(first, block):
    (top, left), (height, width) = first, block.shape
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[top : top + height, left : left + width] = block
    written = encode_block(block, np.int32(first), np.int32(mask.shape)).numpy()
    assert written == mask_api.encode(mask)["counts"]


@pytest.fixture
def make(tmp_path, write_image):
    """Writes two photos and an annotation file with these annotations; returns the arguments."""

    def make(*annotations, **changes):
        for name in ("a.png", "b.png"):
            write_image(f"photos/{name}", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
        content = {
            "images": [
                {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
                for number, name in ((7, "a.png"), (9, "b.png"))
            ],
            "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
            "annotations": [
                {"id": 100 + i, "image_id": 7, "category_id": 3, "iscrowd": 0} | annotation
                for i, annotation in enumerate(annotations)
            ],
        } | changes
        path = tmp_path / "a.json"
        path.write_text(json.dumps(content))
        return tmp_path / "photos", path

    return make


def square(x, y, side):
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def runs(mask, compressed=True):
    if compressed:
        counts = mask_api.encode(np.asfortranarray(mask))["counts"].decode()
    else:
        flat = np.concatenate([[0], mask.T.ravel(), [2]])
        counts = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat)), [mask.size]]))
        counts = counts[: len(counts) - (counts[-1] == 0)].tolist()
    return {"size": list(mask.shape), "counts": counts}


def test_every_kind_of_mask(make, rng, same_eagerly):
    mask = (rng.random((HEIGHT, WIDTH)) < 0.5).astype(np.uint8)
    padded = {"size": [HEIGHT, WIDTH], "counts": [5, 3, 0, 4, HEIGHT * WIDTH - 12, 0]}
    both = square(2, 3, 4) + square(4, 5, 9)
    photos, path = make(
        {"segmentation": runs(mask)},
        {"segmentation": runs(mask, compressed=False), "category_id": 18},
        {"segmentation": padded},
        {"segmentation": both, "iscrowd": 1},
    )
    source = kseg.data.coco(photos, path, instances=True)
    sample, empty = same_eagerly(source)
    np.testing.assert_array_equal(sample["masks"][0], mask)
    np.testing.assert_array_equal(sample["masks"][1], mask)
    assert np.flatnonzero(sample["masks"][2].T.ravel()).tolist() == [5, 6, 7, 8, 9, 10, 11]
    union = mask_api.decode(mask_api.merge(mask_api.frPyObjects(both, HEIGHT, WIDTH)))
    np.testing.assert_array_equal(sample["masks"][3], union)
    assert sample["classes"].tolist() == [0, 1, 0, 0]
    assert sample["crowd"].tolist() == [False, False, False, True]
    assert source.class_names == ("car", "dog") and source.category_ids == (3, 18)
    assert source.ids == ("a", "b") and source.problems(0) == []
    assert empty["masks"].shape == (0, HEIGHT, WIDTH) and empty["boxes"].shape == (0, 4)


def test_small_objects_lie_on_large_ones_and_crowd_below(make, same_eagerly):
    source = kseg.data.coco(
        *make(
            {"segmentation": square(4, 4, 4), "category_id": 18},
            {"segmentation": square(2, 2, 10)},
            {"segmentation": square(0, 0, 14), "iscrowd": 1},
        )
    )
    sample, empty = same_eagerly(source)
    label = np.zeros((HEIGHT, WIDTH))
    label[:14, :14], label[2:12, 2:12], label[4:8, 4:8] = 255, 1, 2
    np.testing.assert_array_equal(sample["label"], label)
    assert source.category_ids == (0, 3, 18) and not empty["label"].any()


def test_more_objects_than_a_byte_counts(make, same_eagerly):
    objects = [{"segmentation": square(i % 26, i // 26, 4)} for i in range(300)]
    sample, _ = same_eagerly(kseg.data.coco(*make(*objects), instances=True))
    assert sample["masks"].shape == (300, HEIGHT, WIDTH)
    np.testing.assert_array_equal(sample["masks"].sum(axis=(1, 2)), 16)


def test_many_classes(make):
    # 255 is the 255th category, so void moves on
    categories = [{"id": 1 + i, "name": f"c{i}"} for i in range(300)]
    arguments = make(
        {"segmentation": square(4, 4, 4), "category_id": 255},
        {"segmentation": square(10, 4, 4), "category_id": 300, "iscrowd": 1},
        categories=categories,
    )
    source = kseg.data.coco(*arguments)
    assert source.void == 65535 and source.num_classes == 301
    assert np.unique(source[0]["label"]).tolist() == [0, 255, 65535]
    named_zero = kseg.data.coco(*make(categories=[{"id": 0, "name": "cell"}]))
    assert named_zero.category_ids == (-1, 0)


def test_oddities_are_told_not_raised(make):
    source = kseg.data.coco(
        *make(
            {"segmentation": square(40, 4, 5), "bbox": [40, 4, 5, 5]},
            {"segmentation": [], "bbox": [1, 1, 2, 2]},
            {"segmentation": square(20, 4, 10.8), "bbox": [20, 4, 10.8, 10.8]},
            {"segmentation": runs(np.zeros((HEIGHT, WIDTH), np.uint8))},
        ),
        instances=True,
    )
    problems = source.problems(0)
    kinds = [kind for kind, _ in problems]
    assert sorted(kinds) == ["box_outside", *["empty_instance"] * 3]
    assert "a.json: annotation 100" in problems[kinds.index("box_outside")][1]
    assert "15 pixels beyond" in problems[kinds.index("box_outside")][1]
    assert source.problems(1) == [] and source.subset([1, 0]).problems(1) == problems
    assert source[0]["masks"].shape == (1, HEIGHT, WIDTH)  # the third alone


@pytest.mark.parametrize(
    "annotation, expected",
    [
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "polygon is 7 numbers"),
        ({"segmentation": ["1", 2, 3, 4, 5, 6]}, "polygon is '1'; expected a list"),
        ({"segmentation": [[1, 2, 3, "4", 5, 6]]}, "other than coordinates"),
        ({"segmentation": [[1, 2, 3, float("nan"), 5, 6]]}, "other than coordinates"),
        ({"segmentation": [[1, 2, 3, 1e12, 5, 6]]}, "other than coordinates"),
        ({"segmentation": "0123"}, "segmentation='0123'; expected list or dict"),
        ({}, "'segmentation' is missing"),
        ({"segmentation": {"counts": "0"}}, "'size' is missing"),
        ({"segmentation": {"size": [HEIGHT, WIDTH]}}, "'counts' is missing"),
        ({"segmentation": {"size": [WIDTH, HEIGHT], "counts": "0"}}, r"\[30, 20\].*\[20, 30\]"),
        ({"segmentation": {"size": [20, 30], "counts": [100, 100]}}, "200 pixels.* = 600"),
        ({"segmentation": {"size": [20, 30], "counts": []}}, "add up to 0"),
        ({"segmentation": {"size": [20, 30], "counts": [700, -100]}}, "none may be negative"),
        ({"segmentation": {"size": [20, 30], "counts": [1.5]}}, "expected integers"),
        ({"segmentation": {"size": [20, 30], "counts": "ab\x7f"}}, "characters other than"),
        ({"segmentation": {"size": [20, 30], "counts": "é"}}, "characters other than"),
        ({"segmentation": {"size": [20, 30], "counts": ""}}, "or none"),
        ({"segmentation": {"size": [20, 30], "counts": "o"}}, "break off"),
        ({"segmentation": {"size": [20, 30], "counts": "oooooooo0"}}, "large enough"),
        ({"segmentation": {"size": [20, 30], "counts": "11"}}, "add up to 2 pixels"),
        ({"segmentation": [], "image_id": 8}, 'image_id=8 is not among the file\'s "images"'),
        ({"segmentation": [], "category_id": 4}, 'category_id=4 is not .* "categories"'),
        ({"segmentation": [], "category_id": None}, "category_id=None; expected int"),
        ({"segmentation": [], "iscrowd": "no"}, "iscrowd='no': expected 0 or 1"),
        ({"segmentation": [], "bbox": [1, 2, 3]}, r"bbox=\[1, 2, 3\]; expected \[x, y"),
    ],
)
def test_damaged_annotations(make, annotation, expected):
    with pytest.raises(ValueError, match=f"a.json: annotation 100.*{expected}") as error:
        kseg.data.coco(*make(annotation))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"images": None}, '"images" is None; expected a list'),
        ({"categories": [3]}, '"categories" is .*expected a list of objects'),
        ({"images": []}, "at least one image"),
        ({"images": [{"id": 1, "file_name": "a.png", "height": "9x"}]}, "image 1: height='9x'"),
        ({"images": [{"id": 1, "file_name": "a.png", "height": 0, "width": 3}]}, "height=0"),
        ({"images": [{"id": 1, "height": 0, "width": 3}]}, "'file_name' is missing"),
        ({"categories": [{"id": 1, "name": "a"}] * 2}, "two categories have this id"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "1, 2: all are named"),
        ({"categories": [{"id": 1, "name": "background"}]}, "no category is a class of objects"),
    ],
)
def test_damaged_files(make, changes, expected):
    with pytest.raises(ValueError, match=f"a.json.*{expected}"):
        kseg.data.coco(*make(**changes))


def test_other_mistakes(make):
    photos, path = make()
    (photos / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 2 files .*photos/b.png"):
        kseg.data.coco(photos, path)
    with pytest.raises(FileNotFoundError, match="images=.*does not exist"):
        kseg.data.coco(photos / "none", path)
    with pytest.raises(FileNotFoundError, match="annotations=.*does not exist"):
        kseg.data.coco(photos, path.with_name("none.json"))
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes())
    with pytest.raises(ValueError, match="panoptic=.*no panoptic set"):
        kseg.data.coco(photos, path, panoptic=photos)
    content = json.loads(path.read_text())
    content["images"][1]["file_name"] = "a.png"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="two images are named 'a'"):
        kseg.data.coco(photos, path)
    for text, expected in (
        ("{", "is not JSON"),
        ("[1]", "holds a list, as files of results"),
        ("[" * 100_000, "is not JSON"),
        ("{}", '"images" is missing'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"a.json.*{expected}"):
            kseg.data.coco(photos, path)


def test_without_pycocotools(make, monkeypatch):
    arguments = make({"segmentation": square(1, 1, 4)})
    monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
    with pytest.raises(ImportError, match="kseg's extra coco. Run: pip install "):
        kseg.data.coco(*arguments)


def test_photo_of_another_size(make, write_image):
    photos, path = make({"segmentation": square(1, 1, 4)})
    write_image("photos/a.png", np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(Exception, match="differ in size"):
        kseg.data.coco(photos, path)[0]


def test_round_trip(tmp_path, same_eagerly):
    scenes = kseg.data.shapes("val", count=3, size=(32, 48), instances=True)
    write_coco(scenes, tmp_path / "photos", tmp_path / "notes" / "a.json")
    source = kseg.data.coco(tmp_path / "photos", tmp_path / "notes" / "a.json", instances=True)
    assert source.class_names == scenes.class_names and source.ids == scenes.ids
    assert [source.problems(i) for i in range(3)] == [[], [], []]
    for sample, scene in zip(same_eagerly(source), same_eagerly(scenes)):
        for key, value in scene.items():
            np.testing.assert_array_equal(sample[key], value)
    maps = kseg.data.coco(tmp_path / "photos", tmp_path / "notes" / "a.json")
    labels = kseg.data.shapes("val", count=3, size=(32, 48))
    for sample, scene in zip(kseg.data.samples(maps), kseg.data.samples(labels)):
        np.testing.assert_array_equal(sample["label"], scene["label"])


def test_what_an_annotation_says_of_itself():
    assert stated_by({"bbox": [1, 2, 3, 4], "area": 5}) == [1, 2, 3, 4, 5]
    for box in ([1, 2, 0, 4], [1, 2, 3, 0], [1, 2, -3, 4], []):  # no box
        assert np.isnan(stated_by({"bbox": box, "area": 5})).tolist() == [True] * 4 + [False]
    for area in (0, -1, True, "5", None):
        assert np.isnan(stated_by({"bbox": [1, 2, 3, 4], "area": area})[-1])

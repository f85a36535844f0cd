"""kseg.data.shapes: the same bytes everywhere, and labels exact to the pixel."""

import hashlib
import re

import numpy as np
import pytest

import kseg
from kseg.data.readers.shapes import CLASS_NAMES, MIN_VISIBLE, draw_scene, shapes
from kseg.data.spec import DataSpec

# sha256 of draw_scene(*arguments), the same under NumPy 1.26 and 2.4, with SIMD or without.
DIGESTS = {
    (0, 0): "24fd6f18356cf19bac5d0d2f1efab0173a8bc94fe0239c13581138c7f4f102b1",
    (0, 1): "1d8aef435f10b89d58684721f63d98c02fee2f500b92bcfc5467156d3fa25633",
    (0, 2): "4e6e6805ff4609d8a32946a733d861e844574f17dc9a4786dbeacc7e474dd12c",
    (1, 0): "0f7f9cf22a4707aae7c90e4110d1ff522ec9aed8926b6160f3d8d213ba0dc94c",
    (2**32 - 1, 7): "b0d319eddf555f360ca2e2435ba0d111a012a9133706e93d6c53758451307c0f",
    (6, 3, (61, 130), 12): "71eb1a5ce23cb44c88ea8b8bea3a3d5d8ec67453451a07e15a4b100b9b2cb493",
}


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(0, index) for index in range(40)]


def digest(scene):
    arrays = [scene[key] for key in ("image", "label", "instances", "classes")]
    little_endian = [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays]
    return hashlib.sha256(b"".join(little_endian)).hexdigest()


@pytest.mark.parametrize("arguments", DIGESTS, ids=str)
def test_bytes_are_the_published_ones(arguments):
    assert digest(draw_scene(*arguments)) == DIGESTS[arguments]


def test_scenes_do_not_depend_on_what_was_drawn_before(scenes):
    np.random.seed(1)
    draw_scene(5, 5)
    assert digest(draw_scene(0, 7)) == digest(scenes[7])


def test_every_scene_is_another(scenes):
    digests = {digest(scene) for scene in scenes} | {digest(draw_scene(1, i)) for i in range(40)}
    assert len(digests) == 80


def test_arrays(scenes):
    for scene in scenes:
        kinds = {key: (array.dtype, array.shape) for key, array in scene.items()}
        assert kinds == {
            "image": (np.uint8, (96, 96, 3)),
            "label": (np.uint8, (96, 96)),
            "instances": (np.uint16, (96, 96)),
            "classes": (np.uint8, scene["classes"].shape),
        }
        assert scene["image"].std() > 10  # neither blank nor saturated


def test_label_is_the_class_of_the_instance_at_every_pixel(scenes):
    for scene in scenes:
        background = scene["instances"] == 0
        assert background.any()
        assert (scene["label"][background] == 0).all()
        ids = scene["instances"][~background].astype(int)
        np.testing.assert_array_equal(scene["label"][~background], scene["classes"][ids - 1])
        assert set(scene["classes"]) <= set(range(1, len(CLASS_NAMES)))


@pytest.mark.parametrize("size", [(16, 16), (96, 96), (33, 71), (120, 17)], ids=str)
@pytest.mark.parametrize("max_objects", [1, 6, 40])
def test_instances_are_consecutive_and_large_enough(size, max_objects):
    for index in range(10):
        scene = draw_scene(2, index, size, max_objects)
        assert scene["image"].shape == (*size, 3)
        assert scene["label"].shape == scene["instances"].shape == size
        areas = np.bincount(scene["instances"].ravel())[1:]
        assert len(areas) == len(scene["classes"]) <= max_objects
        assert (areas >= MIN_VISIBLE).all()


def test_most_objects_are_drawn_when_there_is_room():
    counts = [len(draw_scene(0, index, (192, 192))["classes"]) for index in range(20)]
    assert min(counts) >= 2  # at least 3 of 6 are attempted, few are hidden
    assert max(counts) == 6


def test_nearer_objects_hide_farther_ones():
    # A scene's first object is the same however many follow, so what follows must not touch it.
    first, last = 0, 0
    for index in range(40):
        alone = draw_scene(3, index, max_objects=1)["instances"]
        crowd = draw_scene(3, index, max_objects=30)["instances"]
        np.testing.assert_array_equal(crowd == 1, alone == 1)
        first += np.count_nonzero(crowd == 1)
        last += np.count_nonzero(crowd == crowd.max())
    assert last < first / 2  # objects are alike in size, but the farthest are half hidden


def test_edges_of_image_and_instances_coincide(scenes):
    on_edge, beside_edge = [], []
    for scene in scenes:
        step = np.abs(np.diff(scene["image"].astype(float), axis=1)).sum(-1)  # (H, W - 1)
        edge = np.diff(scene["instances"].astype(int), axis=1) != 0
        beside = (np.roll(edge, 1, axis=1) | np.roll(edge, -1, axis=1)) & ~edge
        on_edge.append(step[edge].mean())
        beside_edge.append(step[beside].mean())
    assert np.mean(on_edge) > 2 * np.mean(beside_edge)


def test_a_disk_is_the_pixels_whose_centres_lie_within_its_radius():
    checked = 0
    for index in range(60):
        scene = draw_scene(4, index, max_objects=1)
        mask = scene["instances"] == 1
        at_border = mask[[0, -1]].any() or mask[:, [0, -1]].any()
        if CLASS_NAMES[scene["classes"][0]] != "disk" or at_border:
            continue
        y, x = np.indices(mask.shape)
        distance = np.hypot(y - y[mask].mean(), x - x[mask].mean())
        # The mean of the pixels is within about 0.1 of the true centre, hence the slack.
        assert distance[mask].max() <= distance[~mask].min() + 0.3
        np.testing.assert_allclose(mask.sum(), np.pi * distance[mask].max() ** 2, rtol=0.05)
        checked += 1
    assert checked >= 3


def test_shapes_is_a_source_of_scenes():
    source = shapes("val", size=(40, 57), count=3, seed=4)
    assert source.name == "shapes/val"
    assert source.class_names == CLASS_NAMES
    assert len(source.colors) == len(set(source.colors)) == len(CLASS_NAMES)
    assert source.ids == ("val-00000", "val-00001", "val-00002")
    assert set(source.columns) == {"image", "label"}
    for index in range(3):
        scene = draw_scene(2 * 4 + 1, index, (40, 57))
        np.testing.assert_array_equal(source.columns["image"][index], scene["image"])
        np.testing.assert_array_equal(source.columns["label"][index], scene["label"])


def test_train_split_holds_every_class_often():
    source = shapes(size=(48, 48))
    assert source.columns["image"].shape == (400, 48, 48, 3)
    share = np.bincount(source.columns["label"].ravel(), minlength=6) / source.columns["label"].size
    assert 0.5 < share[0] < 0.8
    assert (share[1:] > 0.02).all()


def test_splits_and_seeds_share_no_scene():
    sources = [shapes(split, count=20, seed=seed) for split in ("train", "val") for seed in (0, 1)]
    images = {image.tobytes() for source in sources for image in source.columns["image"]}
    assert len(images) == 80


def test_count_only_cuts_the_split_short():
    few, more = (shapes(count=count, size=(32, 32)).columns["label"] for count in (2, 5))
    np.testing.assert_array_equal(few, more[:2])
    assert len(shapes("val", size=(16, 16)).ids) == 100


def test_samples_decode_alike_eagerly_and_in_tf_data():
    source = shapes("val", size=(24, 31), count=3)
    for index, mapped in enumerate(kseg.data.samples(source)):
        eager = source[index]
        assert set(eager) == set(mapped) == {"image", "label"}
        for key in eager:
            assert mapped[key].dtype == eager[key].dtype == np.uint8
            np.testing.assert_array_equal(eager[key], source.columns[key][index])
            np.testing.assert_array_equal(mapped[key], eager[key])


def test_instances_are_the_objects_of_the_scene():
    source = shapes("val", size=(48, 64), count=4, instances=True)
    assert source.task == "instance" and source.class_names == CLASS_NAMES[1:]
    for index, sample in enumerate(kseg.data.samples(source)):
        scene = draw_scene(1, index, (48, 64))
        np.testing.assert_array_equal(sample["classes"], scene["classes"].astype(int) - 1)
        assert not sample["crowd"].any()
        for number, (mask, box) in enumerate(zip(sample["masks"], sample["boxes"]), 1):
            np.testing.assert_array_equal(mask, scene["instances"] == number)
            y, x = np.nonzero(mask)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "test"}, "split='test': expected one of 'train', 'val'."),
        ({"size": (96, 15)}, "size=(96, 15): expected (height, width) of at least 16 pixels"),
        ({"size": 96}, "size=96: expected (height, width)"),
        ({"size": (96, 96, 3)}, "size=(96, 96, 3): expected (height, width)"),
        ({"size": (96.0, 96)}, "size=(96.0, 96): expected (height, width)"),
        ({"count": 0}, "count=0: expected an integer from 1 to"),
        ({"count": 2.5}, "count=2.5: expected an integer"),
        ({"seed": -1}, "seed=-1: expected an integer from 0 to 2147483647."),
    ],
    ids=str,
)
def test_shapes_names_the_wrong_argument(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        shapes(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2**32, 0), "seed=4294967296: expected"),
        ((0, -1), "index=-1: expected"),
        ((0, 0, (8, 96)), "size=(8, 96): expected"),
        ((0, 0, (96, 96), 0), "max_objects=0: expected an integer from 1 to 255."),
    ],
    ids=str,
)
def test_draw_scene_names_the_wrong_argument(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        draw_scene(*arguments)


def test_scenes_of_a_size_by_name():
    spec = DataSpec("shapes:40").resolved()
    assert spec.spec == "shapes:40" and spec.path is None and spec.folders() == []
    assert spec.open("val")[0]["image"].shape == (40, 40, 3)
    assert DataSpec("shapes").open("val")[0]["image"].shape == (96, 96, 3)


@pytest.mark.parametrize("spec", ["shapes:15", "shapes:large", "shapes:40x40", "shapes:-40"])
def test_sizes_by_name_that_are_none(spec):
    with pytest.raises(ValueError, match=f"data='{spec}': expected .* N at least 16"):
        DataSpec(spec).open("val")

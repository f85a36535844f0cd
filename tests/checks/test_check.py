"""`kseg.check`: clean and real sets, statistics, and each detector by itself."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.checks import mask_values
from kseg.checks.check import check_samples
from kseg.checks.duplicates import near_duplicates
from kseg.checks.findings import Report
from kseg.checks.mask_values import ghosts, interpolated, numbers_objects
from kseg.checks.one_sample import Facts
from kseg.checks.statistics import class_weights
from kseg.cli.check import shortened
from kseg.data.readers.shapes import COLORS, draw_scene

SIZE = (64, 88)
SPLITS = ("train", "val")

pytestmark = pytest.mark.backends("tensorflow", reason="reads files, whatever the backend")


def names(report):
    """Kinds of findings and the files they name, without folders."""
    return {f.kind: [Path(file).name for file in f.files] for f in report.findings}


class TestMasks:
    def test_ghosts_by_hand(self):
        # 2 lies between 0 and 5 in the first row; 1 is no jump from 0 and touches void (9)
        found, jumps = ghosts(np.array([[0, 2, 5, 5], [0, 1, 9, 5]]), void=9)
        assert found.sum() == 1 and found[0, 1]
        # steps of two and more, void left out: 0-2, 2-5 in the row; below each other none
        assert jumps == 2

    @pytest.mark.parametrize("size", [(32, 32), (96, 96)])
    def test_clean_scenes_are_not_taken_for_interpolated(self, size):
        for index in range(200):
            found, jumps = ghosts(draw_scene(0, index, size)["label"])
            assert not interpolated(found.sum(), jumps), index

    @pytest.mark.parametrize("method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
    @pytest.mark.parametrize("factor", [0.5, 0.75, 1.5])
    def test_interpolated_scenes_are(self, method, factor):
        missed = 0
        for index in range(100):
            mask = Image.fromarray(draw_scene(0, index)["label"])
            mask = np.array(mask.resize([round(96 * factor)] * 2, method))
            found, jumps = ghosts(mask)
            missed += not interpolated(found.sum(), jumps)
        assert missed <= 3  # scenes of background and disks alone have no ids between

    def test_a_class_of_thin_lines_is_no_ghost(self, tmp_path, write_image):
        # cells: ground 0, contour 1, inside 2; every contour pixel lies between 0 and 2
        for index in range(6):
            mask = np.zeros((60, 60), np.uint8)
            for y in (4, 24, 44):
                x = 3 + 2 * index
                mask[y : y + 12, x : x + 30] = 1
                mask[y + 1 : y + 11, x + 1 : x + 29] = 2
            photo = draw_scene(1, index, (60, 60))["image"]
            write_image(f"images/{index}.png", photo)
            write_image(f"masks/{index}.png", mask)
        source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["a", "b", "c"])
        assert not kseg.check(source).findings

    def test_cityscapes_label_ids(self, tmp_path, write_image):
        for index in range(2):
            scene = draw_scene(1, index, SIZE)
            write_image(f"images/{index}.png", scene["image"])
            label_ids = np.array([7, 8, 11, 21, 23, 26], np.uint8)[scene["label"]]
            write_image(f"masks/{index}.png", label_ids)
        source = kseg.data.folder(
            tmp_path / "images", tmp_path / "masks", list("abcdefghijklmnopqrs")
        )
        assert names(kseg.check(source))["cityscapes_ids"] == ["0.png", "1.png"]

    def test_one_class_of_black_and_white_masks_is_void_and_ground(self, pair_folders):
        """A set of one class has no object that 255 could stand for."""
        root = pair_folders(values=(0, 255))
        source = kseg.data.folder(root / "images", root / "masks", ["ground"])
        assert np.unique(source[0]["label"]).tolist() == [0, 255]

    def test_black_and_white_masks_beside_masks_with_void(self, tmp_path, write_image):
        for index in range(4):
            scene = draw_scene(1, index, SIZE)
            write_image(f"images/{index}.png", scene["image"])
            mask = np.minimum(scene["label"], 1)
            mask[:4] = 255
            write_image(
                f"masks/{index}.png",
                np.where(mask == 1, 255, 0).astype(np.uint8) if index == 2 else mask,
            )
        source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["a", "b"])
        report = kseg.check(source)
        assert report.ok and names(report) == {"maybe_black_and_white": ["2.png"]}


class TestDuplicates:
    def facts(self, thumbnails, size=(48, 64)):
        return [Facts(i, [], size=size, thumbnail=t) for i, t in enumerate(thumbnails)]

    def test_every_pair_within_the_tolerance_is_found(self, rng):
        thumbnails = rng.integers(0, 256, (500, 32, 32)).astype(np.int16)
        noise = rng.integers(-9, 10, (20, 32, 32))
        thumbnails[480:] = np.clip(thumbnails[:20] + noise, 0, 255)
        pairs = near_duplicates(self.facts(thumbnails.astype(np.uint8)))
        assert pairs == [(i, 480 + i) for i in range(20)]

    def test_the_tolerance_itself_is_within(self, rng):
        first = rng.integers(0, 200, (32, 32)).astype(np.uint8)
        assert near_duplicates(self.facts([first, first + 10])) == [(0, 1)]
        assert not near_duplicates(self.facts([first, first + 11]))

    def test_one_place_that_differs_tells_photos_apart(self, rng):
        first = rng.integers(0, 256, (32, 32)).astype(np.uint8)
        second = first.copy()
        second[5, 5] = (int(first[5, 5]) + 128) % 256
        assert not near_duplicates(self.facts([first, second]))

    def test_another_shape_is_no_copy(self, rng):
        thumbnail = rng.integers(0, 256, (32, 32)).astype(np.uint8)
        facts = self.facts([thumbnail]) + self.facts([thumbnail], size=(64, 48))
        assert not near_duplicates(facts)


def test_one_mask_of_two_photos(pair_folders):
    """Two classes and eight places where they change are enough to tell."""
    root = pair_folders()
    first, second = (root / "masks" / f"p{index}.png" for index in (0, 1))
    second.write_bytes(first.read_bytes())
    source = kseg.data.folder(root / "images", root / "masks", ("ground", "object"), split=None)
    same = [each for each in kseg.check(source).findings if each.kind == "duplicate_mask"]
    assert [Path(file).name for each in same for file in each.files] == ["p0.png", "p1.png"]


def test_strips_of_what_is_drawn_from_polygons_are_no_interpolation():
    """Where one object lies on another. Of a mask that is a file they are found."""
    label = np.zeros((64, 64), np.uint8)
    label[8:24, 8:24], label[8:24, 9:24] = 1, 2  # a strip of 1 between 0 and 2
    label[32:56, 32:56], label[32:56, 33:56] = 2, 3
    label[8:56, 40:63] = np.where(label[8:56, 40:63] == 0, 1, label[8:56, 40:63])
    images = np.zeros((1, 64, 64, 3), np.uint8)

    def source(**changes):
        columns = {"image": images, "label": label[None]}
        words = ("set", columns, lambda row: row, ("a", "b", "c", "d"), COLORS[:4], ("x",))
        return kseg.data.Source(*words, **changes)

    assert "interpolated_mask" in names(kseg.check(source()))
    assert "interpolated_mask" not in names(kseg.check(source(image_ids=(7,))))


def test_instances(tmp_path):
    class_ids = np.array([0, 1], np.int32)
    masks = np.zeros((2, 20, 30), np.uint8)
    masks[:, 2:9, 3:12] = 1

    def source(**changes):
        def decode(row):
            sample = {"image": row["image"], "masks": masks, "classes": class_ids} | changes
            return {
                key: np.asarray(value) if key != "image" else value for key, value in sample.items()
            }

        images = np.stack([draw_scene(1, 0, (20, 30))["image"]])
        return kseg.data.Source(
            "set", {"image": images}, decode, ("a", "b"), COLORS[:2], ("x",), task="instance"
        )

    report = kseg.check(source())
    assert not report.findings and report.sources[0].instances.tolist() == [1, 1]
    assert report.sources[0].pixels.tolist() == [63, 63]
    empty = masks.copy()
    empty[1] = 0
    assert names(kseg.check(source(masks=empty))) == {"empty_instance": ["x"]}
    boxes = np.array([[3, 2, 12, 9], [3, 2, 40, 9]], np.float32)
    assert names(kseg.check(source(boxes=boxes))) == {"box_outside": ["x"]}
    assert "unknown_id" in names(kseg.check(source(classes=np.array([0, 2], np.int32))))
    known = dataclasses.replace(
        source(), problems=lambda index: [("box_outside", f"box of {index}")]
    )
    (finding,) = kseg.check(known).findings
    assert (finding.kind, finding.severity, finding.message) == (
        "box_outside",
        "warning",
        "box of 0",
    )


def test_a_source_of_a_task_of_its_own(tmp_path):
    """Photos are looked at; of what else there is nothing is known, and records have no place."""
    photos = np.stack([draw_scene(1, i, (20, 30))["image"] for i in (0, 1, 0)])

    def decode(row):
        return {"image": row["image"], "depth": row["depth"]}

    source = kseg.data.Source(
        "depths",
        {"image": photos, "depth": np.ones((3, 20, 30), np.float32)},
        decode,
        ("depth",),
        ((0, 0, 0),),
        ("x", "y", "z"),
        task="depth",
    )
    assert source[1]["depth"].sum() == 600
    report = kseg.check(source)
    assert report.sources[0].read == 3 and names(report) == {"duplicate_photo": ["x", "z"]}
    ((images, depths),) = kseg.data.batches(source, batch_size=3)
    np.testing.assert_array_equal(images, photos)
    assert depths.shape == (3, 20, 30) and (depths.numpy() == 1).all()
    with pytest.raises(ValueError, match="source.task='depth': expected one of 'semantic'"):
        kseg.data.write_records(source, tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_generated_scenes_are_clean():
    for instances in (False, True):
        sources = [kseg.data.shapes(s, count=40, instances=instances) for s in SPLITS]
        assert not kseg.check(*sources).findings


def test_real_camvid_is_clean(camvid_root):
    train, val = (kseg.data.camvid(camvid_root, split) for split in SPLITS)
    # neighbours in time: the val drive was labelled 15 times a second
    report = kseg.check(train.subset(range(0, 367, 16)), val.subset(range(10, 34)))
    assert not report.findings
    assert report.sources[0].sizes == {(360, 480): 23}
    assert report.sources[0].suggested_size == (352, 480)


def test_real_nuclei_are_clean(tmp_path, camvid_root):
    root = camvid_root.parent / "dsb2018"
    for path in sorted((root / "images").iterdir())[::10]:
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "images")
        with Image.open(root / "labels" / path.name) as labels:
            nuclei = np.array(labels) > 0
        Image.fromarray(nuclei.astype(np.uint8)).save(tmp_path / "masks" / path.name)
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["ground", "nucleus"])
    assert not kseg.check(source).findings


def test_statistics_of_two_small_masks(tmp_path, write_image):
    for index, shape in enumerate([(40, 70), (100, 70)]):
        mask = np.zeros(shape, np.uint8)
        mask[:10, :10] = index
        mask[-1] = 255
        write_image(f"images/{index}.png", draw_scene(1, index, shape)["image"])
        write_image(f"masks/{index}.png", mask)
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["a", "b", "c"])
    report = kseg.check(source)
    kinds = ["maybe_black_and_white", "absent_class"]
    assert report.ok and [f.kind for f in report.warnings] == kinds
    (stats,) = report.sources
    assert stats.pixels.tolist() == [39 * 70 + 99 * 70 - 100, 100, 0]
    assert stats.images.tolist() == [2, 1, 0] and stats.void_pixels == 140
    assert stats.class_weight == class_weights(stats.pixels, 0.5)
    assert stats.suggested_size == (32, 64)  # the 10th percentile of 40 and 100 is 46
    assert report.to_dict()["sources"][0]["classes"][1]["pixels"] == 100


def test_limit_and_progress():
    source = kseg.data.shapes("val", count=20)
    seen = []
    report = kseg.check(source, limit=7, progress=lambda *done: seen.append(done))
    assert report.sources[0].read == 7 and seen == [(i + 1, 7) for i in range(7)]
    for wrong in (0, 2.5):
        with pytest.raises(ValueError, match=f"limit={wrong}: expected an integer >= 1"):
            kseg.check(source, limit=wrong)
    with pytest.raises(ValueError, match=r"sources=\(\): expected"):
        kseg.check()


def test_errors_are_raised_with_file_and_remedy(pair_folders, write_image):
    root = pair_folders()
    write_image("set/masks/p2.png", np.zeros((20, 28), np.uint8))
    write_image("set/masks/p4.png", np.zeros((20, 28), np.uint8))
    source = kseg.data.folder(root / "images", root / "masks", ["a", "b"])
    with pytest.raises(ValueError, match="p2.png.*28x20.*56x40.*never resize.*2 files") as error:
        check_samples(source)
    assert "\n" not in str(error.value)
    report = kseg.check(source)
    assert not report.ok and report.sources[0].read == 4
    with pytest.raises(ValueError, match="p2.png"):
        report.raise_on_errors()
    Report((), ()).raise_on_errors()


def test_fit_refuses_what_it_would_train_wrongly_on(pair_folders, tmp_path):
    root = pair_folders(values=(0, 255))
    source = kseg.data.folder(root / "images", root / "masks", ["a", "b"], probe=False)
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match=r"p0.png.*void.*values=\(0, 255\).*6 files"):
        kseg.fit(model, source, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_shortened():
    assert shortened(["x/a", "b", "c"]) == "a\nb\nc"
    assert shortened([f"x/{i}" for i in range(15)]) == "0\n1\n2\nand 12 more"


def test_how_many_ghosts_tell_of_interpolation():
    least = mask_values.FEWEST_GHOSTS
    assert mask_values.interpolated(least, 0) and not mask_values.interpolated(least - 1, 0)
    # of all changes between neighbours, more than that share
    even = 1000 * mask_values.GHOST_SHARE
    assert mask_values.interpolated(int(even) + 1, 1000 - int(even) - 1)
    assert not mask_values.interpolated(int(even), 1000 - int(even))


@pytest.mark.parametrize(
    "ids, split, answer",
    [
        ((1, 2, 3), 0, False),  # as few may be classes
        ((1, 2, 3, 4), 0, True),
        ((1, 2, 3, 8), 0, True),  # as many numbers missing as there are
        ((1, 2, 3, 9), 0, False),
        ((1, 2, 3, 4, 5), 1, True),  # four of five are of one piece
        ((1, 2, 3, 4, 5), 2, False),
    ],
)
def test_numbers_of_objects(ids, split, answer):
    """A column for each number; of the first so many a second piece stands apart."""
    mask = np.zeros((5, 20), np.uint8)
    mask[:2, 1 : 2 * len(ids) : 2] = ids
    mask[4, 1 : 2 * split : 2] = ids[:split]
    assert numbers_objects(mask, {0, *ids}) == answer


def test_a_mask_whose_borders_are_those_of_blocks():
    # as many changes along rows as along columns
    blocks = np.add.outer(np.arange(64) // 8, np.arange(64) // 8) % 2
    assert mask_values.on_jpeg_grid(blocks)
    assert not mask_values.on_jpeg_grid(np.roll(blocks, 3, axis=(0, 1)))
    assert not mask_values.on_jpeg_grid(blocks[:16, :9])  # 16 changes tell nothing

"""Folders whose pixels may have several classes: layouts, values, mistakes, and what moves them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from multilabel_scenes import NAMES, opened, scenes, source_of, write
from PIL import Image

import kseg
from kseg.data import transforms
from kseg.data.bad_files import naming_bad_files
from kseg.data.errors import DataError, MissingData
from kseg.data.spec import DataSpec


@pytest.fixture(scope="module")
def drawn():
    images, labels = scenes(3)
    labels[1, ..., 2] = 0  # a class that one photo has nowhere
    return images, labels


def read(source):
    samples = [source[index] for index in range(len(source))]
    return tuple(np.stack([sample[key] for sample in samples]) for key in ("image", "label"))


@pytest.mark.parametrize(
    "layout, values", [("class", (0, 255)), ("photo", (0, 1)), ("npy", None), ("npz", None)]
)
def test_every_layout_gives_what_was_written(tmp_path, drawn, layout, values):
    empty = layout == "class"
    source = opened(write(tmp_path / "set", layout, *drawn, values=values, empty=empty))
    assert (source.task, source.class_names, source.void) == ("multilabel", NAMES, 255)
    for actual, expected in zip(read(source), drawn):
        assert actual.dtype == np.uint8
        np.testing.assert_array_equal(actual, expected)
    assert all(map((tmp_path / "set").joinpath, source.files()))
    assert kseg.check(source).errors == []


def test_values_void_and_files_of_three_channels(tmp_path, drawn):
    root = write(tmp_path / "set", "class", *drawn, values=(7, 9))
    with pytest.raises(
        DataError, match=r"disc/p0.png': the mask holds the value 9: expected 0 and"
    ):
        with naming_bad_files(opened(root)):
            opened(root)[0]
    np.testing.assert_array_equal(read(opened(root, values=(7, 9)))[1], drawn[1])
    mask = np.full((32, 48), 7, np.uint8)
    mask[:4] = 100
    Image.fromarray(mask).convert("RGB").save(root / "masks" / "bar" / "p0.png")
    label = opened(root, values=(7, 9), void_values=[100])[0]["label"]
    assert (label[:4, :, 1] == 255).all() and not label[4:, :, 1].any()
    np.testing.assert_array_equal(label[..., 0], drawn[1][0, ..., 0])
    for given, message in (
        ({"values": (0, 1, 2)}, r"values=\(0, 1, 2\): expected two of 0..255"),
        ({"values": (0, 1), "void_values": [1]}, r"void_values=\(1,\): expected values of void"),
        ({"palette": [(0, 0, 0)] * 3}, "expected None with multilabel=True"),
        ({"instances": True}, "instances=True: expected False with multilabel=True"),
        ({"stored": "instances"}, "expected 'classes' with multilabel=True"),
        ({"class_names": ("bar", "bar")}, "class_names=.*each another"),
    ):
        with pytest.raises(ValueError, match=message):
            opened(root, **given)


def test_masks_of_other_files(tmp_path, drawn):
    root = write(tmp_path / "set", "class", *drawn)
    for path, ending in (("disc/p0", ".tif"), ("bar/p1", ".bmp"), ("bar/p2", ".npy")):
        mask = root / "masks" / f"{path}.png"
        with Image.open(mask) as image:
            if ending == ".npy":
                np.save(mask.with_suffix(ending), np.asarray(image))
            else:
                image.save(mask.with_suffix(ending))
        mask.unlink()
    np.testing.assert_array_equal(read(opened(root))[1], drawn[1])
    assert kseg.check(opened(root)).errors == []


def test_masks_of_two_kinds_are_not_guessed(tmp_path, drawn):
    root = write(tmp_path / "set", "class", *drawn)
    mask = Image.fromarray(drawn[1][0, ..., 0])  # of 0 and 1 beside those of 0 and 255
    mask.save(root / "masks" / "disc" / "p0.png")
    with pytest.raises(DataError, match="bar/p0.png' holds 0 and 255, and .*disc/p0.png' 0 and 1"):
        opened(root)
    report = kseg.check(opened(root, values=(0, 1)))  # what it says to do where 255 is void
    kinds = {finding.kind: finding for finding in report.findings}
    assert len(kinds["maybe_black_and_white"].files) == 2  # disc is in p0
    assert len(kinds["black_and_white"].files) == 5


def test_0_and_1_with_void(tmp_path, drawn):
    root = write(tmp_path / "set", "photo", *drawn, values=(0, 1))
    mask = drawn[1][0, ..., 0].copy()
    mask[:3] = 255
    Image.fromarray(mask).save(root / "masks" / "p0" / "disc.png")
    np.testing.assert_array_equal(opened(root)[0]["label"][..., 0], mask)


def test_splits_suffixes_and_the_command_line_s_spec(tmp_path, drawn):
    root = write(tmp_path / "set", "photo", *drawn)
    for name in ("p0", "p1", "p2"):
        (root / "masks" / name).rename(root / "masks" / f"{name}_seg")
    train, val = (opened(root, mask_suffix="_seg", split=split) for split in ("train", "val"))
    assert sorted(train.ids + val.ids) == ["p0", "p1", "p2"] and len(val) == 1
    spec = DataSpec(f"folder:{root}", mask_suffix="_seg").for_task("multilabel")
    assert DataSpec.from_json({**vars(spec)}).open("val").ids == val.ids
    with pytest.raises(ValueError, match="multilabel=True: expected None for a model of task 'se"):
        spec.for_task("semantic")
    with pytest.raises(ValueError, match="multilabel=True: .* of rle, nnunet, folder, records"):
        DataSpec(f"voc:{root}", multilabel=True).open("val")


def test_what_is_not_there_is_named(tmp_path, drawn):
    root = write(tmp_path / "class", "class", *drawn)
    with pytest.raises(MissingData, match="masks/dot' does not exist.* there are bar, disc, squ"):
        opened(root, class_names=("dot", *NAMES[1:]))
    with pytest.raises(DataError, match="a mask for each of class_names by itself. Give multil"):
        kseg.data.folder(root / "images", root / "masks", NAMES)
    for name in NAMES:
        (root / "masks" / name / "p1.png").unlink()
    with pytest.raises(MissingData, match="1 of 3 images have no mask of any class.*p1.png"):
        opened(root)
    root = write(tmp_path / "photo", "photo", *drawn)
    with pytest.raises(MissingData, match="no photo has a mask dot.png, and there are disc.png"):
        opened(root, class_names=("dot", *NAMES[1:]))
    with pytest.raises(DataError, match="a mask for each of class_names by itself"):
        kseg.data.folder(root / "images", root / "masks", NAMES)
    root = write(tmp_path / "npy", "npy", *drawn)
    (root / "masks" / "p2.npy").unlink()
    with pytest.raises(MissingData, match="first is .*p2.png'"):
        opened(root)


def test_the_check_names_each_fault(tmp_path, drawn):
    root = write(tmp_path / "set", "class", *drawn, values=(0, 1), empty=False)
    masks = root / "masks"
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(masks / "disc" / "p0.png")
    (masks / "bar" / "p1.png").write_bytes(b"")
    report = kseg.check(opened(root))
    found = {finding.kind: finding for finding in report.findings}
    assert found["size_mismatch"].files == (str(masks / "disc" / "p0.png"),)
    assert found["empty_file"].files == (str(masks / "bar" / "p1.png"),)
    assert report.sources[0].read == 1
    root = write(tmp_path / "white", "class", *drawn)
    report = kseg.check(opened(root, values=(0, 1)))
    (error,) = report.errors
    assert error.kind == "black_and_white" and "values=(0, 255)" in error.remedy
    assert len(error.files) == 8  # one of nine masks is black
    (masks := root / "masks" / "square" / "p1.png").unlink()
    (warning,) = kseg.check(opened(root)).findings
    assert warning.kind == "absent_mask" and "no mask of square" in warning.message
    assert not masks.exists()
    root = write(tmp_path / "arrays", "npy", *drawn)
    for name, array in (("p0", drawn[1][0, ..., :2]), ("p1", 3 * drawn[1][1])):
        np.save(root / "masks" / f"{name}.npy", array)
    found = {finding.kind: finding for finding in kseg.check(opened(root)).findings}
    assert "uint8 (32, 48, 2): expected" in found["unreadable"].message
    assert "p1.npy': the mask holds the value 3" in found["mask_value"].message


def test_the_check_counts_classes_that_overlap(drawn):
    images, labels = drawn[0], drawn[1].copy()
    labels[2] = 255
    labels[0, :2, :, 0] = 255
    source = source_of(images, labels)
    report = kseg.check(source)
    stats = report.sources[0]
    np.testing.assert_array_equal(stats.pixels, (labels == 1).sum((0, 1, 2)))
    np.testing.assert_array_equal(stats.images, [2, 2, 1])
    assert stats.void_pixels == 32 * 48
    assert [finding.kind for finding in report.findings] == ["void_mask"]
    labels[0, 5, 5, 1] = 4
    (error,) = kseg.check(source_of(images, labels)).errors
    assert error.kind == "mask_value" and "'bar' has the value 4" in error.message
    weights = kseg.class_weights_from(source_of(*drawn), balance=1.0)
    pixels = (drawn[1] == 1).sum((0, 1, 2))
    np.testing.assert_allclose(weights * pixels, np.full(3, pixels.mean()), rtol=1e-6)


def test_batches_pad_with_void_and_hold_bytes(drawn):
    images, labels = drawn
    small = {"image": tf.constant(images[0, :20, :30]), "label": tf.constant(labels[0, :20, :30])}

    def decode(row):
        large = {name: tf.ensure_shape(x, (None, None, 3)) for name, x in row.items()}
        return tf.cond(tf.reduce_all(row["image"] == images[0]), lambda: small, lambda: large)

    source = source_of(images[:2], labels[:2])
    object.__setattr__(source, "decode", decode)
    ((_, batch),) = kseg.data.batches(source, batch_size=2)
    assert batch.dtype == tf.uint8 and batch.shape == (2, 32, 48, 3)
    np.testing.assert_array_equal(batch[0, :20, :30], labels[0, :20, :30])
    assert (batch[0, 20:].numpy() == 255).all() and (batch[0, :, 30:].numpy() == 255).all()


@pytest.mark.few("False")
@pytest.mark.parametrize("decoded", [False, True])
def test_records_and_the_cache_give_it_back(tmp_path, drawn, decoded):
    source = opened(write(tmp_path / "set", "photo", *drawn, empty=False))
    kseg.data.write_records(source, tmp_path / "records" / "train", decoded=decoded)
    for again in (
        kseg.data.records(tmp_path / "records" / "train"),
        DataSpec(f"records:{tmp_path}/records").for_task("multilabel").open("train"),
    ):
        assert (again.task, again.class_names) == ("multilabel", NAMES)
        for actual, expected in zip(read(again), drawn):
            np.testing.assert_array_equal(actual, expected)
    where = tmp_path / "cache" if decoded else "memory"
    for _ in range(2):
        batches = kseg.data.batches(source, batch_size=3, cache=where)
        np.testing.assert_array_equal(next(iter(batches))[1], drawn[1])


def test_the_cache_sees_that_a_mask_of_a_class_has_changed(tmp_path, drawn):
    root = write(tmp_path / "set", "photo", *drawn)
    for label in (drawn[1], 1 - drawn[1]):
        for name, c in ((name, c) for name in ("p0", "p1", "p2") for c in range(3)):
            mask = Image.fromarray(255 * label[int(name[1]), ..., c])
            mask.save(root / "masks" / name / f"{NAMES[c]}.png")
        batches = kseg.data.batches(opened(root), batch_size=3, cache=tmp_path / "cache")
        np.testing.assert_array_equal(next(iter(batches))[1], label)


SIZE = (24, 40)
MOVES = {
    "random_scale_crop": lambda: transforms.random_scale_crop(SIZE),
    "random_crop": lambda: transforms.random_crop((40, 30)),
    "letterbox": lambda: transforms.letterbox(SIZE),
    "pad": lambda: transforms.pad((40, 40)),
    "random_flip": lambda: transforms.random_flip(1.0, 1.0),
    "random_affine": lambda: transforms.random_affine(30, (0.5, 1.5), 20, 0.2),
    "random_elastic": lambda: transforms.random_elastic(0.05),
    "random_cutout": lambda: transforms.random_cutout(0.5, label="void"),
    "color_jitter": lambda: transforms.color_jitter(),
    "random_blur": lambda: transforms.random_blur(),
    "random_noise": lambda: transforms.random_noise(),
    "random_apply": lambda: transforms.random_apply(transforms.random_flip(1.0), 1.0),
    "from_keras": lambda: transforms.from_keras(keras.layers.RandomZoom((-0.3, 0.3))),
    "cut_mix": lambda: transforms.cut_mix(1.0),
    "mosaic": lambda: transforms.mosaic(SIZE),
}


@pytest.mark.parametrize("name", MOVES)
def test_every_transform_moves_each_class_as_a_label_of_its_own(drawn, name):
    """Several classes at once move as each does alone, by the same seed."""
    images, labels = drawn[0], drawn[1].copy()
    labels[:, :3, :3] = 255
    transform = MOVES[name]()

    def moved(channels):
        parts = labels[..., channels]
        every = [{"image": tf.constant(i), "label": tf.constant(p)} for i, p in zip(images, parts)]
        partner = [lambda number: every[1 + int(number) % 2]] if hasattr(transform, "mixes") else []
        mixes = getattr(transform, "mixes", False)
        return transform(every[0], tf.constant([3, 4]), *(partner if mixes else []))

    several = moved([0, 1, 2])
    for c in range(3):
        alone = moved(c)
        np.testing.assert_array_equal(several["image"], alone["image"])
        np.testing.assert_array_equal(several["label"][..., c], alone["label"])
    assert several["label"].dtype == tf.uint8
    assert set(np.unique(several["label"])) <= {0, 1, 255}


@pytest.mark.few("from_keras")
@pytest.mark.parametrize("name", ["mosaic", "cut_mix", "random_scale_crop", "from_keras"])
def test_it_runs_in_a_pipeline(drawn, name):
    steps = [transforms.random_crop(SIZE), MOVES[name]()]
    ds = kseg.data.batches(source_of(*drawn), size=SIZE, batch_size=3, augment=steps)
    _, labels = next(iter(ds))
    assert labels.shape == (3, *SIZE, 3) and set(np.unique(labels)) <= {0, 1, 255}


def test_a_share_of_classes_is_of_labels_with_one(drawn):
    crop = transforms.random_crop(SIZE, max_share=0.5)
    with pytest.raises(ValueError, match="max_share < 1 needs class ids"):
        crop({key: tf.constant(x[0]) for key, x in zip(("image", "label"), drawn)}, [0, 1])


def test_a_source_of_a_void_that_is_a_label_is_refused(drawn):
    source = source_of(*drawn)
    with pytest.raises(ValueError, match="void=1: expected a value from 2 to 255"):
        type(source)(**{**vars(source), "void": 1})


@pytest.mark.slow
def test_it_is_converted_there_and_back(tmp_path, drawn):
    sources = {
        "train": source_of(*(x[:2] for x in drawn)),
        "val": source_of(*(x[2:] for x in drawn)),
    }
    for to in ("folder", "records"):
        kseg.data.convert(sources, f"{to}:{tmp_path / to}")
        for split, source in sources.items():
            again = DataSpec(f"{to}:{tmp_path / to}").for_task("multilabel").open(split)
            assert again.class_names == NAMES and kseg.check(again).findings == ()
            for actual, expected in zip(read(again), read(source)):
                np.testing.assert_array_equal(actual, expected)
    with pytest.raises(ValueError, match="to='coco:x': expected folder:PATH or records:PATH for"):
        kseg.data.convert(sources, "coco:x")
    void = drawn[1].copy()
    void[0, 0, 0, 0] = 255
    with pytest.raises(ValueError, match="labels without void.*Convert to records:"):
        kseg.data.convert(source_of(drawn[0], void), f"folder:{tmp_path / 'void'}")
    assert not (tmp_path / "void").exists()

"""Weights of pixels: read, moved with the labels, given to Keras, looked through."""

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data import border_weights, transforms
from kseg.data.bad_files import naming_bad_files
from kseg.data.errors import DataError, MissingData
from kseg.data.spec import DataSpec

NAMES = ["ground", "cell"]
SIZE = (24, 32)


def write_set(root, rng, count=2, save=None):
    """Photos, masks with a void row, and weights: twice the label, and a gradient."""
    for folder in ("images", "masks", "weights"):
        (root / folder).mkdir(parents=True)
    labels, weights = [], []
    for index in range(count):
        photo = rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        label = np.zeros(SIZE, np.uint8)
        label[6:18, 4 + index : 20] = 1
        label[0] = 255
        weight = (1 + 2 * (label == 1) + np.linspace(0, 1, SIZE[1])).astype(np.float32)
        Image.fromarray(photo).save(root / "images" / f"{index}.png")
        Image.fromarray(label).save(root / "masks" / f"{index}.png")
        (save or save_npy)(root / "weights" / str(index), weight)
        labels.append(label)
        weights.append(weight)
    return labels, weights


def save_npy(path, weight):
    np.save(f"{path}.npy", weight)


def opened(root, **given):
    given = {"pixel_weights": root / "weights", **given}
    return kseg.data.folder(root / "images", root / "masks", NAMES, **given)


def test_weights_of_the_paper():
    objects = np.zeros((9, 30), int)
    objects[:, 2:10], objects[:, 14:20] = 3, 7
    weights = border_weights(objects, w0=10, sigma=5)
    assert weights.dtype == np.float32
    assert (weights[objects > 0] == 1).all()
    # column 11 is 2 pixels from object 3 and 3 from object 7; column 25 is 6 and 16 away
    assert weights[4, 11] == pytest.approx(1 + 10 * np.exp(-((2 + 3) ** 2) / 50), abs=1e-5)
    assert weights[4, 25] == pytest.approx(1 + 10 * np.exp(-((6 + 16) ** 2) / 50), abs=1e-5)
    single = border_weights((objects == 3).astype(int))  # nothing to keep it apart from
    assert (single == 1).all()
    for given, message in (
        ({"objects": objects.astype(float)}, "expected integers"),
        ({"w0": -1}, "w0=-1"),
        ({"sigma": 0}, "sigma=0"),
    ):
        with pytest.raises(ValueError, match=message):
            border_weights(**{"objects": objects, **given})


@pytest.mark.parametrize("kind", ["npy", "npz", "tiff", "png8", "png16", "grey as colours"])
def test_files_of_weights(tmp_path, rng, kind):
    def save(path, weight):
        whole = np.round(weight * 50)
        if kind == "npz":
            np.savez(f"{path}.npz", weight)
        elif kind == "tiff":
            tifffile.imwrite(f"{path}.tif", weight)
        elif kind == "npy":
            save_npy(path, weight)
        elif kind == "png16":
            Image.fromarray((whole * 256).astype(np.uint16)).save(f"{path}.png")
        else:
            image = Image.fromarray(whole.astype(np.uint8))
            (image.convert("RGB") if kind == "grey as colours" else image).save(f"{path}.png")

    labels, weights = write_set(tmp_path, rng, save=save)
    scale = {"png8": 50, "png16": 50 * 256, "grey as colours": 50}.get(kind)
    source = opened(tmp_path, weight_scale=scale)
    assert source.weighted
    for index, (label, weight) in enumerate(zip(labels, weights)):
        sample = source[index]
        expected = np.where(
            label == 255, 0, weight if scale is None else np.round(weight * 50) / 50
        )
        assert sample["weight"].dtype == np.float32
        np.testing.assert_allclose(sample["weight"], expected, rtol=1e-6)
        np.testing.assert_array_equal(sample["label"], label)


@pytest.mark.few("pad", "random_flip", "random_affine", "cut_mix")
@pytest.mark.parametrize(
    "name",
    ["random_scale_crop", "letterbox", "pad", "random_flip", "random_affine", "random_elastic"]
    + ["random_cutout", "cut_mix", "mosaic", "from_keras", "color_jitter"],
)
def test_weights_move_as_labels_do(tmp_path, rng, name):
    """A weight that says the label and the place: after every transform it says them still."""
    labels, _ = write_set(tmp_path, rng)
    for index, label in enumerate(labels):  # 1 + the label, 0 where it is void
        np.save(tmp_path / "weights" / f"{index}.npy", np.float32(label) + 1.25)
    source = opened(tmp_path)
    make = {
        "random_scale_crop": lambda: transforms.random_scale_crop((20, 20)),
        "letterbox": lambda: transforms.letterbox((40, 40)),
        "pad": lambda: transforms.pad((40, 40)),
        "random_flip": lambda: transforms.random_flip(1.0, 1.0),
        "random_affine": lambda: transforms.random_affine(40, (0.5, 1), 10, 0.3),
        "random_elastic": lambda: transforms.random_elastic((0.1, 0.2)),
        "random_cutout": lambda: transforms.random_cutout((0.05, 0.1), label="void"),
        "cut_mix": lambda: transforms.cut_mix(1.0),
        "mosaic": lambda: transforms.mosaic((40, 40)),
        "from_keras": lambda: transforms.from_keras(
            keras.layers.RandomRotation(0.2, fill_mode="constant", fill_value=7.0)
        ),
        "color_jitter": transforms.color_jitter,
    }[name]
    batches = kseg.data.batches(source, augment=[make()], batch_size=1, seed=3)
    for _ in range(2):
        for _, label, weight in batches.as_numpy_iterator():
            assert label.shape == weight.shape and weight.dtype == np.float32
            expected = np.where(label == 255, 0, label + 1.25)
            np.testing.assert_allclose(weight, expected, atol=1e-5)
            assert (label == 1).any()


def test_batches_are_those_of_keras(tmp_path, rng):
    labels, weights = write_set(tmp_path, rng)
    small = Image.open(tmp_path / "images" / "1.png").crop((0, 0, 30, 20))
    small.save(tmp_path / "images" / "1.png")
    Image.fromarray(labels[1][:20, :30]).save(tmp_path / "masks" / "1.png")
    np.save(tmp_path / "weights" / "1.npy", weights[1][:20, :30])
    images, label, weight = next(iter(kseg.data.batches(opened(tmp_path), batch_size=2)))
    assert images.shape == (2, *SIZE, 3) and label.shape == weight.shape == (2, *SIZE)
    assert (label[1, 20:] == 255).numpy().all() and not weight[1, 20:].numpy().any()
    expected = np.where(labels[1] == 255, 0, weights[1])[:20, :30]
    np.testing.assert_array_equal(weight[1, :20, :30], expected)


def test_several_classes_a_pixel(tmp_path, rng):
    _, weights = write_set(tmp_path, rng, count=1)
    several = np.stack([np.eye(*SIZE), np.ones(SIZE)], -1).astype(np.uint8)
    several[3] = 255
    (tmp_path / "masks" / "0.png").unlink()
    np.save(tmp_path / "masks" / "0.npy", several)
    source = opened(tmp_path, multilabel=True, values=(0, 1))
    _, label, weight = next(iter(kseg.data.batches(source, batch_size=1)))
    assert label.shape == (1, *SIZE, 2)
    expected = weights[0].copy()
    expected[3] = 0  # void of every class
    np.testing.assert_array_equal(weight[0], expected)


@pytest.mark.few("True")
@pytest.mark.parametrize("decoded", [False, True])
def test_records_and_caches_keep_them(tmp_path, rng, decoded):
    write_set(tmp_path, rng)
    source = opened(tmp_path)
    back = kseg.data.records(kseg.data.write_records(source, tmp_path / "records", decoded=decoded))
    for index in range(2):
        for key in ("label", "weight"):
            np.testing.assert_array_equal(back[index][key], source[index][key])
    where = "memory" if decoded else tmp_path / "cache"
    batch = next(iter(kseg.data.batches(source, batch_size=2, cache=where)))
    np.testing.assert_array_equal(batch[2][1], source[1]["weight"])
    with pytest.raises(ValueError, match="source.weighted=True: expected False for coco:"):
        kseg.data.convert(source, f"coco:{tmp_path / 'coco'}")
    assert not (tmp_path / "coco").exists()


def test_by_patterns_splits_and_on_the_command_line(tmp_path, rng, monkeypatch):
    root = tmp_path / "set"
    _, weights = write_set(root, rng, count=4)
    (root / "classes.txt").write_text("ground\ncell\n")
    spec = DataSpec(f"folder:{root}", pixel_weights="weights", val_fraction=0.5).resolved()
    for split in ("train", "val"):
        source = spec.open(split)
        assert len(source) == 2
        for index, name in enumerate(source.ids):
            expected = np.where(source[index]["label"] == 255, 0, weights[int(name)])
            np.testing.assert_array_equal(source[index]["weight"], expected)
    by_pattern = kseg.data.folder(
        root / "images/{}.png", root / "masks/{}.png", NAMES, pixel_weights=root / "weights/{}.npy"
    )
    assert by_pattern.ids == ("0", "1", "2", "3")
    np.testing.assert_array_equal(by_pattern[3]["weight"][1:], weights[3][1:])
    assert main(["check", str(root), "--pixel-weights", "weights"]) == 0


def test_what_is_wrong_with_weights(tmp_path, rng, capsys):
    labels, weights = write_set(tmp_path, rng, count=4)
    folder = tmp_path / "weights"
    np.save(folder / "0.npy", weights[0] * 0)
    np.save(folder / "1.npy", np.where(labels[1] == 1, -1, weights[1]))
    np.save(folder / "2.npy", np.where(labels[2] == 1, np.nan, weights[2]))
    np.save(folder / "3.npy", weights[3][1:])
    report = kseg.check(opened(tmp_path))
    found = {(each.kind, tuple(f[-5:] for f in each.files)) for each in report.findings}
    assert ("no_weight", ("0.npy",)) in found
    assert ("unsuitable", ("1.npy", "2.npy")) in found or {
        ("unsuitable", ("1.npy",)),
        ("unsuitable", ("2.npy",)),
    } <= found
    assert ("size_mismatch", ("3.npy",)) in found
    with pytest.raises(DataError, match=r"1.npy': holds the weight -1 at y=6, x=5: expected num"):
        with naming_bad_files(opened(tmp_path)):
            list(kseg.data.batches(opened(tmp_path), batch_size=1).skip(1).take(1))
    for index in range(4):
        np.save(folder / f"{index}.npy", weights[0] * 0)
    report = kseg.check(opened(tmp_path))
    assert "nothing_to_learn" in {each.kind for each in report.errors}


def test_mistakes_in_arguments(tmp_path, rng):
    def save(path, weight):
        Image.fromarray(np.round(weight * 50).astype(np.uint8)).save(f"{path}.png")

    write_set(tmp_path, rng, save=save)
    with pytest.raises(DataError, match=r"holds whole numbers \(uint8\).*Say it: weight_scale=1"):
        with naming_bad_files(opened(tmp_path)):
            list(kseg.data.samples(opened(tmp_path)))
    for given, message in (
        ({"weight_scale": 0}, "weight_scale=0: expected a number > 0"),
        ({"pixel_weights": None, "weight_scale": 1}, "expected None without pixel_weights="),
        ({"instances": True, "stored": "instances"}, "pixel_weights=.*None with instances=True"),
        ({"pixel_weights": tmp_path / "none"}, "pixel_weights=.* does not exist"),
        ({"pixel_weights": tmp_path / "{}.npy"}, "expected a folder, as images and masks are"),
    ):
        with pytest.raises(ValueError, match=message):
            opened(tmp_path, **given)
    (tmp_path / "weights" / "1.png").unlink()
    with pytest.raises(MissingData, match=r"1 of 2 images have no file in pixel_weights="):
        opened(tmp_path, weight_scale=50)


def test_a_source_of_ones_own(rng):
    label = np.zeros((2, 4, 6), np.uint8)

    def source(weight):
        return kseg.data.Source(
            "own",
            {"image": np.zeros((2, 4, 6, 3), np.uint8), "label": label, "weight": weight},
            lambda row: dict(row),
            ("a", "b"),
            ((0, 0, 0), (9, 9, 9)),
            ("p", "q"),
        )

    weight = rng.random((2, 4, 6))
    np.testing.assert_array_equal(source(weight)[1]["weight"], np.float32(weight[1]))
    for wrong, message in ((weight - 1, "negative"), (weight[:, 1:], "differ in size")):
        with pytest.raises(ValueError, match=f"'p'.*{message}"):
            source(wrong)[0]
    with pytest.raises(ValueError, match=r'expected \(H, W\), beside a "label"'):
        source(weight[..., None])[0]

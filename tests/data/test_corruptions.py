"""Corruptions beside the figures of another project's implementation, and whole sets under them."""

import dataclasses

import numpy as np
import pytest

import kseg
from kseg.data.transforms.corrupt.corrupt import CORRUPTIONS, FUNCTIONS, corrupt

# PSNR of `photo()` under severities 1 to 5, by imagecorruptions 1.1.2 (means of 6 runs where it
# draws numbers); benchmarks/README.md has those of real photos
PUBLISHED = {
    "gaussian_noise": (21.98, 18.59, 15.4, 12.77, 10.45),
    "shot_noise": (21.57, 18.0, 15.09, 11.82, 10.03),
    "impulse_noise": (20.42, 17.52, 15.69, 12.93, 10.95),
    "defocus_blur": (25.03, 23.69, 21.71, 20.5, 19.37),
    "glass_blur": (23.1, 23.42, 19.58, 20.19, 19.51),
    "motion_blur": (22.93, 20.1, 17.97, 16.68, 16.32),
    "zoom_blur": (19.81, 18.39, 17.73, 17.02, 16.63),
    "snow": (14.96, 10.65, 10.66, 8.77, 7.52),
    "frost": (12.43, 9.77, 9.37, 10.1, 10.95),
    "fog": (15.31, 14.77, 14.4, 14.14, 13.78),
    "brightness": (22.79, 16.61, 14.2, 12.37, 11.13),
    "contrast": (18.49, 17.16, 16.0, 14.97, 14.5),
    "elastic_transform": (23.94, 22.43, 21.07, 20.3, 19.5),
    "pixelate": (30.61, 43.92, 27.17, 26.01, 37.23),
    "jpeg_compression": (25.75, 24.84, 24.21, 23.35, 22.61),
}
# What is drawn, as clouds and frost, differs from photo to photo; glass trades in another order
DRAWN = {"snow": 1.5, "frost": 2.0, "fog": 2.0, "glass_blur": 1.6, "motion_blur": 1.2}


def photo():
    y, x = np.mgrid[:160, :240]
    squares = np.where((x // 24 + y // 20) % 2, 200, 60)
    waves = 96 + 80 * np.sin(x / 9) * np.cos(y / 13)
    return np.stack([waves, 40 + x / 2, squares], axis=-1).round().astype("uint8")


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_as_strong_as_published(name):
    clean = photo()
    for severity, expected in enumerate(PUBLISHED[name], start=1):
        found = np.mean([psnr(corrupt(clean, name, severity, seed=i), clean) for i in range(3)])
        assert abs(found - expected) < DRAWN.get(name, 0.4), (severity, found)


def test_fifteen_of_them():
    assert len(CORRUPTIONS) == 15 and set(FUNCTIONS) == {*CORRUPTIONS, "rain", "night"}


def test_drops_of_rain_that_meet_are_no_lighter_than_one():
    wet = corrupt(np.zeros((40, 60, 3), "uint8"), "rain", 5)  # 0.4 of the way to grey, then drops
    air = 0.4 * 0.45
    assert (wet.min(), wet.max()) == (round(255 * air), round(255 * (air + 0.35)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_seed_is_the_same_photo(name):
    clean = photo()[:40, :50]
    first, again, other = (corrupt(clean, name, 4, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    drawn = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert np.array_equal(first, other) == (name in drawn)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 37), (33, 4, 1)])
def test_any_size(name, shape):
    worse = corrupt(np.full(shape, 90, "uint8"), name, 5)
    assert worse.shape == shape and worse.dtype == np.uint8


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"jpeg_compression"}))
def test_bands_and_numbers_of_their_own(name):
    bands = np.repeat(photo()[:40, :50, 2:], 5, axis=2)
    worse = corrupt(bands / np.float32(255), name, 3, value_range=(0, 1))
    assert worse.shape == bands.shape and worse.dtype == np.float32
    assert 0 <= worse.min() and worse.max() <= 1
    as_bytes = corrupt(bands, name, 3)
    np.testing.assert_allclose(worse * 255, as_bytes, atol=0.51)
    deep = corrupt(bands.astype("uint16") * 16, name, 3, value_range=(0, 4080))
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(deep / 16, as_bytes, atol=0.6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "foggy"}, "name='foggy'"),
        ({"severity": 0}, "severity=0"),
        ({"severity": 6}, "severity=6"),
        ({"seed": -1}, "seed=-1"),
        ({"image": np.zeros((2, 3, 4, 5))}, "image=<ndarray"),
        ({"image": np.full((8, 8, 3), 0.5)}, "numbers of 0..255"),
        ({"name": "jpeg_compression", "image": np.zeros((8, 8, 5), "uint8")}, "JPEG holds 1 or 3"),
        (
            {"name": "jpeg_compression", "image": np.ones((8, 8, 3)), "value_range": (0, 1)},
            "numbers of .0, 1.: JPEG holds 1 or 3",
        ),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        corrupt(**{"image": photo(), "name": "fog", **given})


def scenes(**options):
    return kseg.data.shapes("val", count=2, **options)


def test_a_set_is_corrupted_photo_by_photo():
    source = scenes()
    foggy = kseg.data.corrupted(source, "fog", 5, seed=3)
    assert (foggy.name, foggy.ids) == ("shapes/val, fog 5", source.ids)
    for index in range(2):
        expected = source[index]
        np.testing.assert_array_equal(foggy[index]["label"], expected["label"])
        np.testing.assert_array_equal(foggy[index]["image"], foggy[index]["image"])
        assert psnr(foggy[index]["image"], expected["image"]) < 20
    np.testing.assert_array_equal(foggy.subset([1])[0]["image"], foggy[1]["image"])
    (first, second) = (sample["image"] for sample in kseg.data.samples(foggy))
    np.testing.assert_array_equal(second, foggy[1]["image"])


def bright(source):
    """The set whose label is whether a photo's first band is above 127."""
    return dataclasses.replace(
        source,
        decode=lambda row: {**source.decode(row), "label": bright_of(source.decode(row)["image"])},
        class_names=("dark", "bright"),
        colors=((0, 0, 0), (9, 9, 9)),
    )


def bright_of(image):
    import tensorflow as tf

    return tf.cast(image[..., 0] > 127, tf.uint8)


def test_labels_move_with_what_moves():
    source = kseg.data.rescaled(bright(scenes()), 3)
    still, moved = source[0], kseg.data.corrupted(source, "elastic_transform", 5)[0]
    follows = moved["label"] == (moved["image"][..., 0] > 127)
    stays = still["label"] == (moved["image"][..., 0] > 127)
    assert follows.mean() > 0.98 and follows.mean() > stays.mean() + 0.01


def test_objects_move_too():
    source = scenes(instances=True)
    moved = kseg.data.corrupted(kseg.data.rescaled(source, 2), "elastic_transform", 5)[0]
    masks, boxes = moved["masks"], moved["boxes"]
    assert masks.shape[1:] == (192, 192) and set(np.unique(masks)) == {0, 1}
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        rows, columns = np.nonzero(mask)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)


def test_other_scales():
    source = scenes()
    label = source[0]["label"]
    small, large = (kseg.data.rescaled(source, factor)[0] for factor in (0.5, 2))
    np.testing.assert_array_equal(small["label"], label[1::2, 1::2])
    np.testing.assert_array_equal(large["label"], label.repeat(2, 0).repeat(2, 1))
    assert large["image"].shape == (192, 192, 3)
    assert abs(float(large["image"].mean()) - source[0]["image"].mean()) < 1


def test_other_light():
    source = scenes()
    image = source[0]["image"].astype(float)
    for factor in (0.25, 2):
        found = kseg.data.exposed(source, factor)[0]["image"]
        np.testing.assert_array_equal(found, np.rint(np.clip(image * factor, 0, 255)))


@pytest.mark.parametrize("change", [kseg.data.rescaled, kseg.data.exposed])
def test_factors_are_above_zero(change):
    with pytest.raises(ValueError, match="factor=0"):
        change(scenes(), 0)
    with pytest.raises(TypeError, match="source='here'"):
        change("here", 2)

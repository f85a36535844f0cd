"""Joint transforms: labels stay labels, photo and label stay together, seeds decide all."""

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from data.joint import (
    GREYS,
    apply,
    check_aligned,
    check_consistent,
    drawn,
    drawn_objects,
    few,
    graph,
    once,
    relaxed,
    seeds,
    sizes,
)
from hypothesis import given

from kseg.data import transforms
from kseg.data.transforms.crop import _largest_share, _resized

MOVING = {
    "affine": transforms.random_affine(40, (0.5, 2), 20, 0.3),
    "rotation": transforms.random_rotation(180),
    "elastic": transforms.random_elastic((0.02, 0.03)),
    "apply": transforms.random_apply(transforms.random_rotation(30)),
    "mosaic": transforms.mosaic((30, 26), 0.8),
    "cut_mix": transforms.cut_mix(0.8),
    "copy_paste": transforms.copy_paste(0.8),
    "flip": transforms.random_flip(0.5, 0.5),
    "pad": transforms.pad((20, 30)),
}
STAYING = {
    "blur": transforms.random_blur(),
    "noise": transforms.random_noise(),
    "cutout": transforms.random_cutout(),
}
VOIDING = {"cutout_void": transforms.random_cutout(label="void")}
TRANSFORMS = MOVING | STAYING | VOIDING


@relaxed
@given(photo=sizes, size=sizes, seed=seeds, scale=st.sampled_from([(0.5, 2), (1, 1), (0.25, 4)]))
def test_scale_crop_keeps_labels_and_alignment(photo, size, seed, scale):
    sample = drawn(*photo, seed=seed[0])
    result = apply(transforms.random_scale_crop(size, scale), sample, seed)
    image, label = result["image"], result["label"]
    assert image.shape == (*size, 3) and image.dtype == np.uint8
    assert label.shape == size and label.dtype == np.int32
    assert set(np.unique(label)) <= set(np.unique(sample["label"])) | {255}
    # away from edges, where neighbours mix, the photo still shows the label
    flat = np.zeros(size, bool)
    reach = 4
    for y in range(reach, size[0] - reach):
        for x in range(reach, size[1] - reach):
            patch = label[y - reach : y + reach + 1, x - reach : x + reach + 1]
            flat[y, x] = (patch == patch[0, 0]).all()
    expected = np.where(label == 255, 0, GREYS[np.minimum(label, 2)])
    assert (np.abs(image[:, :, 0].astype(int) - expected)[flat] <= 1).all()


def test_scale_one_is_a_plain_crop():
    sample = drawn(40, 50, seed=1)
    result = apply(transforms.random_scale_crop((16, 24), (1, 1)), sample, (3, 4))
    photo, crop = sample["image"].numpy(), result["image"]
    places = [
        (y, x)
        for y in range(40 - 16 + 1)
        for x in range(50 - 24 + 1)
        if (photo[y : y + 16, x : x + 24] == crop).all()
        and (sample["label"].numpy()[y : y + 16, x : x + 24] == result["label"]).all()
    ]
    assert places


def test_scale_two_shows_objects_twice_as_large():
    label = np.zeros((40, 40), np.int32)
    label[10:20, 10:20] = 1
    sample = {"image": tf.constant(GREYS[label][:, :, None].repeat(3, 2)), "label": label}
    crop = transforms.random_scale_crop((80, 80), (2, 2))
    assert (apply(crop, sample, (0, 0))["label"] == 1).sum() == 400


def test_outside_the_photo_is_void_and_black():
    sample = drawn(20, 20, seed=2)
    sample["image"] = tf.maximum(sample["image"], 1)
    result = apply(transforms.random_scale_crop((40, 60), (1, 1)), sample, (5, 6))
    void = result["label"] == 255
    assert void.sum() == 40 * 60 - 20 * 20
    np.testing.assert_array_equal(void, (result["image"] == 0).all(axis=2))


def as_bytes(sample):
    """The sample with its photo as the bytes of a JPEG without loss of colour resolution."""
    jpeg = tf.io.encode_jpeg(sample["image"], quality=100, chroma_downsampling=False)
    return {**sample, "image": jpeg}


@relaxed
@given(photo=sizes, size=sizes, seed=seeds)
def test_a_window_of_a_file_is_that_of_its_pixels(photo, size, seed):
    encoded = as_bytes(drawn(*photo, seed=seed[0]))
    pixels = {
        **encoded,
        "image": tf.io.decode_jpeg(encoded["image"], dct_method="INTEGER_ACCURATE"),
    }
    crop = transforms.random_scale_crop(size, (0.6, 3.0))
    one, two = apply(crop, encoded, seed), apply(crop, pixels, seed)
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])


@pytest.mark.parametrize("factor", [2, 3, 4.5, 8, 11])
def test_files_shrunk_while_decoding_stay_aligned(factor):
    # cells of 8 pixels in a photo enlarged so that they have 5 pixels or more after shrinking
    coarse = drawn(64, 80, seed=3)
    cell = int(factor)
    label = np.kron(coarse["label"].numpy(), np.ones((cell, cell), np.int32))
    sample = as_bytes(
        {"image": tf.constant(GREYS[label][:, :, None].repeat(3, 2)), "label": tf.constant(label)}
    )
    for crop in (
        transforms.letterbox((int(64 * cell / factor), int(80 * cell / factor))),
        transforms.random_scale_crop((50, 61), (1 / factor, 1 / factor)),
    ):
        result = apply(crop, sample, (5, 6))
        check_aligned(result, reach=2)


@relaxed
@given(photo=sizes, seed=seeds)
def test_double_flip_is_the_identity(photo, seed):
    sample = drawn(*photo, seed=seed[0])
    once = apply(transforms.random_flip(1.0), sample, seed)
    np.testing.assert_array_equal(once["label"], sample["label"].numpy()[:, ::-1])
    twice = apply(transforms.random_flip(1.0), {k: tf.constant(v) for k, v in once.items()}, seed)
    for key in ("image", "label"):
        np.testing.assert_array_equal(twice[key], sample[key].numpy())


def test_flip_happens_at_its_probability():
    sample = drawn(8, 16, seed=3)
    flip = transforms.random_flip(0.25)
    flipped = sum(
        not np.array_equal(apply(flip, sample, (0, i))["label"], sample["label"].numpy())
        for i in range(400)
    )
    assert 70 <= flipped <= 130  # 100 expected, standard deviation 8.7


@relaxed
@given(photo=sizes, seed=seeds)
def test_jitter_leaves_the_label_alone(photo, seed):
    sample = drawn(*photo, seed=seed[0])
    result = apply(transforms.color_jitter(0.5, 0.5, 0.5), sample, seed)
    assert result["image"].dtype == np.uint8
    np.testing.assert_array_equal(result["label"], sample["label"].numpy())


def test_jitter_of_zero_is_the_identity(rng):
    image = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    sample = {"image": tf.constant(image), "label": tf.zeros((9, 9), tf.int32)}
    result = apply(transforms.color_jitter(0, 0, 0), sample, (1, 2))
    np.testing.assert_array_equal(result["image"], image)


@relaxed
@given(photo=sizes, size=sizes)
def test_letterbox_shows_the_whole_photo(photo, size):
    sample = drawn(*photo, seed=0)
    result = apply(transforms.letterbox(size), sample, (0, 0))
    assert result["image"].shape == (*size, 3)
    inside = result["label"] != 255
    height, width = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    factor = min(size[0] / photo[0], size[1] / photo[1])
    assert abs(height - photo[0] * factor) <= 1.5 * max(1, factor)
    assert abs(width - photo[1] * factor) <= 1.5 * max(1, factor)
    assert inside[:height, :width].all() and inside.sum() == height * width


@pytest.mark.parametrize(
    "transform",
    [
        transforms.random_scale_crop((24, 20)),
        transforms.random_flip(),
        transforms.color_jitter(),
        transforms.letterbox((24, 20)),
    ],
)
def test_eager_equals_tf_data(transform):
    samples = [drawn(30, 40, seed) for seed in range(4)]
    stacked = {k: tf.stack([s[k] for s in samples]) for k in ("image", "label")}
    seeds = tf.constant([[7, i] for i in range(4)], tf.int32)
    ds = tf.data.Dataset.from_tensor_slices((stacked, seeds)).map(transform)
    for index, result in enumerate(ds.as_numpy_iterator()):
        expected = apply(transform, samples[index], (7, index))
        for key in ("image", "label"):
            np.testing.assert_array_equal(result[key], expected[key])


def test_seeds_decide_and_differ():
    transform = transforms.random_scale_crop((24, 20))
    sample = drawn(60, 60, 0)
    results = [apply(transform, sample, (1, i))["image"].tobytes() for i in range(10)]
    assert len(set(results)) >= 9
    assert results[0] == apply(transform, sample, (1, 0))["image"].tobytes()


@pytest.mark.parametrize("scale", [(0, 1), (2, 1), (-1, 1)])
def test_wrong_scale_is_named(scale):
    with pytest.raises(ValueError, match="scale="):
        transforms.random_scale_crop((8, 8), scale)


@once
@pytest.mark.parametrize("task", ["semantic", "instance"])
@pytest.mark.parametrize("name", TRANSFORMS)
@few
@given(sizes=st.lists(sizes, min_size=4, max_size=4), seed=seeds)
def test_every_transform_keeps_samples_consistent(name, task, sizes, seed):
    if (name, task) == ("copy_paste", "semantic"):
        return
    draw = drawn if task == "semantic" else drawn_objects
    samples = [draw(*size, seed[0] + i) for i, size in enumerate(sizes)]
    result = apply(TRANSFORMS[name], samples[0], seed, samples[1:])
    used = samples if getattr(TRANSFORMS[name], "mixes", False) else samples[:1]
    check_consistent(result, used)
    if name in MOVING:
        check_aligned(result)
    if name in STAYING:
        for key in samples[0].keys() - {"image"}:
            np.testing.assert_array_equal(result[key], samples[0][key])
    again = graph(TRANSFORMS[name], task)(samples, tf.constant(seed, tf.int32))
    for key, value in result.items():  # eagerly, in a graph, and again: the same bytes
        np.testing.assert_array_equal(again[key], value)


@once
@pytest.mark.parametrize("name", TRANSFORMS)
def test_seeds_differ(name):
    samples = [drawn_objects(40, 50, seed) for seed in (1, 4, 5, 6)]
    if name == "pad":
        return
    results = {
        apply(TRANSFORMS[name], samples[0], (1, i), samples[1:])["image"].tobytes()
        for i in range(10)
    }
    assert len(results) >= 3


def test_random_apply_at_its_probability():
    sample = drawn(8, 16, seed=3)
    turn = transforms.random_rotation((180, 180))
    turned = sum(
        not np.array_equal(
            apply(transforms.random_apply(turn, 0.25), sample, (0, i))["label"], sample["label"]
        )
        for i in range(200)
    )
    assert 30 <= turned <= 70  # 50 expected, standard deviation 6.1
    assert transforms.random_apply(transforms.mosaic((8, 8))).mixes
    assert transforms.random_apply(transforms.random_crop((8, 8))).takes_bytes


def test_random_apply_decodes_what_it_leaves_alone(rng):
    image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    encoded = {"image": tf.io.encode_png(image), "label": tf.zeros((12, 16), tf.int32)}
    crop = transforms.random_apply(transforms.random_crop((12, 16)), 0.5)
    for number in range(4):
        np.testing.assert_array_equal(apply(crop, encoded, (1, number))["image"], image)


@pytest.mark.parametrize("side", [8, 9])
def test_rotation_by_a_right_angle_is_exact(rng, side):
    image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    label = rng.integers(0, 5, (side, side), dtype=np.int32)
    sample = {"image": tf.constant(image), "label": tf.constant(label)}
    for quarters in range(-1, 3):
        turn = transforms.random_rotation((90 * quarters, 90 * quarters))
        result = apply(turn, sample, (1, 2))
        np.testing.assert_array_equal(result["image"], np.rot90(image, quarters))
        np.testing.assert_array_equal(result["label"], np.rot90(label, quarters))


def test_translation_by_whole_pixels_is_exact(rng):
    image = rng.integers(1, 256, (16, 24, 3), dtype=np.uint8)
    label = rng.integers(0, 5, (16, 24), dtype=np.int32)
    sample = {"image": tf.constant(image), "label": tf.constant(label)}
    result = apply(transforms.random_affine(translate=(0.25, 0.25)), sample, (1, 2))
    np.testing.assert_array_equal(result["image"][4:, 6:], image[:-4, :-6])
    np.testing.assert_array_equal(result["label"][4:, 6:], label[:-4, :-6])
    new = np.ones((16, 24), bool)
    new[4:, 6:] = False
    assert (result["label"][new] == 255).all() and (result["image"][new] == 0).all()


def test_scale_and_shear_are_exact(rng):
    label = np.zeros((40, 40), np.int32)
    label[15:25, 15:25] = 1
    sample = {"image": tf.constant(GREYS[label][:, :, None].repeat(3, 2)), "label": label}
    result = apply(transforms.random_affine(scale=(2, 2)), sample, (1, 2))["label"]
    assert (result == 1).sum() == 400 and (result[10:30, 10:30] == 1).all()
    # A slant of 45 degrees moves each row to the right by its distance below the middle.
    image = rng.integers(1, 256, (9, 9, 3), dtype=np.uint8)
    label = rng.integers(0, 5, (9, 9), dtype=np.int32)
    sample = {"image": tf.constant(image), "label": tf.constant(label)}
    result = apply(transforms.random_affine(shear=(45, 45)), sample, (1, 2))
    for y in range(9):
        for x in range(9):
            inside = 0 <= x - (y - 4) < 9
            assert result["label"][y, x] == (label[y, x - (y - 4)] if inside else 255)
            assert (result["image"][y, x] == (image[y, x - (y - 4)] if inside else 0)).all()


def test_nothing_drawn_is_the_identity(rng):
    sample = drawn_objects(30, 40, 4)
    sample["image"] = tf.constant(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    for transform in (
        transforms.random_affine(),
        transforms.random_elastic(0),
        transforms.random_blur(0),
        transforms.random_noise(0),
        transforms.random_cutout(0),
    ):
        result = apply(transform, sample, (1, 2))
        for key in sample:
            np.testing.assert_array_equal(result[key], sample[key])


def test_elastic_moves_both_ways_by_its_strength():
    # A ramp whose grey is the column, and one whose grey is the row, tell the displacement.
    y, x = np.mgrid[:200, :240].astype(np.uint8)
    sample = {"image": tf.constant(np.stack([y, x, x], 2)), "label": tf.zeros((200, 240), tf.int32)}
    bend = transforms.random_elastic((0.02, 0.02))  # 4 pixels of 200
    moved = [apply(bend, sample, (1, i))["image"].astype(int) for i in range(8)]
    inner = slice(20, -20), slice(20, -20)
    down = np.stack([image[..., 0] - y for image in moved])[:, *inner].ravel()
    right = np.stack([image[..., 1] - x for image in moved])[:, *inner].ravel()
    assert 3 < down.std() < 5 and 3 < right.std() < 5
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.3  # each its own, not along the diagonal


def test_blur_keeps_flat_areas_up_to_the_border_and_the_mean_of_a_point():
    flat = {"image": tf.fill((20, 30, 3), tf.constant(77, tf.uint8))}
    blur = transforms.random_blur((1.5, 1.5))
    assert (apply(blur, flat, (1, 2))["image"] == 77).all()
    point = np.zeros((21, 21, 3), np.uint8)
    point[10, 10] = 255
    result = apply(blur, {"image": tf.constant(point)}, (1, 2))["image"][..., 0]
    # 255 / (2 pi 1.5^2) = 18.04 at the centre, times exp(-1 / (2 * 1.5^2)) = 0.80 beside it
    assert result[10, 10] == 18 and result[10, 11] == 14 == result[9, 10]


def test_noise_has_its_standard_deviation():
    flat = {"image": tf.fill((100, 100, 3), tf.constant(128, tf.uint8))}
    noise = apply(transforms.random_noise((20, 20)), flat, (1, 2))["image"].astype(int) - 128
    assert abs(noise.mean()) < 0.5 and abs(noise.std() - 20) < 0.5
    assert not np.array_equal(noise[..., 0], noise[..., 1])


def test_cutout_hides_the_share_it_is_told_to():
    sample, places = drawn(50, 80, 0), []
    for number in range(5):
        cut = transforms.random_cutout((0.1, 0.1), label="void")
        hidden = apply(cut, sample, (1, number))["label"] == 255
        assert abs(hidden.sum() - 400) < 45  # sides are rounded to whole pixels
        assert hidden.any(1).sum() * hidden.any(0).sum() == hidden.sum()
        rows, columns = hidden.any(1), hidden.any(0)
        places.append((rows.argmax() / (~rows).sum(), columns.argmax() / (~columns).sum()))
    assert all(abs(y - x) > 0.05 for y, x in places)  # not along the diagonal


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: transforms.random_affine(scale=(0, 1)), "scale="),
        (lambda: transforms.random_affine(degrees="x"), "degrees="),
        (lambda: transforms.random_affine(shear=90), "shear="),
        (lambda: transforms.random_elastic(-1), "strength="),
        (lambda: transforms.random_elastic(smoothness=0), "smoothness="),
        (lambda: transforms.random_blur((2, 1)), "sigma="),
        (lambda: transforms.random_noise(-1), "stddev="),
        (lambda: transforms.random_cutout(2), "area="),
        (lambda: transforms.random_cutout(label="no"), "label="),
        (lambda: transforms.random_apply(None, 2), "probability="),
        (lambda: transforms.mosaic((8, 8), 2), "probability="),
        (lambda: transforms.mosaic((8, 8), center=(1, 2)), "center="),
        (lambda: transforms.cut_mix(alpha=0), "alpha="),
        (lambda: transforms.copy_paste(-1), "probability="),
        (lambda: apply(transforms.copy_paste(), drawn(8, 8, 0), (1, 2)), "cut_mix"),
    ],
)
def test_wrong_arguments_are_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()


@pytest.mark.parametrize(
    "corner, window, share",
    [
        ((0, 0), (16, 8), 1.0),  # the left half alone
        ((4, 4), (8, 8), 2 / 3),  # (4, 4), (8, 4) left, (4, 8) right, (8, 8) void
        ((0, 0), (16, 16), 8 / 13),  # 8 left; right 4 in the upper half, 1 in the lower
        ((-8, 8), (16, 16), 1.0),  # rows 0 and 4 of the right half: beyond the image is nothing
        ((12, 12), (4, 4), 0.0),  # void alone
    ],
)
def test_the_largest_share_of_a_window(corner, window, share):
    label = np.zeros((16, 16), "uint8")  # of which every fourth pixel is looked at
    label[:, 8:] = 1
    label[8:, 12:] = label[8, 8] = 255
    result = _largest_share(tf, tf.constant(label), np.array(corner), np.array(window), 255)
    assert float(result) == pytest.approx(share)


@pytest.mark.parametrize("size, shrink", [((5, 7), 1.0), ((40, 60), 1.0), ((5, 7), 4.0)])
def test_resizing_rounds_to_the_nearest_byte(size, shrink):
    for value in (0, 7, 254, 255):  # a photo of one grey keeps it
        image = tf.fill((20, 30, 3), tf.constant(value, tf.uint8))
        assert (_resized(tf, image, size, shrink).numpy() == value).all()
    # between 10 and 13, a quarter and three quarters of the way: 10.75 and 12.25
    ramp = tf.constant([[[10], [13]]], tf.uint8)
    assert _resized(tf, ramp, (1, 4), 1.0).numpy().ravel().tolist() == [10, 11, 12, 13]

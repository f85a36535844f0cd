"""Joint transforms: labels stay labels, photo and label stay together, seeds decide all."""

import functools
import itertools

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings

import kseg
from kseg.data import transforms

# A photo in which the label can be read off: class k is drawn in grey 100 * k, void in blue.
GREYS = np.array([0, 100, 200], np.uint8)


def drawn(height, width, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (-(-height // 8), -(-width // 8)))
    label = coarse.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.int32)
    image = GREYS[label][:, :, None].repeat(3, 2)
    return {"image": tf.constant(image), "label": tf.constant(label)}


def drawn_objects(height, width, seed):
    """Rectangles that touch but do not overlap; class k is drawn in grey 40 * k, one crowd."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(9)[: rng.integers(0, 7)] + 1  # 0 is the ground
    coarse = np.arange(1, 10).reshape(3, 3).repeat(-(-height // 3), 0).repeat(-(-width // 3), 1)
    masks = (coarse[None, :height, :width] == cells[:, None, None]).astype(np.uint8)
    masks = masks[masks.any(axis=(1, 2))]
    classes = 1 + np.arange(len(masks), dtype=np.int32)
    sample = {
        "image": (40 * np.tensordot(classes, masks, 1)).astype(np.uint8)[..., None].repeat(3, 2),
        "masks": masks,
        "classes": classes,
        "crowd": classes == 2,
        "boxes": boxes(masks),
    }
    return {key: tf.constant(value) for key, value in sample.items()}


def boxes(masks):
    def box(mask):
        (y,), (x,) = np.nonzero(mask.any(1)), np.nonzero(mask.any(0))
        return x[0], y[0], x[-1] + 1, y[-1] + 1

    return np.array([box(mask) for mask in masks], np.float32).reshape(-1, 4)


def apply(transform, sample, seed, others=()):
    seed = tf.constant(seed, tf.int32)
    mixes = getattr(transform, "mixes", False)
    partner = (lambda number: others[int(number)],) if mixes else ()
    result = transform(sample, seed, *partner)
    return {key: value.numpy() for key, value in result.items()}


@functools.cache
def graph(transform, task):
    """The transform of a sample and three partners as one graph for photos of any size."""
    sample = drawn(8, 8, 0) if task == "semantic" else drawn_objects(8, 8, 0)
    spec = {k: tf.TensorSpec((None,) * v.shape.rank, v.dtype) for k, v in sample.items()}
    spec["image"] = tf.TensorSpec((None, None, 3), tf.uint8)

    @tf.function(input_signature=[[spec] * 4, tf.TensorSpec((2,), tf.int32)])
    def compiled(samples, seed):
        def partner(number):
            branches = [functools.partial(dict, other) for other in samples[1:]]
            return tf.switch_case(tf.convert_to_tensor(number), branches)

        mixes = getattr(transform, "mixes", False)
        return transform(samples[0], seed, *[partner] * mixes)

    return compiled


def check_consistent(result, samples, void=255):
    """What every transform keeps, of a result and the samples it was made of."""
    assert {k: v.dtype for k, v in result.items()} == {
        k: v.dtype.as_numpy_dtype for k, v in samples[0].items()
    }
    if "label" in result:
        assert result["image"].shape == (*result["label"].shape, 3)
        seen = {i for sample in samples for i in np.unique(sample["label"])}
        assert set(np.unique(result["label"])) <= seen | {void}
        return
    masks, classes = result["masks"], result["classes"]
    assert result["image"].shape == (*masks.shape[1:], 3)
    assert len(masks) == len(classes) == len(result["crowd"]) == len(result["boxes"])
    assert masks.max(initial=0) <= 1 and masks.any(axis=(1, 2)).all()
    assert masks.sum(axis=0, dtype=int).max(initial=0) <= 1  # as in every sample
    np.testing.assert_array_equal(result["boxes"], boxes(masks))
    np.testing.assert_array_equal(result["crowd"], classes == 2)
    assert set(classes) <= {i for sample in samples for i in sample["classes"].numpy()}


def check_aligned(result, reach=3):
    """Away from edges, where neighbours mix, the photo still shows the label or the objects."""
    if "label" in result:
        label = result["label"]
        expected = np.where(label == 255, 0, GREYS[np.minimum(label, 2)]).astype(int)
    else:
        expected = 40 * np.tensordot(result["classes"], result["masks"].astype(int), 1)
    side = 2 * reach + 1
    if min(expected.shape) < side:
        return
    patches = np.lib.stride_tricks.sliding_window_view(expected, (side, side))
    flat = patches.max(axis=(2, 3)) == patches.min(axis=(2, 3))
    inner = slice(reach, -reach), slice(reach, -reach)
    difference = np.abs(result["image"][inner].astype(int) - expected[inner][..., None])
    assert difference[flat].max(initial=0) <= 1


sizes = st.tuples(st.integers(8, 70), st.integers(8, 70))
seeds = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
relaxed = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(relaxed, max_examples=10)
# TensorFlow does the work whatever Keras' backend: once is enough.
once = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="not of the backend")

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
    sample = drawn(50, 80, 0)
    for number in range(5):
        cut = transforms.random_cutout((0.1, 0.1), label="void")
        hidden = apply(cut, sample, (1, number))["label"] == 255
        assert abs(hidden.sum() - 400) < 45  # sides are rounded to whole pixels
        assert hidden.any(1).sum() * hidden.any(0).sum() == hidden.sum()


def solid(height, width, class_id):
    """A photo that is all of one class, or of one object."""
    image = tf.fill((height, width, 3), tf.constant(10 * class_id, tf.uint8))
    return {"image": image, "label": tf.fill((height, width), class_id)}


def one_object(height, width, window, class_id, crowd=False):
    mask = np.zeros((1, height, width), np.uint8)
    mask[0, window[0], window[1]] = 1
    return {
        "image": tf.fill((height, width, 3), tf.constant(10 * class_id, tf.uint8)),
        "masks": tf.constant(mask),
        "classes": tf.constant([class_id]),
        "crowd": tf.constant([crowd]),
        "boxes": tf.constant(boxes(mask)),
    }


def test_mosaic_has_a_photo_in_each_quarter():
    samples = [solid(30, 40, k) for k in range(4)]
    expected = np.array([[0, 1], [2, 3]]).repeat(10, 0).repeat(12, 1)
    center = transforms.mosaic((20, 24), center=(0.5, 0.5))
    result = apply(center, samples[0], (1, 2), samples[1:])
    np.testing.assert_array_equal(result["label"], expected)
    np.testing.assert_array_equal(result["image"][..., 0], 10 * expected)


def test_mosaic_of_objects_keeps_each_at_its_place():
    whole = slice(None), slice(None)
    samples = [one_object(10, 12, whole, k, crowd=k == 2) for k in range(1, 5)]
    center = transforms.mosaic((20, 24), center=(0.5, 0.5))
    result = apply(center, samples[0], (1, 2), samples[1:])
    assert result["classes"].tolist() == [1, 2, 3, 4]
    assert result["boxes"].tolist() == [
        [0, 0, 12, 10], [12, 0, 24, 10], [0, 10, 12, 20], [12, 10, 24, 20],
    ]  # fmt: skip
    check_consistent(result, samples)


def test_mosaic_left_out_is_a_window_of_its_size():
    result = apply(transforms.mosaic((20, 24), 0.0), solid(10, 40, 1), (1, 2))
    assert result["label"].shape == (20, 24)
    assert (result["label"] == 1).sum() == 240 and (result["label"] == 255).sum() == 240


def test_copy_paste_of_a_known_square():
    sample = one_object(10, 12, (slice(2, 6), slice(2, 6)), 1)
    other = one_object(10, 12, (slice(4, 8), slice(5, 9)), 2)
    result = apply(transforms.copy_paste(1.0), sample, (1, 2), [other])
    assert result["classes"].tolist() == [1, 2]
    assert result["boxes"].tolist() == [[2, 2, 6, 6], [5, 4, 9, 8]]
    assert result["masks"].sum(axis=(1, 2)).tolist() == [16 - 2, 16]
    expected = np.where(other["masks"][0] == 1, 20, 10)
    np.testing.assert_array_equal(result["image"][..., 0], expected)


def test_copy_paste_drops_what_is_covered_and_pastes_no_crowd():
    square = slice(2, 6), slice(2, 6)
    sample = one_object(10, 12, square, 1)
    larger = one_object(30, 30, (slice(1, 20), slice(1, 7)), 2)  # of a larger photo
    result = apply(transforms.copy_paste(1.0), sample, (1, 2), [larger])
    assert result["classes"].tolist() == [2]
    assert result["boxes"].tolist() == [[1, 1, 7, 10]]
    crowd = one_object(10, 12, square, 3, crowd=True)
    result = apply(transforms.copy_paste(1.0), sample, (1, 2), [crowd])
    for key in sample:
        np.testing.assert_array_equal(result[key], sample[key])


def test_copy_paste_pastes_every_subset_but_none():
    sample = one_object(9, 9, (slice(0, 1), slice(0, 1)), 7)
    draws = (drawn_objects(9, 9, seed) for seed in range(100))
    other = next(draw for draw in draws if len(draw["classes"]) == 4)
    objects = {1, 3, 4}  # 2 is a crowd
    paste = transforms.copy_paste(1.0)
    found = {
        frozenset(apply(paste, sample, (1, i), [other])["classes"].tolist()) - {7}
        for i in range(60)
    }
    assert found == {
        frozenset(subset) for size in (1, 2, 3) for subset in itertools.combinations(objects, size)
    }


def test_cut_mix_is_a_rectangle_whose_share_is_uniform():
    samples = [solid(50, 60, 1), solid(50, 60, 2)]
    mix = graph(transforms.cut_mix(1.0), "semantic")
    shares = []
    for number in range(300):
        result = mix([*samples, *samples], tf.constant([3, number], tf.int32))
        inside = result["label"].numpy() == 2
        assert inside.any(1).sum() * inside.any(0).sum() == inside.sum()
        shares.append(inside.mean())
    quartiles = np.quantile(shares, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [0.25, 0.5, 0.75], atol=0.1)  # 3.5 standard errors


def test_cut_mix_of_a_smaller_photo_is_void_beyond_it():
    samples = [solid(50, 60, 1), solid(10, 60, 2)]
    result = apply(transforms.cut_mix(1.0), samples[0], (1, 3), samples[1:])
    rows = np.arange(50)[:, None].repeat(60, 1)
    assert (rows[result["label"] == 2] < 10).all() and (result["label"] == 255).any()
    assert (rows[result["label"] == 255] >= 10).all()


def test_mixing_reads_partners_only_when_it_mixes():
    def unread(number):
        raise AssertionError("read")

    seed = tf.constant([1, 2], tf.int32)
    for mix in (transforms.mosaic((8, 8), 0.0), transforms.cut_mix(0.0)):
        mix(drawn(8, 8, 0), seed, unread)
    transforms.copy_paste(0.0)(drawn_objects(8, 8, 0), seed, unread)


@once
def test_batches_with_mixing_repeat_differ_and_resume():
    source = kseg.data.shapes("train", instances=True, count=12, size=(48, 64))

    augment = [
        transforms.random_scale_crop((32, 40)),
        transforms.mosaic((32, 40), 0.5),
        transforms.copy_paste(0.5),
        transforms.random_apply(transforms.random_rotation(20)),
    ]

    def batches(first, count):
        ds = kseg.data.batches(
            source,
            size=(32, 40),
            batch_size=4,
            augment=augment,
            seed=5,
            start_step=first,
        )
        return [tf.nest.map_structure(lambda x: x.numpy(), batch) for batch in ds.take(count)]

    steps = batches(0, 6)  # two epochs
    assert not np.array_equal(steps[0][0], steps[3][0])
    resumed = batches(2, 4)  # made anew: the same run once more, from the third step on
    tf.nest.map_structure(np.testing.assert_array_equal, steps[2:], resumed)
    for images, objects in steps:
        assert images.shape == (4, 32, 40, 3) and objects["masks"].shape == (4, 100, 32, 40)
        for masks, classes, found in zip(*(objects[k] for k in ("masks", "classes", "boxes"))):
            count = (classes >= 0).sum()
            np.testing.assert_array_equal(found[:count], boxes(masks[:count]))


LAYERS = {  # one of each kind; all of them are tried on TensorFlow
    "RandomFlip": (),
    "RandomPerspective": (1.0, 0.5),
    "RandomRotation": (0.2,),
    "RandomShear": (0.3, 0.3),
    "RandomTranslation": (0.3, 0.3),
    "RandomZoom": (0.4,),
    "AutoContrast": (),
    "Equalization": (),
    "RandomBrightness": (0.3,),
    "RandomColorDegeneration": (0.5,),
    "RandomContrast": (0.5,),
    "RandomErasing": (),
    "RandomGaussianBlur": (),
    "RandomGrayscale": (0.5,),
    "RandomHue": (0.3,),
    "RandomInvert": (0.9,),
    "RandomPosterization": (4,),
    "RandomSaturation": ((0.3, 0.7),),
    "RandomSharpness": (0.9,),
    "Solarization": (0.5, 0.5),
}
GEOMETRIC = list(LAYERS)[:6]
FILLED = ("RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom")


def from_keras(name, **more):
    more = {"fill_mode": "constant"} | more if name in FILLED else more
    return transforms.from_keras(getattr(keras.layers, name)(*LAYERS[name], **more))


@pytest.mark.parametrize(
    "name",
    LAYERS
    if keras.backend.backend() == "tensorflow"
    else ["RandomRotation", "RandomFlip", "RandomContrast"],
)
def test_keras_layers_keep_samples_consistent(name):
    transform = from_keras(name)
    seeds = tf.constant([[7, i] for i in range(4)], tf.int32)
    empty = {k: v if k == "image" else v[:0] for k, v in drawn_objects(24, 32, 0).items()}
    empty["image"] = tf.zeros_like(empty["image"])
    for sample in (drawn(24, 32, 1), drawn_objects(24, 32, 1), empty):
        ds = tf.data.Dataset.from_tensor_slices(seeds).map(
            lambda seed, sample=sample: transform(sample, seed)
        )
        results = list(ds.as_numpy_iterator())
        for seed, result in zip(seeds, results):
            check_consistent(result, [sample])
            if name in GEOMETRIC:
                check_aligned(result)
            else:
                for key in sample.keys() - {"image"}:
                    np.testing.assert_array_equal(result[key], sample[key])
            for key, value in apply(transform, sample, seed).items():
                np.testing.assert_array_equal(result[key], value)
    rng = np.random.default_rng(0)
    photo = {**sample, "image": tf.constant(rng.integers(20, 200, (24, 32, 3), dtype=np.uint8))}
    seen = {apply(transform, photo, seed)["image"].tobytes() for seed in seeds}
    assert len(seen) >= (1 if name in ("AutoContrast", "Equalization") else 2)
    assert photo["image"].numpy().tobytes() not in seen or len(seen) > 1


def test_keras_fill_is_void_whatever_its_colour():
    sample = drawn(24, 32, 1)
    result = apply(from_keras("RandomRotation", fill_value=128.0), sample, (1, 2))
    new = result["label"] == 255
    assert new.any() and (result["image"][new] == 128).mean() > 0.8  # borders are interpolated
    check_consistent(result, [sample])
    objects = drawn_objects(24, 32, 1)
    result = apply(from_keras("RandomRotation", fill_value=128.0), objects, (1, 2))
    check_consistent(result, [objects])
    reflected = apply(from_keras("RandomRotation", fill_mode="reflect"), sample, (1, 2))
    assert (reflected["label"] != 255).all()
    check_aligned(reflected)


@pytest.mark.parametrize(
    "layer, message",
    [
        (("AugMix",), "random_apply"),
        (("CenterCrop", 8, 8), "letterbox"),
        (("CutMix",), "cut_mix"),
        (("MixUp",), "cut_mix"),
        (("Pipeline", []), "one by one"),
        (("RandAugment",), "random_apply"),
        (("RandomColorJitter",), "color_jitter"),
        (("RandomCrop", 8, 8), "random_crop"),
        (("RandomElasticTransform",), "random_elastic"),
        (("Resizing", 8, 8), "letterbox"),
        (("Dense", 3), "augmentation layers"),
    ],
)
def test_keras_layers_that_spoil_labels_are_refused(layer, message):
    with pytest.raises(ValueError, match=f"{layer[0]}.*{message}"):
        transforms.from_keras(getattr(keras.layers, layer[0])(*layer[1:]))


def test_keras_layers_for_other_photos_are_refused():
    with pytest.raises(ValueError, match="value_range"):
        transforms.from_keras(keras.layers.RandomContrast(0.5, value_range=(0, 1)))
    with pytest.raises(ValueError, match="dtype"):
        transforms.from_keras(keras.layers.RandomFlip(dtype="mixed_bfloat16"))
    with pytest.raises(ValueError, match="size"):
        graph(from_keras("RandomPerspective"), "semantic").get_concrete_function()


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

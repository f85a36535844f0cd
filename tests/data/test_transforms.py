"""Joint transforms: labels stay labels, photo and label stay together, seeds decide all."""

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings

from kseg.data import transforms

# A photo in which the label can be read off: class k is drawn in grey 100 * k, void in blue.
GREYS = np.array([0, 100, 200], np.uint8)


def drawn(height, width, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (-(-height // 8), -(-width // 8)))
    label = coarse.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.int32)
    image = GREYS[label][:, :, None].repeat(3, 2)
    return {"image": tf.constant(image), "label": tf.constant(label)}


def apply(transform, sample, seed):
    return {k: v.numpy() for k, v in transform(sample, tf.constant(seed, tf.int32)).items()}


sizes = st.tuples(st.integers(8, 70), st.integers(8, 70))
seeds = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
relaxed = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


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

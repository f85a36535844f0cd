"""Mosaic, copy-paste and CutMix: known samples, known places, partners read when needed."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from data.joint import (
    apply,
    boxes,
    check_consistent,
    drawn,
    drawn_objects,
    graph,
    once,
)

import kseg
from kseg.data import transforms


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


def test_cut_mix_of_a_half_is_as_high_and_wide_as_its_share_says():
    samples = [solid(50, 60, 1), solid(50, 60, 2)]
    half = apply(transforms.cut_mix(1.0, alpha=1e9), samples[0], (1, 3), samples[1:])["label"] == 2
    assert (half.any(1).sum(), half.any(0).sum()) == (35, 42)  # of sqrt(1 / 2) * 50 and 60


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


@pytest.mark.slow
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
    assert not np.array_equal(steps[0][0]["image"], steps[3][0]["image"])
    resumed = batches(2, 4)  # made anew: the same run once more, from the third step on
    tf.nest.map_structure(np.testing.assert_array_equal, steps[2:], resumed)
    for inputs, objects in steps:
        assert inputs["image"].shape == (4, 32, 40, 3)
        assert objects["masks"].shape == (4, 100, 32, 40)
        for masks, classes, found in zip(*(objects[k] for k in ("masks", "classes", "boxes"))):
            count = (classes >= 0).sum()
            np.testing.assert_array_equal(found[:count], boxes(masks[:count]))

import numpy as np
import pytest
import tensorflow as tf

import kseg
from kseg.data import batches, samples, steps_per_epoch
from kseg.data.bad_files import naming_bad_files


@pytest.fixture(scope="module")
def source():
    return kseg.data.shapes("train", size=(32, 40), count=22)


def labels_of(ds):
    return [label for _, labels in ds for label in labels.numpy()]


def position(source, label):
    (found,) = [i for i in range(len(source)) if np.array_equal(source.columns["label"][i], label)]
    return found


def test_evaluation_drops_nothing_and_keeps_order(source):
    labels = labels_of(batches(source, batch_size=8))
    assert [position(source, label) for label in labels] == list(range(22))


def test_an_epoch_shows_each_sample_once_in_an_order_of_its_own(source):
    ds = batches(source, batch_size=2, shuffle=True, seed=3)
    first = [position(source, label) for label in labels_of(ds)]
    second = [position(source, label) for label in labels_of(ds)]
    assert sorted(first) == sorted(second) == list(range(22))
    assert first != second and first != list(range(22))


def test_training_batches_have_one_shape(source):
    shapes = {
        (tuple(x.shape), tuple(y.shape), x.dtype.name, y.dtype.name)
        for x, y in batches(source, size=(24, 16), batch_size=8, augment=True)
    }
    assert shapes == {((8, 24, 16, 3), (8, 24, 16), "uint8", "int32")}
    assert steps_per_epoch(source, 8) == 2


def test_a_set_smaller_than_a_batch_still_trains(source):
    few = source.subset(range(3))
    (batch,) = batches(few, size=(24, 16), batch_size=8, augment=True)
    assert batch[0].shape == (3, 24, 16, 3) and steps_per_epoch(few, 8) == 1


@pytest.mark.once("torch")
def test_the_same_seed_gives_the_same_epochs(source):
    def epochs(seed):
        ds = batches(source, size=(24, 16), batch_size=4, augment=True, seed=seed)
        return [np.stack([x.numpy() for x, _ in ds]) for _ in range(2)]

    first, again, other = epochs(1), epochs(1), epochs(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)


@pytest.mark.once("torch")
def test_a_resumed_stream_goes_on_where_it_stopped(source):
    def stream(start, count):
        ds = batches(source, size=(24, 16), batch_size=4, augment=True, start_step=start)
        return [x.numpy() for x, _ in ds.take(count)]

    whole = stream(0, 14)  # 22 samples, 4 a batch: epochs end inside batches
    np.testing.assert_array_equal(whole[5:], stream(5, 9))
    np.testing.assert_array_equal(whole[11:], stream(11, 3))


def test_the_endless_stream_visits_every_sample_each_epoch(source):
    ds = batches(source, batch_size=11, shuffle=True, augment=[], start_step=0)
    labels = labels_of(ds.take(4))
    for epoch in (labels[:22], labels[22:]):
        assert sorted(position(source, label) for label in epoch) == list(range(22))


@pytest.mark.slow
@pytest.mark.once("tensorflow")
def test_the_parts_of_workers_are_the_batch(source):
    def stream(share=None):
        options = {"size": (24, 16), "batch_size": 8, "augment": True, "start_step": 3}
        return [x.numpy() for x, _ in batches(source, **options, share=share).take(4)]

    parts = [stream((place, 3)) for place in range(3)]
    assert [len(part[0]) for part in parts] == [2, 3, 3]
    for whole, *shares in zip(stream(), *parts):
        np.testing.assert_array_equal(whole, np.concatenate(shares))
    for share, told in (((3, 3), "share=3"), ((0, 9), "share=9"), (2, "share=2"), ("ab", "share=")):
        with pytest.raises(ValueError, match=f"^{told}"):
            batches(source, share=share, start_step=0)
    with pytest.raises(ValueError, match="Give start_step=0 beside it"):
        batches(source, share=(0, 2))


def test_own_sizes_are_padded_with_void(pair_folders, write_image):
    root = pair_folders(count=2)
    blank = np.zeros((50, 30), np.uint8)
    write_image("set/images/z.png", blank)
    write_image("set/masks/z.png", blank)
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    ((images, labels),) = batches(source, batch_size=3)
    assert images.shape == (3, 50, 56, 3) and labels.shape == (3, 50, 56)
    assert (labels.numpy()[0, 40:] == 255).all() and (labels.numpy()[2, :, 30:] == 255).all()
    assert (labels.numpy()[2, :, :30] == 0).all()


def test_letterboxed_evaluation(source):
    for images, labels in batches(source, size=(64, 64), batch_size=5):
        assert images.shape[1:] == (64, 64, 3)
        # 32x40 grows to 51x64: about 13 rows of void at the bottom
        assert 12 <= (labels.numpy()[0] == 255).all(axis=1).sum() <= 14


def test_samples_are_the_source(source):
    for index, sample in enumerate(samples(source)):
        np.testing.assert_array_equal(sample["image"], source.columns["image"][index])
    assert index == 21


@pytest.mark.parametrize(
    "arguments, part",
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"size": (32,)}, "size=(32,)"),
        ({"size": (0, 32)}, "size=(0, 32)"),
        ({"augment": True}, "size=None: expected (height, width)"),
    ],
)
def test_wrong_arguments_are_named(source, arguments, part):
    with pytest.raises(ValueError) as error:
        batches(source, **arguments)
    assert part in str(error.value)


@pytest.mark.once("torch")
def test_instance_batches_say_what_is_padding():
    """A photo of 32 x 40 letterboxed into 48 x 48 is enlarged by 1.2, to 38.4 x 48 pixels, of which
    38 x 48 are whole."""
    source = kseg.data.shapes("val", size=(32, 40), count=3, instances=True)
    ((inputs, _),) = batches(source, size=(48, 48), batch_size=3)
    assert inputs["size"].numpy().tolist() == [[38, 48]] * 3
    image = inputs["image"].numpy()
    assert image[:, :38].any(axis=(1, 3)).all() and not image[:, 39:].any()
    ((inputs, _),) = batches(source, batch_size=3)
    assert inputs["size"].numpy().tolist() == [[32, 40]] * 3


@pytest.mark.once("torch")
def test_what_finds_no_place_in_a_batch_is_crowd():
    """An object of 4 pixels, a crowd of 20 and an object of 6: the crowd is the first to go."""
    masks = np.zeros((3, 6, 8), np.uint8)
    masks[0, :2, :2], masks[1, :4, 3:8], masks[2, 4:6, :3] = 1, 1, 1

    def decode(row):
        masks = row["masks"]
        crowd = np.array([False, True, False])
        return {"image": row["image"], "masks": masks, "classes": [0, 1, 1], "crowd": crowd}

    source = kseg.data.Source(
        name="crowded",
        columns={"image": np.zeros((1, 6, 8, 3), np.uint8), "masks": masks[None]},
        decode=decode,
        class_names=("a", "b"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=("x",),
        task="instance",
    )
    for count, classes, crowd in (
        (4, [0, 1, 1, -1], [False, True, False, False]),
        (3, [0, 1, 1], [False, True, False]),
        (2, [1, 0], [False, True]),
        (1, [0], [True]),
    ):
        ((_, labels),) = batches(source, batch_size=1, max_instances=count)
        assert labels["classes"].numpy().tolist() == [classes]
        assert labels["crowd"].numpy().tolist() == [crowd]
        covered = labels["masks"].numpy()[0].max(0)
        np.testing.assert_array_equal(covered, masks.max(0))  # nothing has become background
    assert labels["boxes"].numpy().tolist() == [[[0, 0, 8, 6]]]


@pytest.mark.once("torch")
def test_batches_grow_with_the_objects_of_a_photo():
    """Photos of 3 and 101 objects, of 100 and of 250: 200 places, 100 and 400, by the batch."""
    counts = np.array([3, 101, 100, 250])

    def decode(row):
        masks = tf.one_hot(tf.range(row["count"]), 256, dtype=tf.uint8)
        return {
            "image": tf.zeros((16, 16, 3), tf.uint8),
            "masks": tf.reshape(masks, (-1, 16, 16)),
            "classes": tf.zeros((row["count"],), tf.int32),
        }

    names = tuple(map(str, counts))
    source = kseg.data.Source(
        "many", {"count": counts}, decode, ("a",), ((255, 0, 0),), names, task="instance"
    )
    for size, sides in ((None, (16, 16)), ((32, 32), (32, 32))):
        shapes = []
        for _, labels in batches(source.subset([0, 1, 2]), size=size, batch_size=2):
            shapes.append(labels["masks"].shape)
            real = labels["classes"].numpy() >= 0
            np.testing.assert_array_equal(real, labels["masks"].numpy().any((2, 3)))
        assert shapes == [(2, 200, *sides), (1, 100, *sides)]
    ((_, labels),) = batches(source.subset([3]), batch_size=2)
    assert labels["boxes"].shape == (1, 400, 4) and (labels["classes"].numpy() == 0).sum() == 250
    (finding,) = (f for f in kseg.check(source).findings if f.kind == "many_objects")
    assert "'250' shows 250 objects, the most of all; 2 photos show more than 100" in str(finding)


@pytest.mark.once("torch")
@pytest.mark.parametrize("box", [(3, 2, 3, 5), (3, 5, 6, 5), (6, 2, 3, 5)])
def test_boxes_without_area_are_refused_with_the_photo_named(box):
    def decode(row):
        return {
            "image": row["image"],
            "masks": np.ones((2, 6, 8), np.uint8),
            "classes": [0, 0],
            "boxes": np.array([(0, 0, 8, 6), box], np.float32),
        }

    source = kseg.data.Source(
        name="thin",
        columns={"image": np.zeros((1, 6, 8, 3), np.uint8)},
        decode=decode,
        class_names=("a",),
        colors=((255, 0, 0),),
        ids=("photo-7",),
        task="instance",
    )
    with pytest.raises(ValueError, match="photo-7.*boxes without area"), naming_bad_files(source):
        list(batches(source, batch_size=1))

"""Scores of each image: those that the image would have alone, in the order of the source."""

import numpy as np
import pytest
from seeds import fresh_seed

import kseg

SIZES = [(20, 28), (16, 16), (20, 28), (16, 16), (24, 20)]  # batches of one size mix the order
NAMES = ("sky", "road", "car")


def labelled(sizes=SIZES, seed=0, task="semantic"):
    """A source of noise, whose photos tell something of their labels."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, 3, (h // 4, w // 4)).repeat(4, 0).repeat(4, 1) for h, w in sizes]
    for label in labels:
        label[0, :3] = 255

    def sample(index):
        label = labels[index]
        photo = np.stack([label % 3 * 100] * 3, -1) + (label[..., None] == 255) * 7
        several = np.stack([label == i for i in range(3)], -1).astype("uint8")
        several[label == 255] = 255
        return photo.astype("uint8"), (label if task == "semantic" else several).astype("uint8")

    def decode(row):
        photo, label = tf.numpy_function(sample, [row["index"]], (tf.uint8, tf.uint8))
        shape = (None, None) if task == "semantic" else (None, None, 3)
        return {
            "image": tf.ensure_shape(photo, (None, None, 3)),
            "label": tf.ensure_shape(label, shape),
        }

    return kseg.data.Source(
        name="made",
        columns={"index": np.arange(len(sizes))},
        decode=decode,
        class_names=NAMES,
        colors=((0, 0, 0), (9, 9, 9), (99, 9, 9)),
        ids=tuple(f"scene{i}/p{i}" for i in range(len(sizes))),
        task=task,
    )


def network(multilabel=False, seed=0):
    fresh_seed(seed)
    return kseg.build_unet(3, width=2, depth=1, compile=False, multilabel=multilabel)


@pytest.mark.once("torch")
def test_images_are_scored_as_they_would_be_alone():
    model, source = network(), labelled()
    options = {"boundary": True, "surface": True}
    scores = kseg.evaluate(model, source, batch_size=2, per_image=True, **options)
    assert [each["name"] for each in scores["per_image"]] == list(source.ids)
    for index, each in enumerate(scores["per_image"]):
        alone = kseg.evaluate(model, source.subset([index]), batch_size=1, **options)
        for name in ("mean_iou", "mean_dice", "pixel_accuracy", "mean_boundary_f1", "mean_hd95"):
            assert each[name] == pytest.approx(alone[name], rel=1e-12, nan_ok=True), name
        iou = {name: row["iou"] for name, row in alone["classes"].items()}
        assert each["iou"] == {name: v for name, v in iou.items() if not np.isnan(v)}
        assert each["pixels"] == alone["pixels"]
    assert "per_image" not in kseg.evaluate(model, source)


@pytest.mark.once("torch")
def test_images_of_several_classes_a_pixel():
    model, source = network(multilabel=True), labelled(task="multilabel")
    scores = kseg.evaluate(model, source, batch_size=2, per_image=True)
    for index, each in enumerate(scores["per_image"]):
        alone = kseg.evaluate(model, source.subset([index]))
        for name in ("mean_iou", "pixel_accuracy", "labels"):
            assert each[name] == pytest.approx(alone[name], rel=1e-12)


def test_images_of_a_data_set_have_their_number():
    batches = kseg.data.batches(labelled([(16, 16)] * 3), batch_size=2)
    scores = kseg.evaluate(network(), batches, per_image=True)
    assert [each["name"] for each in scores["per_image"]] == ["0", "1", "2"]


def test_what_is_taken_for_what():
    from kseg.evaluation.table import confusion_table, most_confused

    scores = {"classes": dict.fromkeys(NAMES), "confusion": [[6, 2, 0], [0, 0, 0], [1, 0, 3]]}
    assert confusion_table(scores).rows == [
        ("sky", "75.0", "25.0", "0.0"),
        ("road", "", "", ""),
        ("car", "25.0", "0.0", "75.0"),
    ]
    expected = "most pixels taken for another class: sky for road (25 %), car for sky (25 %)"
    assert most_confused(scores, "pixels") == expected
    objects = {"classes": {"a": 0}, "confusion": [[3, 1], [4, 0]]}
    assert confusion_table(objects).rows == [("a", "75.0", "25.0"), ("nothing", "100.0", "0.0")]
    assert most_confused(objects, "objects") == ""
    several = {"classes": {"a": 0}, "confusion": [[[90, 5], [2, 8]]]}
    assert confusion_table(several).rows == [("a", "80.0", "20.0", "50.0")]

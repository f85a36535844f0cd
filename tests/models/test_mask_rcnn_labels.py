"""Mask R-CNN's labels and photos are looked at before it learns or predicts."""

import numpy as np
import pytest
from models.small_mask_rcnn import TWO, build


@pytest.fixture(scope="module")
def model():
    return build()


def changed(key, place, value):
    """`TWO`'s labels with another value at a place."""
    labels = {name: values.copy() for name, values in TWO[1].items()}
    labels[key][place] = value
    return labels


WRONG = {
    "class": (changed("classes", (1, 0), 3), r"y\['classes'\]\[1, 0\]=3: expected a class, 0..2"),
    "area": (
        changed("boxes", (0, 1), [50, 20, 50, 60]),
        r"y\['boxes'\]\[0, 1\]=\[50.0, 20.0, 50.0, 60.0\]: .*x1 < x2.*x \+ width",
    ),
    "NaN": (changed("boxes", (0, 0, 2), np.nan), r"y\['boxes'\]\[0, 0\]=.*nan.*x1 < x2"),
    "outside": (
        changed("boxes", (0, 0), [96, 5, 99, 30]),
        r"y\['boxes'\]\[0, 0\].* in an image of 64 x 96 \(height x width\) pixels",
    ),
    "0..1": (
        {**TWO[1], "boxes": TWO[1]["boxes"] / (96, 64, 96, 64)},
        r"y\['boxes'\].max\(\)=.*in pixels. Multiply x by the width",
    ),
    "masks of 255": (
        {**TWO[1], "masks": TWO[1]["masks"] * 255},
        r"values in y\['masks'\]=\[255\]: expected 0 and 1",
    ),
    "soft masks": ({**TWO[1], "masks": TWO[1]["masks"] * 0.5}, r"y\['masks'\]=\[0.5\]: expected 0"),
    "size": (
        {**TWO[1], "masks": TWO[1]["masks"][:, :, ::2]},
        r"y\['masks'\].shape=\(2, 6, 32, 96\): expected \(2, 6, 64, 96\)",
    ),
    "boxes of other objects": (
        {**TWO[1], "boxes": TWO[1]["boxes"][:, 1:]},
        r"y\['boxes'\].shape=\(2, 5, 4\): expected \(2, 6, 4\)",
    ),
    "nothing of a key": (
        {"boxes": TWO[1]["boxes"]},
        r"y=\['boxes'\]: expected a dict of 'boxes', ",
    ),
    "labels": (TWO[0][..., 0], "y='ndarray': expected a dict.*instances=True"),
}


@pytest.mark.parametrize("name", WRONG)
def test_labels_that_are_no_objects_are_refused(model, name):
    """Before the first step; compiled code could say nothing."""
    labels, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        model.fit(TWO[0], labels, batch_size=2, verbose=0)


@pytest.mark.once("torch")
@pytest.mark.parametrize("name", ["area", "nothing of a key"])
def test_labels_of_a_data_set_are_refused(model, name):
    """While its batches are made, on every backend; the model stays as it was."""
    import tensorflow as tf

    labels, message = WRONG[name]
    weights = model.get_weights()
    with pytest.raises(ValueError, match=message):
        data = tf.data.Dataset.from_tensors((TWO[0], labels))
        model.fit(data, verbose=0, shuffle=False)
    for before, after in zip(weights, model.get_weights()):
        # the decay of weights asks for no batch: TensorFlow may be done with it before the error
        np.testing.assert_allclose(after, before, rtol=1e-6)


def test_photos_of_0_to_1_are_not_predicted(model):
    with pytest.raises(ValueError, match=r"x.max\(\)=.*Multiply by 255"):
        model.predict(TWO[0] / 255, verbose=0)


def test_objects_in_other_words_are_right(model):
    """A crowd may be of any class, padding of any box; masks may be bool or float."""
    labels = changed("classes", (1, 0), 9)
    labels["crowd"][1, 0] = True
    labels["boxes"][1, 3:] = np.nan
    for kind in ("bool", "float32"):
        given = {**labels, "masks": labels["masks"].astype(kind)}
        model.check_labels(given, TWO[0].shape)

"""Class weights of a source: by hand, in a loss, and what is refused."""

import numpy as np
import pytest

from kseg import data
from kseg.checks.class_weights import class_weights_from
from kseg.checks.statistics import class_weights
from kseg.data.source import Source
from kseg.losses import CrossEntropyLoss, cross_entropy

# Two masks of 3 x 4: of class 0 there are 7 + 9, of class 1 there are 3 + 1, of class 2 none.
LABELS = np.full((2, 3, 4), 255, np.uint8)
LABELS.reshape(2, 12)[0, :10] = [0] * 7 + [1] * 3
LABELS.reshape(2, 12)[1, :10] = [0] * 9 + [1]


def source(labels=LABELS, **options):
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 3, 4, 3)).astype(np.uint8)
    names = ("ground", "thing", "rare")
    return Source(
        name="tiny",
        columns={"image": images, "label": labels},
        decode=lambda row: {"image": row["image"], "label": row["label"]},
        class_names=names,
        colors=((0, 0, 0),) * len(names),
        ids=tuple(f"s{i}" for i in range(len(labels))),
        **options,
    )


def test_a_class_of_one_pixel_counts():
    # inverse frequencies 10/9 and 10, of mean 2 over pixels; a class of none has no weight
    assert class_weights([9, 1, 0], 1.0) == pytest.approx([5 / 9, 5, 0])


def test_by_hand():
    # Frequencies 16/20 and 4/20. Inverse: 5/4 and 5, of mean 4/5 * 5/4 + 1/5 * 5 = 2 over pixels.
    assert class_weights_from(source(), 1.0) == pytest.approx([5 / 8, 5 / 2, 0])
    # Square roots sqrt(5)/2 and sqrt(5), of mean 4/5 * sqrt(5)/2 + 1/5 * sqrt(5) = 3 sqrt(5) / 5.
    assert class_weights_from(source()) == pytest.approx([5 / 6, 5 / 3, 0])
    assert class_weights_from(source(), 0) is None
    # The first of two samples alone: 7/10 and 3/10, inverse 10/7 and 10/3, mean 2.
    first = source(np.where(LABELS == 1, 2, LABELS)[:1]).subset([0])
    assert class_weights_from(first, 1, limit=1) == pytest.approx([5 / 7, 0, 5 / 3])


def test_in_a_loss():
    weights = class_weights_from(source())
    y_pred = np.random.default_rng(0).normal(size=(2, 3, 4, 3)).astype("float32")
    loss = float(CrossEntropyLoss(class_weight=weights)(LABELS, y_pred))
    by_hand = float(cross_entropy(LABELS, y_pred, class_weight=[5 / 6, 5 / 3, 0]))
    assert loss == pytest.approx(by_hand, rel=1e-6)


def test_all_samples_are_counted_however_many():
    scenes = data.shapes("val", count=7)
    pixels = sum(np.bincount(scenes[i]["label"].ravel(), minlength=256)[:6] for i in range(7))
    frequency = pixels / pixels.sum()
    weights = np.array(class_weights_from(scenes, 1.0))
    np.testing.assert_allclose(weights[pixels > 0] * frequency[pixels > 0], 1 / (pixels > 0).sum())


def test_what_is_refused():
    with pytest.raises(TypeError, match="source.*Source.*ndarray"):
        class_weights_from(LABELS)
    with pytest.raises(ValueError, match="instances"):
        class_weights_from(data.shapes("val", count=2, instances=True))
    with pytest.raises(ValueError, match=r"balance.*1\.5"):
        class_weights_from(source(), 1.5)
    with pytest.raises(ValueError, match="no labelled pixel"):
        class_weights_from(source(np.full_like(LABELS, 255)))
    with pytest.raises(ValueError, match="limit=1.*'rare'"):
        class_weights_from(source(), limit=1)
    with pytest.raises(ValueError, match="label 9 is outside"):
        class_weights_from(source(np.where(LABELS == 1, 9, LABELS)))

"""Weights of pixels in a training: of the loss and of the scores, on every backend."""

import keras
import numpy as np
import pytest

import kseg
from kseg.data import transforms

SIZE = (16, 16)
DARK, LIGHT = 30, 220


def halves(several=False):
    """Light columns are class 1; in the lower half, of weight 0, the labels say the opposite."""
    image = np.full((2, *SIZE, 3), DARK, np.uint8)
    image[:, :, 8:] = LIGHT
    label = (image[..., 0] == LIGHT).astype(np.uint8)
    label[:, 8:] = 1 - label[:, 8:]
    weight = np.zeros((2, *SIZE), np.float32)
    weight[:, :8] = 0.5
    names = ("dark", "light")
    if several:
        label = np.stack([1 - label, label], axis=-1)
    task = "multilabel" if several else "semantic"

    def source(**columns):
        columns = {"image": image, "label": label, **columns}
        colors, ids = ((0, 0, 0), (9, 9, 9)), ("p", "q")
        return kseg.data.Source(
            "halves", columns, lambda row: dict(row), names, colors, ids, task=task
        )

    return source(weight=weight), source()


@pytest.mark.once("torch")
@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_a_fit_learns_and_scores_what_has_weight(tmp_path, several):
    weighted, whole = halves(several)
    settings = kseg.Settings(
        size=SIZE, epochs=40, batch_size=2, learning_rate=0.1, validate_epochs=40
    )
    model = kseg.build_unet(2, width=2, depth=1, multilabel=several)
    run = tmp_path / "run"
    as_they_are = [transforms.letterbox(SIZE)]
    kseg.fit(model, weighted, weighted, run=run, settings=settings, augment=as_they_are)
    first, *_, last = kseg.Run.open(run).history()
    assert last["loss"] < 0.7 * first["loss"]
    assert last["mean_iou"] > 0.95  # of the pixels that have a weight
    assert last["val_mean_iou"] > 0.95
    score = "mean_iou"
    scores = kseg.evaluate(model, weighted)
    assert scores[score] > 0.95
    assert kseg.evaluate(model, whole)[score] < 0.8  # the lower half it did not learn
    assert kseg.evaluate(model, kseg.data.batches(weighted))[score] == scores[score]


@pytest.mark.once("torch")
def test_the_loss_is_the_weighted_mean(rng):
    model = kseg.build_unet(2, width=2, depth=1)
    model.compile("adam", kseg.CrossEntropyLoss())
    images = rng.integers(0, 255, (2, *SIZE, 3), dtype=np.uint8)
    labels = rng.integers(0, 2, (2, *SIZE))
    weights = rng.random((2, *SIZE)).astype(np.float32)
    labels[:, 0], weights[:, 1] = 255, 0
    source = kseg.data.Source(
        "own",
        {"image": images, "label": labels, "weight": weights},
        lambda row: dict(row),
        ("a", "b"),
        ((0, 0, 0), (9, 9, 9)),
        ("p", "q"),
    )
    loss = float(np.ravel(model.evaluate(kseg.data.batches(source, batch_size=2), verbose=0))[0])
    logits = keras.ops.convert_to_numpy(model.predict(images, verbose=0)).astype(np.float64)
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counted = labels != 255
    own = -np.take_along_axis(log, np.where(counted, labels, 0)[..., None], -1)[..., 0]
    assert loss == pytest.approx(np.average(own, weights=weights * counted), rel=1e-4)
    bad = kseg.data.batches(source, batch_size=2).map(lambda x, y, w: (x, y, w[:, :3]))
    with pytest.raises(ValueError, match="shape of the weights in source"):
        kseg.evaluate(model, bad)

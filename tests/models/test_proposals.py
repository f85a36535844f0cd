"""Proposals of all levels: what is kept does not hang on how the levels are suppressed."""

import keras
import numpy as np
import pytest

from kseg.models.mask_rcnn import proposals as module

SIZES = (40, 12, 3)  # anchors a level; of the last fewer than go into the suppression


def levels(rng):
    """Scores that are all different, deltas and anchors of each level."""
    corners = [rng.uniform(0, 12, (count, 2)) for count in SIZES]
    boxes = [np.concatenate([each, each + rng.uniform(4, 12, each.shape)], -1) for each in corners]
    scores = np.split(rng.permutation(2 * sum(SIZES)).reshape(2, -1) / 16, np.cumsum(SIZES)[:2], 1)
    deltas = [rng.normal(0, 0.1, (2, count, 4)) for count in SIZES]
    return [
        [keras.ops.array(x.astype("float32")) for x in each] for each in (scores, deltas, boxes)
    ]


@pytest.mark.few("50")
@pytest.mark.once("torch")
@pytest.mark.parametrize("after", [4, 50])
def test_levels_together_or_each_alone(rng, monkeypatch, after):
    given, found = levels(rng), []
    for together in (True, False):
        monkeypatch.setattr(module, "_together", lambda together=together: together)
        answer = module.propose(*given, np.array([[32, 32], [20, 28]]), before=16, after=after)
        found.append([keras.ops.convert_to_numpy(each) for each in answer])
    (boxes, valid), expected = found[0], found[1]
    np.testing.assert_array_equal(boxes, expected[0])
    np.testing.assert_array_equal(valid, expected[1])
    assert boxes.shape == (2, min(after, 16 + 12 + 3), 4)
    assert valid.all() if after == 4 else 0 < (~valid).sum() < valid.size

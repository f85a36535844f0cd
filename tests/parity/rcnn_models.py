"""What the comparisons of Mask R-CNN with torchvision share: models, tolerances, closeness."""

import functools

import keras
import numpy as np
from keras import ops
from parity import mask_rcnn_cases as cases

import kseg
from kseg.models.mask_rcnn.proposals import propose
from kseg.ops.paste import paste_masks
from kseg.weights import torchvision

LEVELS = ("0", "1", "2", "3", "pool")  # torchvision's names of P2 to P5 and the pooled level
ANCHOR_SIZES = ((32,), (64,), (128,), (256,), (512,))
ANCHORS_800 = {
    "grids": ((200, 336), (100, 168), (50, 84), (25, 42), (13, 21)),
    "image": (800, 1344),
}
TOLERANCE = 1e-4  # of features and logits, relative to the largest, float32
PIXELS, SCORE, MASK = 1e-2, 1e-4, 1e-3  # of detections; probabilities within 8e-6 by storage


@functools.cache
def built(name):
    """kseg's counterpart of a model of the cases, with its weights."""
    model = kseg.build_mask_rcnn(
        cases.NUM_CLASSES,
        encoder=f"torchvision:{name}",
        fpn_width=cases.FPN_WIDTH,
        box_width=cases.BOX_WIDTH,
        mask_width=cases.MASK_WIDTH,
        train_proposals=cases.TRAIN_PROPOSALS,
        predict_proposals=cases.PREDICT_PROPOSALS,
        anchor_samples=cases.ANCHOR_SAMPLES,
        region_samples=cases.REGION_SAMPLES,
        mask_samples=cases.REGION_SAMPLES // 4,
        detections=cases.DETECTIONS,
        seed=0,
        compile=False,
    )
    torchvision.load(model, weights_of(model))
    return model


def weights_of(model):
    return {
        key: cases.tensor(key, array.shape)
        for key, array in torchvision.state_dict(model).items()
        if not key.endswith(torchvision.COUNTER)
    }


@functools.cache
def trunk_outputs(name, batch):
    """The trunk's outputs for a batch: NumPy arrays."""
    outputs = built(name)(cases.padded(cases.photos(batch)), training=False)
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


def whole(function, **options):
    """The function with these options; on JAX in one piece, compiled sooner than its parts."""
    function = functools.partial(function, **options)
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)


def proposed(logits, deltas, boxes, size, count):
    return numpy(whole(propose, before=count, after=count)(logits, deltas, boxes, size))


def numpy(tensors):
    return keras.tree.map_structure(ops.convert_to_numpy, tensors)


def close(array, expected, what, tolerance=TOLERANCE):
    """Within `tolerance` of the largest expected number."""
    array = ops.convert_to_numpy(array)
    scale = np.abs(expected).max() if expected.size else 1.0
    np.testing.assert_allclose(array, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def same_boxes(boxes, expected, tolerance=PIXELS, **others):
    """Equal as sets: each expected box has one of its own among the others.

    Args:
        boxes, expected: `(N, 4)`.
        others: Name -> (actual, expected, tolerance) of numbers `(N,)` that belong to the boxes.

    Returns:
        For each expected box the place of its own.
    """
    assert boxes.shape == expected.shape
    if not len(expected):
        return np.zeros(0, int)
    apart = np.abs(boxes[:, None] - expected).max(axis=2) / tolerance  # (actual, expected)
    for numbers, wanted, limit in others.values():
        apart = np.maximum(apart, np.abs(numbers[:, None] - wanted) / limit)
    place = np.zeros(len(expected), int)
    for i, distances in enumerate(apart.T):
        place[i] = distances.argmin()
        assert distances[place[i]] < 1, f"{expected[i]} is not there"
        apart[place[i]] = np.inf  # stands for no other
    return place


def same_detections(detected, i, stored, name, photo, scale=(1.0, 1.0)):
    """Image i of what `predict_on_batch` gave, with its masks in the photo, and what is stored."""
    one = {key: values[i] for key, values in detected.items()}
    filled = one["classes"] >= 0
    expected = stored[f"{name}/boxes"]
    place = same_boxes(
        one["boxes"][filled] * np.tile(scale[::-1], 2).astype("float32"),
        expected,
        classes=(one["classes"][filled].astype(float), stored[f"{name}/labels"], 0.5),
        scores=(one["scores"][filled], stored[f"{name}/scores"], SCORE),
    )
    masks = one["masks"][filled][place]
    # pasted at the stored boxes: a rounding error of a box may move a mask by a pixel
    thinned = (cases.thin_pasted(x) for x in (masks, expected))
    pasted = paste_masks(*thinned, *photo.shape[:2])
    for actual, what in ((cases.thin_detections(masks), "small_masks"), (pasted, "masks")):
        wanted = stored[f"{name}/{what}"] / cases.FULL
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=MASK, err_msg=what)

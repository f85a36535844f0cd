"""kseg's training of Mask R-CNN against torchvision's: what is matched, drawn, lost, and gradients.

As test_rcnn.py, by numbers that make_mask_rcnn.py stored.
"""

import keras
import numpy as np
import pytest
from keras import ops
from models.quick_start import quick_start  # noqa: F401
from parity import mask_rcnn_cases as cases
from parity.rcnn_models import (
    built,
    close,
    numpy,
    proposed,
    same_boxes,
    trunk_outputs,
    whole,
)

from kseg.models.mask_rcnn.detections import BOX_WEIGHTS
from kseg.models.mask_rcnn.learning import match_anchors, match_regions, proposal_losses_at
from kseg.models.mask_rcnn.model import LOSSES
from kseg.ops import boxes as box_ops
from kseg.ops.masks import crop_masks
from kseg.ops.matching import IGNORED, NEGATIVE
from kseg.weights import torchvision


def padded_rows(rows, count):
    """Lists of different lengths -> `(B, count, ...)` and bool `(B, count)`, what is filled."""
    rows = [np.asarray(row) for row in rows]
    result = np.zeros((len(rows), count, *rows[0].shape[1:]), rows[0].dtype)
    for place, row in zip(result, rows):
        place[: len(row)] = row
    return result, np.arange(count) < np.array([len(row) for row in rows])[:, None]


@pytest.fixture
def truth():
    labels = keras.tree.map_structure(ops.convert_to_tensor, cases.labels(cases.targets()))
    return built("resnet18")._truth(labels)


def of_training(stored, name):
    return [stored[f"training/{i}/{name}"] for i in range(len(cases.OBJECTS))]


@pytest.mark.once("torch")
def test_anchor_targets(truth, stored):
    every = stored["resnet18/three/anchors"].astype("float32")
    matched = match_anchors(every, truth)
    matched = ops.convert_to_numpy(matched)
    label = np.where(matched >= 0, 1, np.where(matched == NEGATIVE, 0, -1))
    np.testing.assert_array_equal(label, of_training(stored, "anchor_labels"))
    boxes = ops.convert_to_numpy(truth["boxes"])
    for i, positive in enumerate(of_training(stored, "anchor_positive")):
        deltas = box_ops.encode(boxes[i][matched[i][positive]], every[positive])
        close(deltas, stored[f"training/{i}/anchor_deltas"], "deltas")
    assert (matched == IGNORED).any()


def test_region_targets(truth, stored):
    for i, proposals in enumerate(of_training(stored, "proposals")):
        boxes = ops.convert_to_numpy(truth["boxes"])[i]
        own = boxes[: cases.OBJECTS[i]]
        regions = np.concatenate([proposals, own])
        of_image = {"boxes": truth["boxes"][i], "valid": truth["valid"][i], "crowd": None}
        matched = numpy(whole(match_regions)(regions, of_image))
        classes = ops.convert_to_numpy(truth["classes"])[i]
        label = np.where(matched >= 0, classes[matched], -1)
        np.testing.assert_array_equal(label, stored[f"training/{i}/proposal_labels"])
        expected = stored[f"training/{i}/proposal_matches"]
        np.testing.assert_array_equal(np.maximum(matched, 0)[label >= 0], expected[label >= 0])

        positive = stored[f"training/{i}/roi_labels"] >= 0
        rois = stored[f"training/{i}/rois"][positive]
        owner = stored[f"training/{i}/roi_matches"][positive]
        deltas = box_ops.encode(boxes[owner], rois, BOX_WEIGHTS)
        close(deltas, stored[f"training/{i}/roi_deltas"][positive], "deltas")
        if len(rois):
            masks = truth["masks"][i : i + 1]
            where = map(ops.convert_to_tensor, (rois[None], owner[None].astype("int32")))
            masks = whole(crop_masks, size=28)(masks, *where)
            close(masks[0], stored[f"training/{i}/mask_targets"], "masks")


@pytest.mark.once("torch")
def test_training_proposals(stored):
    model, outputs = built("resnet18"), trunk_outputs("resnet18", "three")
    boxes, logits, deltas = model._anchors(outputs)
    size = cases.padded(cases.photos("three"))["size"]
    count = cases.TRAIN_PROPOSALS
    proposals, valid = proposed(logits, deltas, boxes, size, count)
    for i, expected in enumerate(of_training(stored, "proposals")):
        same_boxes(proposals[i][valid[i]], expected)


def losses(model, truth, stored):
    """The five losses at the stored samples, as tensors."""
    outputs = model(cases.padded(cases.photos("three")), training=False)
    boxes, logits, deltas = model._anchors(outputs)
    every = ops.concatenate(boxes)
    positive, negative = (of_training(stored, f"anchor_{x}") for x in ("positive", "negative"))
    index, drawn = padded_rows(
        [np.concatenate(both) for both in zip(positive, negative)], cases.ANCHOR_SAMPLES
    )
    is_object = np.arange(index.shape[1]) < np.array([len(p) for p in positive])[:, None]
    matched = match_anchors(every, truth)
    logits, deltas = ops.concatenate(logits, axis=1), ops.concatenate(deltas, axis=1)
    index, drawn, is_object = map(ops.convert_to_tensor, (index, drawn, is_object))
    total = proposal_losses_at(index, drawn, is_object, matched, every, logits, deltas, truth)

    label = of_training(stored, "roi_labels")
    order = [np.argsort(x < 0, kind="stable") for x in label]  # those of objects first
    label, rois, owner = (
        [x[o] for x, o in zip(of_training(stored, name), order)]
        for name in ("roi_labels", "rois", "roi_matches")
    )
    rois, drawn = padded_rows(rois, cases.REGION_SAMPLES)
    owner, _ = padded_rows([x.astype("int32") for x in owner], cases.REGION_SAMPLES)
    is_object = padded_rows([x >= 0 for x in label], cases.REGION_SAMPLES)[0]
    features = outputs["features"][:-1]
    rois, owner, drawn, is_object = map(ops.convert_to_tensor, (rois, owner, drawn, is_object))
    return total + model.losses_of_regions(features, rois, owner, drawn, is_object, truth)


@pytest.mark.once("torch")
def test_losses(truth, stored):
    names = ("objectness", "rpn_box_reg", "classifier", "box_reg", "mask")  # torchvision's
    actual = losses(built("resnet18"), truth, stored)
    for ours, theirs, loss in zip(LOSSES, names, actual):
        expected = stored[f"training/losses/{theirs}"]
        np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-4, err_msg=ours)


def gradients(model, loss):
    """Path of each trainable variable -> the gradient of `loss()`, on whatever backend."""
    variables = model.trainable_variables
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        actual = tape.gradient(value, [v.value for v in variables])
    elif keras.backend.backend() == "torch":
        model.zero_grad()
        loss().backward()
        actual = [v.value.grad for v in variables]
    else:
        import jax

        def with_values(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return loss()

        actual = jax.jit(jax.grad(with_values))([v.value for v in variables])
    return {v.path: ops.convert_to_numpy(g) for v, g in zip(variables, actual)}


@pytest.mark.slow
def test_gradients(truth, stored):
    """How long the gradient of every parameter is: what is cut off, and what is not."""
    model = built("resnet18")
    actual = gradients(model, lambda: sum(losses(model, truth, stored)))
    by_identity = {id(v): key for key, v in torchvision._variables(_modules_of(model)).items()}
    norms = {
        by_identity[id(v)]: np.sqrt((actual[v.path] ** 2).sum()) for v in model.trainable_variables
    }
    for key, expected in zip(stored["training/gradient_keys"], stored["training/gradient_norms"]):
        np.testing.assert_allclose(norms[key], expected, rtol=2e-3, atol=1e-6, err_msg=key)


def _modules_of(model):
    return torchvision._modules(model, head=True, prefix="backbone.body.")

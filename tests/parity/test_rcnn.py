"""kseg's Mask R-CNN against torchvision 0.28: numbers stored by make_mask_rcnn.py.

Weights, photos and objects follow from names and seeds (mask_rcnn_cases.py). Each stage is compared
by itself and the whole as well. Detections are compared as sets: which of two equal scores comes
first is nobody's to say.
"""

import zlib

import numpy as np
import pytest
from keras import ops
from models.quick_start import quick_start  # noqa: F401
from parity import mask_rcnn_cases as cases
from parity.rcnn_models import (
    ANCHOR_SIZES,
    ANCHORS_800,
    LEVELS,
    TOLERANCE,
    built,
    close,
    numpy,
    proposed,
    same_boxes,
    same_detections,
    trunk_outputs,
    weights_of,
    whole,
)
from PIL import Image

import kseg
from kseg.models.mask_rcnn.detections import box_outputs, mask_outputs
from kseg.models.mask_rcnn.pyramid import STRIDES
from kseg.ops.anchors import anchors
from kseg.ops.paste import paste_masks
from kseg.ops.resize import bilinear, resized_size
from kseg.ops.roi_align import roi_align
from kseg.weights import torchvision


# what holds of three photos in a batch holds of one: that is seen where nothing compiles
@pytest.mark.once("torch")
def test_the_published_architecture(stored):
    """Every name, shape and number of parameters of `maskrcnn_resnet50_fpn`, of 91 classes."""
    model = kseg.build_mask_rcnn(90, compile=False)
    tensors = torchvision.state_dict(model)
    counters = sorted(key for key in tensors if key.endswith(torchvision.COUNTER))
    assert counters == list(stored["structure/counters"])
    shapes = {key: array.shape for key, array in tensors.items() if key not in counters}
    assert cases.names_and_shapes(shapes) == list(stored["structure/keys"])
    sizes = {key: int(np.prod(shape)) for key, shape in shapes.items() if "running" not in key}
    modules = [key.removesuffix("running_mean") for key in shapes if "running_mean" in key]
    affine = sum(sizes[f"{module}{part}"] for module in modules for part in ("weight", "bias"))
    counts = [sum(sizes.values()) - affine, sum(sizes.values())]  # batch norm frozen, and trained
    assert counts == list(stored["structure/parameters"]) == [44_401_393, 44_454_513]


def test_anchors_of_a_large_image(stored):
    """Rounding, order, and strides of (61, 64) on the pooled level: bit by bit."""
    actual = np.concatenate(
        [
            ops.convert_to_numpy(anchors(grid, ANCHORS_800["image"], sizes))
            for grid, sizes in zip(ANCHORS_800["grids"], ANCHOR_SIZES)
        ]
    )
    assert len(actual) == stored["anchors800/count"] == 268_569
    rows = stored["anchors800/rows"]
    np.testing.assert_array_equal(actual[rows], stored["anchors800/values"])
    assert zlib.crc32(actual.astype("float32").tobytes()) == stored["anchors800/crc32"]


# Inference, stage by stage


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "name, batch", [*(("resnet18", batch) for batch in cases.BATCHES), ("resnet50", "one")]
)
def test_features(name, batch, stored):
    for level, feature in zip(LEVELS, trunk_outputs(name, batch)["features"]):
        close(cases.thin_feature(feature), stored[f"{name}/{batch}/fpn/{level}"], level)


@pytest.mark.once("torch")
@pytest.mark.parametrize("batch", cases.BATCHES)
def test_proposals(batch, stored):
    name = f"resnet18/{batch}"
    model, outputs = built("resnet18"), trunk_outputs("resnet18", batch)
    boxes, logits, deltas = model._anchors(outputs)
    anchors = np.concatenate(numpy(boxes))
    np.testing.assert_array_equal(anchors, stored[f"{name}/anchors"])
    for values, what in ((logits, "logits"), (deltas, "deltas")):
        values = np.concatenate(numpy(values), axis=1)
        close(cases.thin_anchors(values), stored[f"{name}/rpn/{what}"], what)
    size = cases.padded(cases.photos(batch))["size"]
    count = cases.PREDICT_PROPOSALS
    proposals, valid = proposed(logits, deltas, boxes, size, count)
    for i in range(len(size)):
        same_boxes(proposals[i][valid[i]], stored[f"{name}/proposals/{i}/boxes"])


@pytest.mark.once("torch")
@pytest.mark.parametrize("batch", cases.BATCHES)
def test_heads_at_given_regions(batch, stored):
    """RoIAlign and both heads, at boxes across borders, thin, tiny, and between two levels."""
    name = f"resnet18/{batch}/regions"
    model, features = built("resnet18"), trunk_outputs("resnet18", batch)["features"][:-1]
    regions = np.stack([cases.regions(*size) for size in cases.BATCHES[batch]])
    pooled = numpy(whole(roi_align, size=7, strides=STRIDES)(features, regions))
    pooled = pooled.reshape(-1, *pooled.shape[2:])
    close(cases.thin_regions(pooled), stored[f"{name}/box_features"], "7 x 7")
    pooled = numpy(whole(roi_align, size=14, strides=STRIDES)(features, regions))
    pooled = pooled.reshape(-1, *pooled.shape[2:])[:, ::2, ::2]
    close(cases.thin_regions(pooled), stored[f"{name}/mask_features"], "14 x 14")
    logits, deltas = numpy(box_outputs(model.box_head, features, regions))
    classes = cases.NUM_CLASSES + 1
    close(logits.reshape(-1, classes), stored[f"{name}/class_logits"], "class logits")
    close(deltas.reshape(-1, 4 * classes), stored[f"{name}/box_deltas"], "box deltas")
    masks = ops.convert_to_numpy(mask_outputs(model.mask_head, features, regions))
    masks = masks.reshape(-1, *masks.shape[2:])[:, ::3, ::3]
    close(masks, stored[f"{name}/mask_logits"], "mask logits")


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "name, batch",
    [("resnet18", "one"), ("resnet18", "three"), ("resnet18", "tiny"), ("resnet50", "one")],
)
def test_detections(name, batch, stored):
    photos = cases.photos(batch)
    detected = built(name).predict_on_batch(cases.padded(photos))
    for i, photo in enumerate(photos):
        same_detections(detected, i, stored, f"{name}/{batch}/detections/{i}", photo)


def test_pasting(stored):
    boxes, masks, size = cases.pasting()
    actual = paste_masks(masks, boxes, *size)
    np.testing.assert_allclose(actual, stored["paste"], rtol=0, atol=1e-5)


@pytest.mark.once("torch")
def test_weights_without_an_epsilon(stored):
    """A batch norm of variances of 1e-4 without epsilon, on layers that have 1e-5."""
    model, photos = built("resnet18"), cases.photos("one")
    weights, batch = weights_of(model), cases.padded(photos)
    try:
        torchvision.load(model, weights, norm_epsilon=0.0)
        outputs = model(batch, training=False)
        detected = model.predict_on_batch(batch)
    finally:
        torchvision.load(model, weights)
    for level, feature in zip(LEVELS, numpy(outputs["features"])):
        expected = stored[f"epsilon0/fpn/{level}"]
        close(cases.thin_feature(feature), expected, level)
        assert np.abs(expected - stored[f"resnet18/one/fpn/{level}"]).max() > 10 * TOLERANCE
    same_detections(detected, 0, stored, "epsilon0/detections/0", photos[0])


# Resizing to 800 and 1333 pixels


def test_resized_sizes(stored):
    for *size, height, width in stored["resize/sizes"].tolist():
        assert tuple(resized_size(size, (800, 1333))) == (height, width), size


def resized(photo):
    height, width = resized_size(photo.shape[:2], (800, 1333))
    return bilinear(photo, height, width)


def test_a_resized_photo(stored):
    photo = cases.thin_photo(resized(cases.photo(*cases.RESIZED)))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    close((photo / 255 - mean) / std, stored["resize/photo"], "photo")


@pytest.mark.slow
def test_detections_in_a_resized_photo(stored):
    photo = cases.photo(*cases.RESIZED)
    image = resized(photo)
    detected = built("resnet18").predict_on_batch(
        {"image": image[None], "size": np.array([image.shape[:2]], "int32")}
    )
    scale = np.array(photo.shape[:2]) / image.shape[:2]
    same_detections(detected, 0, stored, "resize/detections", photo, scale)


@pytest.mark.slow
@pytest.mark.parametrize("file", cases.REAL)
def test_real_photos(file, stored, coco_mini_root):
    photo = np.asarray(Image.open(coco_mini_root / "train2017" / file).convert("RGB"))
    model, batch = built("resnet18"), cases.padded([photo])
    outputs = model(batch, training=False)
    for level, feature in zip(LEVELS, numpy(outputs["features"])):
        if level not in ("0", "1"):
            close(cases.thin_feature(feature), stored[f"real/{file}/fpn/{level}"], level)
    detected = model.predict_on_batch(batch)
    same_detections(detected, 0, stored, f"real/{file}/detections/0", photo)


# Training

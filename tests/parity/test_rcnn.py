"""kseg's Mask R-CNN against torchvision 0.28: numbers stored by make_mask_rcnn.py.

Weights, photos and objects follow from names and seeds (mask_rcnn_cases.py). Each stage is compared
by itself and the whole as well. Detections are compared as sets: which of two equal scores comes
first is nobody's to say.
"""

import functools
import zlib

import keras
import numpy as np
import pytest
from keras import ops
from models.quick_start import quick_start  # noqa: F401
from parity import mask_rcnn_cases as cases
from PIL import Image

import kseg
from kseg.models.mask_rcnn.detections import BOX_WEIGHTS, box_outputs, mask_outputs
from kseg.models.mask_rcnn.learning import match_anchors, match_regions, proposal_losses_at
from kseg.models.mask_rcnn.model import LOSSES
from kseg.models.mask_rcnn.proposals import propose
from kseg.models.mask_rcnn.pyramid import STRIDES
from kseg.ops import boxes as box_ops
from kseg.ops.anchors import anchors
from kseg.ops.masks import crop_masks
from kseg.ops.matching import IGNORED, NEGATIVE
from kseg.ops.paste import paste_masks
from kseg.ops.resize import bilinear, resized_size
from kseg.ops.roi_align import roi_align
from kseg.weights import torchvision

LEVELS = ("0", "1", "2", "3", "pool")  # torchvision's names of P2 to P5 and the pooled level
ANCHOR_SIZES = ((32,), (64,), (128,), (256,), (512,))
ANCHORS_800 = {
    "grids": ((200, 336), (100, 168), (50, 84), (25, 42), (13, 21)),
    "image": (800, 1344),
}
TOLERANCE = 1e-4  # of features and logits, relative to the largest, float32
PIXELS, SCORE, MASK = 1e-2, 1e-4, 1e-3  # of detections; probabilities within 8e-6 by storage


@pytest.fixture(scope="module")
def stored():
    with np.load(cases.FILE) as file:
        return dict(file)


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


# Structure


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


@pytest.mark.parametrize(
    "name, batch", [("resnet18", b) for b in cases.BATCHES] + [("resnet50", "one")]
)
def test_features(name, batch, stored):
    for level, feature in zip(LEVELS, trunk_outputs(name, batch)["features"]):
        close(cases.thin_feature(feature), stored[f"{name}/{batch}/fpn/{level}"], level)


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


@pytest.mark.parametrize(
    "name, batch", [("resnet18", b) for b in cases.BATCHES] + [("resnet50", "one")]
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

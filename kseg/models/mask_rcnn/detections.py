"""From proposals to detections: boxes, classes, scores, masks (torchvision's `RoIHeads` at
inference).

Axes: B batch, K proposals, C classes without background, D detections.
"""

from functools import partial

import keras
from keras import ops

from kseg.models.graph import inferred
from kseg.models.mask_rcnn.heads import MASK_REGION, REGION
from kseg.models.mask_rcnn.proposals import anchors_of, propose
from kseg.models.mask_rcnn.pyramid import STRIDES
from kseg.ops import boxes as box_ops
from kseg.ops.decisions import finite
from kseg.ops.nms import NOTHING, nms
from kseg.ops.roi_align import roi_align

BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the box head's deltas
SMALLEST = 1e-2  # pixels
CHUNK = 32  # regions of an image that a head is run on, or not, at a time
FIRST = 8  # regions of an image that the mask head always learns from
LOOP_CHUNK = 16  # regions of an image at a time in JAX' loop over them


def box_outputs(head, features, regions):
    """Class logits `(B, K, C + 1)` and deltas `(B, K, C + 1, 4)` of regions `(B, K, 4)`."""
    count = regions.shape[1]
    x = roi_align(features, regions, REGION, strides=STRIDES)  # (B, K, 7, 7, F)
    logits, deltas = head(ops.reshape(x, (-1, *x.shape[2:])))
    classes = logits.shape[-1]
    return (
        ops.reshape(logits, (-1, count, classes)),
        ops.reshape(deltas, (-1, count, classes, 4)),
    )


def mask_outputs(head, features, regions):
    """Mask logits `(B, R, 28, 28, C + 1)` of regions `(B, R, 4)`."""
    x = roi_align(features, regions, MASK_REGION, strides=STRIDES)
    logits = head(ops.reshape(x, (-1, *x.shape[2:])))
    return ops.reshape(logits, (-1, regions.shape[1], *logits.shape[1:]))


def chunks(count, first=CHUNK, size=CHUNK):
    """Slices that cover `count` places: one of `first`, the others of `size` at most."""
    ends = [0, *range(min(first, count), count, size), count]
    return [slice(start, end) for start, end in zip(ends, ends[1:])]


def sum_where(function, values):
    """The sum of a function over the chunks of regions that hold a positive one.

    Under JAX a loop passes over the chunks, and its gradient computes each again: written out, XLA
    would compile them one by one, and reserve memory for what each keeps, left out or not.

    Args:
        function: Takes a chunk of each of the values; gives a float32 scalar, 0 where no region is
            positive.
        values: List of `(B, R, ...)`; the last is bool, which regions are positive. Those come
            first.

    Returns:
        float32 scalar.
    """
    *_, positive = values
    count = positive.shape[1]

    def sum_or_zero(*chunk):
        return ops.cond(
            ops.any(chunk[-1]), lambda: function(*chunk), lambda: ops.zeros((), "float32")
        )

    if keras.config.backend() == "jax":
        size = min(LOOP_CHUNK, count)

        def chunked(x):  # (B, R, ...) -> (R / size, B, size, ...)
            rest = [[0, 0]] * (len(x.shape) - 2)
            x = ops.pad(x, [[0, 0], [0, -count % size], *rest])
            return ops.moveaxis(ops.reshape(x, (x.shape[0], -1, size, *x.shape[2:])), 1, 0)

        def step(total, chunk):
            return total + sum_or_zero(*chunk), None

        total, _ = ops.scan(keras.remat(step), ops.zeros((), "float32"), [*map(chunked, values)])
        return total

    # The few first are always computed, so that the head has a gradient in every step.
    first, *others = chunks(count, FIRST)
    total = function(*(x[:, first] for x in values))
    for part in others:
        total = total + sum_or_zero(*(x[:, part] for x in values))
    return total


def select(logits, deltas, regions, valid, size, *, min_score, overlap, count):
    """The detections among classified regions.

    Args:
        logits: `(B, K, C + 1)`. deltas: `(B, K, C + 1, 4)`.
        regions: `(B, K, 4)`. valid: bool `(B, K)`.
        size: `(B, 2)`, valid height and width of each image.
        min_score: Probability that a detection must exceed.
        overlap: Intersection over union above which the better of a class suppresses the other.
        count: D, at most.

    Returns:
        dict of boxes `(B, D, 4)`, classes int32 `(B, D)`, -1 where there is none, and scores
        `(B, D)`; in falling order of score.
    """
    scores = ops.softmax(logits, axis=-1)[..., 1:]  # (B, K, C)
    boxes = box_ops.decode(deltas[:, :, 1:], regions[:, :, None], BOX_WEIGHTS)  # (B, K, C, 4)
    total, classes = regions.shape[1], scores.shape[-1]
    boxes = box_ops.clip(ops.reshape(boxes, (-1, total * classes, 4)), size)
    scores = ops.reshape(scores, (-1, total * classes))
    valid = ops.repeat(valid, classes, axis=1)
    valid = valid & (scores > min_score) & box_ops.at_least(boxes, SMALLEST)
    candidate = ops.where(valid, scores, NOTHING)
    class_of = ops.tile(ops.arange(classes, dtype="int32"), total)
    class_of = ops.broadcast_to(class_of, ops.shape(scores))
    # probabilities sum to 1: of one region, fewer than 1 / min_score classes can exceed it
    most = total * min(classes, int(1 / min_score) if min_score > 0 else classes)
    if most < total * classes:
        candidate, index = ops.top_k(candidate, most)
        index = ops.cast(index, "int32")
        boxes = ops.take_along_axis(boxes, index[..., None], axis=1)
        class_of = ops.take_along_axis(class_of, index, axis=1)
    index, kept = nms(boxes, candidate, overlap, count, valid=candidate > NOTHING, classes=class_of)
    boxes = ops.take_along_axis(boxes, index[..., None], axis=1)
    return {
        "boxes": ops.where(kept[..., None], boxes, 0.0),
        "classes": ops.where(kept, ops.take_along_axis(class_of, index, axis=1), -1),
        "scores": ops.where(kept, ops.take_along_axis(candidate, index, axis=1), 0.0),
    }


def masks_of(head, features, boxes, classes):
    """Mask probabilities `(B, D, 28, 28)` of the detected classes; 0 where there is none.

    Places are filled from the front, so that whole chunks of them can be left out.
    """

    def computed(part):
        logits = mask_outputs(head, features, boxes[:, part])
        own = ops.maximum(classes[:, part], -1) + 1
        logits = ops.take_along_axis(logits, own[:, :, None, None, None], axis=-1)[..., 0]
        return ops.where(classes[:, part, None, None] >= 0, ops.sigmoid(logits), 0.0)

    def nothing(part):
        side = 2 * MASK_REGION
        return ops.zeros((ops.shape(boxes)[0], part.stop - part.start, side, side), "float32")

    masks = [
        ops.cond(
            ops.any(classes[:, part] >= 0),
            lambda part=part: computed(part),
            lambda part=part: nothing(part),
        )
        for part in chunks(boxes.shape[1])
    ]
    return ops.concatenate(masks, axis=1)


def image_and_size(x):
    """The image and its valid size, of what a model was called with: see `MaskRCNN`."""
    if isinstance(x, dict):
        return x["image"], ops.cast(x["size"], "int32")
    batch, height, width, _ = ops.shape(x)
    whole = ops.stack([ops.cast(height, "int32"), ops.cast(width, "int32")])
    return x, ops.broadcast_to(whole, (batch, 2))


class Detector(keras.Model):
    """Images -> detections: what `MaskRCNN.predict` runs, and what is exported.

    Beside the detections it says whether an image's numbers are `"finite"`, bool `(B,)`: NaN finds
    nothing, which looks like an answer.

    Args:
        model: The `MaskRCNN` whose parts it shares.
        settings: `RCNNSettings`.
    """

    def __init__(self, model, settings):
        super().__init__(name=f"{model.name}_detector")
        self.trunk, self.box_head, self.mask_head = model.trunk, model.box_head, model.mask_head
        self.settings, self.arguments = settings, model.arguments
        self.built = True

    def call(self, x, training=False):
        image, size = image_and_size(x)
        return self.detect(inferred(self.trunk, [image, size]), size)

    def detect(self, outputs, size):
        """Detections, of the trunk's outputs for images of valid `size`."""
        settings, arguments = self.settings, self.arguments
        box_head, mask_head = (partial(inferred, each) for each in (self.box_head, self.mask_head))
        anchors, logits, deltas = anchors_of(
            outputs, arguments["anchor_sizes"], arguments["anchor_ratios"]
        )
        count = settings.predict_proposals
        whole = [each for level in zip(logits, deltas) for each in level]
        regions, valid = propose(logits, deltas, anchors, size, before=count, after=count)
        features = outputs["features"][:-1]
        logits, deltas = box_outputs(box_head, features, regions)
        result = select(
            logits,
            deltas,
            regions,
            valid,
            size,
            min_score=settings.min_score,
            overlap=settings.overlap,
            count=settings.detections,
        )
        masks = masks_of(mask_head, features, result["boxes"], result["classes"])
        whole = [finite(each) for each in (*whole, logits, deltas, masks)]
        return {**result, "masks": masks, "finite": ops.all(ops.stack(whole), axis=0)}

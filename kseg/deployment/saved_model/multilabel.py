"""Signatures of models of which a pixel may have several classes.

Axes: B photos of a request, G of one size, H and W a photo, C classes.
"""

from functools import partial

import numpy as np

from kseg.base.arguments import threshold as checked_threshold
from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model import compare, photos, tiles
from kseg.deployment.saved_model.semantic import (
    NEAR,
    LabelSignatures,
    far,
    finite,
    logits_of,
    served,  # noqa: F401 (part of the room)
)
from kseg.deployment.saved_model.signatures import Signature, bytes_input, images_input
from kseg.pictures.image import overlay

OPTIONS = {"resize": None, "threshold": 0.5}
OF_MODEL = {}  # what the model says of itself that `answer` goes by
DEFAULT = ("serving_default", "image_bytes", "overlay")
OPTIONAL = ("logits", "tiled")

ABOUT_MASKS = {
    "mask_bytes": "PNG of each class, 255 where it is, at the photo's own size, (B, C)",
    "pixel_counts": "pixels of each class, (B, C)",
    "status": "ok, or what is wrong with this image",
}


def signatures(model, options, *, resize=None, threshold=0.5):
    """Every signature that a multilabel model can have: dict of name -> `Signature`.

    Args:
        model: A multilabel Keras model on TensorFlow.
        options: `GraphOptions`.
        resize, threshold: As of `kseg.predict`.
    """
    own = SeveralSignatures(model, options, resize, threshold)
    images, files = images_input(own.encoded), bytes_input()
    return {
        "serving_default": Signature(
            own.serving_default,
            images,
            "decoded images of one size -> the classes of every pixel",
            {
                "labels": "1 where a pixel has the class, else 0, (B, H, W, C)",
                "probabilities": "of the classes, (B, H, W, C)",
            },
        ),
        "logits": Signature(
            own.logits,
            images,
            "decoded images of one size -> logits",
            {"logits": "(B, H, W, C)"},
        ),
        "image_bytes": Signature(
            own.image_bytes,
            files,
            f"files ({own.encoded.words}) of any sizes -> masks",
            ABOUT_MASKS,
        ),
        "tiled": Signature(
            own.tiled,
            files,
            f"the same, in tiles of {options.tile} pixels: memory for photos of any size",
            ABOUT_MASKS,
        ),
        "overlay": Signature(
            own.overlay,
            files,
            f"files ({own.encoded.words}) of any sizes -> pictures",
            {
                "overlay_bytes": f"{options.overlay.upper()} of the photo in its classes' colours",
                "status": ABOUT_MASKS["status"],
            },
        ),
    }


def answer(outputs, size, *, resize=None, threshold=0.5):
    """What `kseg.predict` gives, from the outputs of `serving_default`.

    Args:
        outputs: dict of arrays of one photo.
        size: Its `(height, width)`.
        resize: Has had its part in the graph.
        threshold: As of `kseg.predict`.

    Returns:
        bool `(H, W, C)`.

    Raises:
        ValueError: the probabilities are not finite.
    """
    probabilities = outputs["probabilities"]
    if not np.isfinite(probabilities).all():
        raise ValueError(
            "probabilities=NaN: expected finite ones. The exported network is broken: export it "
            "again from a checkpoint of before its loss became NaN."
        )
    threshold = checked_threshold("threshold", threshold, probabilities.shape[-1])
    return probabilities > np.float32(threshold)


def differing(name, model, photo, asked, *, resize=None, threshold=0.5):
    """How much of what a signature gives is not what the model says.

    Args:
        name: Of the signature.
        model: The Keras model.
        photo: uint8 `(H, W, C)`.
        asked: `kseg.deployment.saved_model.compare.Asked`.
        resize, threshold: As of `signatures`.

    Returns:
        The share of labels that differ, or of what else there is, the largest of them.
    """
    from kseg.models.precision import computes_in

    near, of_model = NEAR[computes_in(model)], partial(asked.of_model, logits_of, model)
    if name in ("serving_default", "logits"):
        logits = np.stack([of_model(each, resize, None) for each in (photo, photo[::-1])])
        outputs = asked.images(name, np.stack([photo, photo[::-1]]))
        if name == "logits":
            return far(outputs["logits"], logits, near * np.abs(logits).max())
        labels, probabilities = _decided(logits, threshold)
        wrong = outputs["labels"] != labels
        return max(float(wrong.mean()), far(outputs["probabilities"], probabilities, near))
    if name == "tiled":
        seen, sides = [compare.beyond_a_tile(photo, asked.options)], asked.options
        files, tiling = [asked.file(seen[0])], (sides.tile, sides.overlap)
    else:
        (seen, files), tiling = asked.several(photo), None
    expected = [_decided(of_model(each, resize, tiling), threshold)[0] for each in seen]
    outputs, right = asked.files(name, files)
    if not right:
        return 1.0
    if name == "overlay":
        colors, kind = asked.options.colors, asked.options.overlay
        return max(
            compare.picture_differs(content, overlay(asked.shown(each), labels, colors), kind)
            for content, each, labels in zip(outputs["overlay_bytes"], seen, expected)
        )
    return max(map(_masks_differ, outputs["mask_bytes"], outputs["pixel_counts"], expected))


def _masks_differ(contents, counts, labels):
    """What `differing` gives, of the masks of one photo."""
    masks = [compare.decoded(content) for content in contents]
    if len(masks) != labels.shape[-1] or any(mask.shape != labels.shape[:2] for mask in masks):
        return 1.0
    masks = np.stack(masks, axis=-1)
    wrong = float((masks != np.uint8(255) * labels).mean())
    return max(wrong, float(np.any(counts != (masks == 255).sum((0, 1)))))


def _decided(logits, threshold):
    """Labels and probabilities of logits, by the rule that `kseg.predict` has."""
    from keras import ops

    from kseg.ops.decisions import above

    probabilities = ops.sigmoid(logits)
    decided = above(probabilities, threshold), probabilities
    return tuple(map(ops.convert_to_numpy, decided))


class SeveralSignatures(LabelSignatures):
    """The signatures' functions: each takes the tensor of its input, and gives a dict of tensors.

    Args:
        model, options, resize, threshold: As of `signatures`.
    """

    def __init__(self, model, options, resize, threshold):
        super().__init__(model, options, resize)
        self.threshold = checked_threshold("threshold", threshold, self.num_classes)

    def serving_default(self, images):
        tf = tensorflow()
        probabilities = tf.sigmoid(self.logits_of(images))
        return {"labels": self.labels(probabilities), "probabilities": probabilities}

    def image_bytes(self, image_bytes):
        return self.masks_of(image_bytes, lambda images: self.decided(self.logits_of(images)))

    def tiled(self, image_bytes):
        from keras import ops

        from kseg.ops.resize import resized_size

        tf = tensorflow()
        kinds = [(tf.float32, self.num_classes)]

        def decided(images):
            size = tf.shape(images)[1:3]
            inner = photos.resized(images, resized_size(size, self.resize, ops))
            (logits,) = tiles.stitched(
                inner,
                lambda part: [self.network(part)],
                kinds,
                self.options.tile,
                self.options.overlap,
            )
            return self.decided(photos.resized(logits, size) if self.resize else logits)

        return self.masks_of(image_bytes, decided)

    def overlay(self, image_bytes):
        tf = tensorflow()
        encode = photos.encode_jpeg if self.options.overlay == "jpeg" else photos.encode_png

        def drawn(images):
            labels, whole = self.decided(self.logits_of(images))
            images = self.encoded.picture(images, self.options.bands)
            pictures = painted(images, labels, self.options.colors)
            return {"overlay_bytes": encode(pictures), "finite": whole}

        empty = {"overlay_bytes": tf.fill(tf.shape(image_bytes), "")}
        return self.answered(image_bytes, empty, drawn)

    # Their steps

    def labels(self, probabilities):
        """Which classes pixels have, uint8, as `kseg.ops.decisions.above`."""
        tf = tensorflow()
        return tf.cast(probabilities > tf.constant(self.threshold, tf.float32), tf.uint8)

    def decided(self, logits):
        """The labels of logits `(G, H, W, C)`, and whether all of a photo are finite, `(G,)`."""
        tf = tensorflow()
        return self.labels(tf.sigmoid(logits)), finite(tf.reduce_sum(logits, axis=-1))

    def masks_of(self, image_bytes, decided):
        """Encoded photos -> their masks, by a function of images to labels and what is finite."""
        tf = tensorflow()
        shape = tf.stack([tf.size(image_bytes), self.num_classes])
        empty = {"mask_bytes": tf.fill(shape, ""), "pixel_counts": tf.zeros(shape, tf.int32)}
        empty = {name: tf.ensure_shape(x, (None, self.num_classes)) for name, x in empty.items()}
        return self.answered(image_bytes, empty, lambda images: self.masks(*decided(images)))

    def masks(self, labels, whole):
        """`(G, H, W, C)` labels -> what is answered of each photo."""
        tf = tensorflow()
        maps = tf.transpose(labels, (0, 3, 1, 2))  # (G, C, H, W)
        flat = tf.reshape(255 * maps, tf.concat([[-1], tf.shape(labels)[1:3], [1]], 0))
        encoded = tf.reshape(photos.encode_png(flat), (-1, self.num_classes))
        counts = tf.reduce_sum(tf.cast(labels, tf.int32), axis=(1, 2))
        return {"mask_bytes": encoded, "pixel_counts": counts, "finite": whole}


def painted(images, labels, colors, opacity=0.5):
    """Colours of several classes laid over photos, as `kseg.pictures.overlay`.

    Args:
        images: uint8 `(G, H, W, 3)`.
        labels: uint8 0 or 1, `(G, H, W, C)`.
        colors: RGB 0..255, `(C, 3)`.
        opacity: Share of the colour.
    """
    tf = tensorflow()
    colors = tf.constant(colors, tf.float32)[: labels.shape[-1]]
    held = tf.cast(labels, tf.float32)
    count = tf.reduce_sum(held, axis=-1, keepdims=True)
    mean = tf.linalg.matmul(held, colors) / tf.maximum(count, 1)  # (G, H, W, 3)
    images = tf.cast(images, tf.float32)
    picture = tf.where(count > 0, images * (1 - opacity) + mean * opacity, images)
    around = tf.pad(labels > 0, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=True)
    inner = around[:, :-2, 1:-1] & around[:, 2:, 1:-1]
    inner &= around[:, 1:-1, :-2] & around[:, 1:-1, 2:]
    edges = (labels > 0) & ~inner
    for class_id in range(labels.shape[-1]):
        picture = tf.where(edges[..., class_id, None], colors[class_id], picture)
    return tf.cast(tf.round(picture), tf.uint8)

"""Signatures of models that label pixels.

Axes: B photos of a request, G of one size, H and W a photo, C classes (2 of a binary model).
"""

from functools import partial

import numpy as np

from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model import compare, photos, tiles
from kseg.deployment.saved_model.constants import with_constants
from kseg.deployment.saved_model.encoded import Encoded
from kseg.deployment.saved_model.signatures import Signature, blended, bytes_input, images_input
from kseg.models.contract import contract
from kseg.ops.resize import bilinear, resized_size
from kseg.ops.tiles import stitched
from kseg.pictures.image import overlay

OPTIONS = {"resize": None}
OF_MODEL = {}  # what the model says of itself that `answer` goes by
DEFAULT = ("serving_default", "image_bytes", "overlay")
OPTIONAL = ("logits", "tiled")

# How far scores, and logits as a share of the largest, may lie from the model's: of roundings.
NEAR = {"float32": 1e-2, "float16": 1e-1}
TIE = 1e-4  # by which share of the largest two logits are next to equal

PLAIN = 40.0  # e to this power, times 65,536 classes, is a float32, and so is its inverse

ABOUT_MASK = {
    "mask_bytes": "PNG of class ids at the photo's own size; empty where the status is not ok",
    "pixel_counts": "pixels of each class, (B, C)",
    "mean_confidence": "mean probability of the winning class",
    "status": "ok, or what is wrong with this image",
}


def served(model):
    """The network that is served: it takes images of any size."""
    from kseg.models.any_size import any_size

    return any_size(model)


def signatures(model, options, *, resize=None):
    """Every signature that a semantic model can have: dict of name -> `Signature`.

    Args:
        model: A semantic Keras model on TensorFlow.
        options: `GraphOptions`.
        resize: `(shortest, longest)` side to which photos are resized for the network, as of
            `kseg.predict`; None for none.
    """
    own = LabelSignatures(model, options, resize)
    images, files = images_input(own.encoded), bytes_input()
    return {
        "serving_default": Signature(
            own.serving_default,
            images,
            "decoded images of one size -> the class of every pixel",
            {
                "class_ids": "class ids, (B, H, W)",
                "scores": "probability of the winning class, (B, H, W)",
            },
        ),
        "logits": Signature(
            own.logits,
            images,
            "decoded images of one size -> logits",
            {"logits": "(B, H, W, C)"},
        ),
        "image_bytes": Signature(
            own.image_bytes, files, f"files ({own.encoded.words}) of any sizes -> masks", ABOUT_MASK
        ),
        "tiled": Signature(
            own.tiled,
            files,
            f"the same, in tiles of {options.tile} pixels: memory for photos of any size",
            ABOUT_MASK,
        ),
        "overlay": Signature(
            own.overlay,
            files,
            f"files ({own.encoded.words}) of any sizes -> pictures",
            {
                "overlay_bytes": f"{options.overlay.upper()} of the photo in its classes' colours",
                "status": ABOUT_MASK["status"],
            },
        ),
    }


def answer(outputs, size, *, resize=None):
    """What `kseg.predict` gives, from the outputs of `serving_default`.

    Args:
        outputs: dict of arrays of one photo.
        size: Its `(height, width)`.
        resize: Has had its part in the graph.

    Returns:
        int32 class ids `(H, W)`.

    Raises:
        ValueError: the scores are not finite.
    """
    if not np.isfinite(outputs["scores"]).all():
        raise ValueError(
            "scores=NaN: expected finite ones. The exported network is broken: export it again "
            "from a checkpoint of before its loss became NaN."
        )
    return outputs["class_ids"].astype(np.int32)


def differing(name, model, photo, asked, *, resize=None):
    """How much of what a signature gives is not what the model says.

    Args:
        name: Of the signature.
        model: The Keras model.
        photo: uint8 `(H, W, C)`.
        asked: `kseg.deployment.saved_model.compare.Asked`.
        resize: As of `signatures`.

    Returns:
        The share of pixels whose class differs, or of what else there is, the largest of them.
    """
    from kseg.models.precision import computes_in

    near, of_model = NEAR[computes_in(model)], partial(asked.of_model, logits_of, model)
    if name in ("serving_default", "logits"):
        logits = np.stack([of_model(each, resize) for each in (photo, photo[::-1])])
        outputs = asked.images(name, np.stack([photo, photo[::-1]]))
        if name == "logits":
            return far(outputs["logits"], logits, near * np.abs(logits).max())
        _, scores = _top_class(logits)
        wrong = otherwise(outputs["class_ids"], logits)
        return max(wrong, far(outputs["scores"], scores, near))
    if name == "tiled":
        photos, sides = [compare.beyond_a_tile(photo, asked.options)], asked.options
        files = [asked.file(photos[0])]
        logits = [of_model(each, resize, (sides.tile, sides.overlap)) for each in photos]
    else:
        photos, files = asked.several(photo)
        logits = [of_model(each, resize) for each in photos]
    outputs, right = asked.files(name, files)
    expected = [_top_class(each) for each in logits]
    if not right:
        return 1.0
    if name == "overlay":
        return max(
            compare.picture_differs(
                content,
                overlay(asked.shown(each), ids, asked.options.colors, void=-1),
                asked.options.overlay,
            )
            for content, each, (ids, _) in zip(outputs["overlay_bytes"], photos, expected)
        )
    return _masks_differ(outputs, logits, [scores for _, scores in expected], near)


def _masks_differ(outputs, logits, scores, near):
    """What `differing` gives, of masks and what is said of them."""
    shares = []
    for index, of_photo in enumerate(scores):
        mask = compare.decoded(outputs["mask_bytes"][index])
        if mask.shape != of_photo.shape:
            return 1.0
        counts = outputs["pixel_counts"][index]
        shares.append(otherwise(mask, logits[index]))
        shares.append(float(np.any(counts != np.bincount(mask.ravel(), minlength=len(counts)))))
        shares.append(far(outputs["mean_confidence"][index], of_photo.mean(), near))
    return max(shares)


def logits_of(model, photo, resize, tiling=None):
    """The model's logits of a photo, `(H, W, C)`, in one piece or, as `tiled`, in several."""
    inner = bilinear(photo, *resized_size(photo.shape[:2], resize))
    tile, overlap = tiling or (None, 0)
    (logits,) = stitched(inner[None], lambda part: [_network(model, part)], tile, overlap)
    return bilinear(logits[0], *photo.shape[:2])


def _network(model, images):
    return np.asarray(model.predict_on_batch(images.astype(np.float32)))


def _top_class(logits):
    from keras import ops

    from kseg.ops.decisions import top_class

    return [ops.convert_to_numpy(each) for each in top_class(logits)]


def otherwise(ids, logits):
    """Share of pixels of a class that does not win, nor is as good as the one that does.

    Another order of sums decides between logits that are next to equal: one such pixel of a small
    photo would be more than `TOLERANCES` allow of all.

    Args:
        ids: Class ids `(..., H, W)`.
        logits: The model's `(..., H, W, C)`.
    """
    if logits.shape[-1] == 1:  # binary: beside a background of 0
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    known = np.minimum(ids, logits.shape[-1] - 1).astype(np.int64)
    lost = logits.max(axis=-1) - np.take_along_axis(logits, known[..., None], axis=-1)[..., 0]
    return float(((lost > TIE * np.abs(logits).max()) | (ids != known)).mean())


def far(values, expected, near):
    """Share of numbers that are farther than `near` from the expected ones."""
    return float(np.mean(~(np.abs(values - expected) <= near)))


class LabelSignatures:
    """The signatures' functions: each takes the tensor of its input, and gives a dict of tensors.

    Args:
        model, options, resize: As of `signatures`.
    """

    def __init__(self, model, options, resize):
        tf = tensorflow()
        self.options, self.resize = options, resize
        own = contract(model)
        self.encoded = Encoded(own.channels, own.value_range)
        self.num_classes, self.outputs = own.num_classes, own.outputs
        self.kind = tf.uint8 if self.num_classes <= 256 else tf.uint16
        # one function, so that the network is in the file once, however many signatures call it
        network = tf.function(
            lambda images: model(images, training=False),
            input_signature=[tf.TensorSpec((None, None, None, own.channels), tf.float32)],
            autograph=False,
        )
        self.network = with_constants(network)

    def serving_default(self, images):
        ids, scores = self.top_class(self.logits_of(images))
        return {"class_ids": ids, "scores": scores}

    def logits(self, images):
        return {"logits": self.logits_of(images)}

    def image_bytes(self, image_bytes):
        return self.masks_of(image_bytes, lambda images: self.top_class(self.logits_of(images)))

    def tiled(self, image_bytes):
        from keras import ops

        tf = tensorflow()
        of_tiles = (
            self.top_class,
            (self.kind, tf.float32),
            self.options.tile,
            self.options.overlap,
        )

        def winners(images):
            if self.resize is None:
                return tiles.winners(images, self.network, *of_tiles)
            size = tf.shape(images)[1:3]
            inner = photos.resized(images, resized_size(size, self.resize, ops))
            return tiles.resized_winners(inner, size, self.network, self.outputs, *of_tiles)

        return self.masks_of(image_bytes, winners)

    def overlay(self, image_bytes):
        tf = tensorflow()
        encode = photos.encode_jpeg if self.options.overlay == "jpeg" else photos.encode_png

        def drawn(images):
            ids, scores = self.top_class(self.logits_of(images))
            images = self.encoded.picture(images, self.options.bands)
            pictures = blended(images, tf.cast(ids, tf.int32), self.options.colors)
            return {"overlay_bytes": encode(pictures), "finite": finite(scores)}

        empty = {"overlay_bytes": tf.fill(tf.shape(image_bytes), "")}
        return self.answered(image_bytes, empty, drawn)

    # Their steps

    def logits_of(self, images):
        """`(G, H, W, C)` images -> logits of their size."""
        from keras import ops

        size = tensorflow().shape(images)[1:3]
        logits = self.network(photos.resized(images, resized_size(size, self.resize, ops)))
        return photos.resized(logits, size) if self.resize else logits

    def top_class(self, logits):
        """The winning class and its probability, as `kseg.ops.decisions.top_class`.

        Written again, as top_k takes half of argmax' time; of equals it takes the first too. The
        largest logit is taken from all others, which is a pass over memory, only where their
        exponentials would not do without.
        """
        tf = tensorflow()
        if logits.shape[-1] == 1:
            logits = tf.concat([tf.zeros_like(logits), logits], axis=-1)  # sigmoid is their softmax
        top, ids = tf.math.top_k(logits, 1)

        def probability(logits, top):
            return tf.exp(top[..., 0]) / tf.reduce_sum(tf.exp(logits), axis=-1)

        scores = tf.cond(
            tf.reduce_all(tf.abs(top) < PLAIN),  # NaN is not
            lambda: probability(logits, top),
            lambda: probability(logits - top, tf.zeros_like(top)),
        )
        return tf.cast(ids[..., 0], self.kind), scores

    def masks_of(self, image_bytes, winners):
        """Encoded photos -> their masks and numbers, by a function of images to ids and scores."""
        tf = tensorflow()
        count = tf.size(image_bytes)
        empty = {
            "mask_bytes": tf.fill([count], ""),
            "pixel_counts": tf.zeros([count, self.num_classes], tf.int32),
            "mean_confidence": tf.zeros([count]),
        }
        return self.answered(image_bytes, empty, lambda images: self.masks(*winners(images)))

    def answered(self, image_bytes, empty, answer):
        """As `photos.answered`, of the files that this model takes."""
        most = self.options.max_pixels
        return photos.answered(image_bytes, empty, answer, most, self.encoded)[0]

    def masks(self, ids, scores):
        """`(G, H, W)` class ids and scores -> what is answered of each photo."""
        tf = tensorflow()
        flat = tf.cast(tf.reshape(ids, [tf.shape(ids)[0], -1]), tf.int32)
        bins = {"minlength": self.num_classes, "maxlength": self.num_classes}
        counts = tf.math.bincount(flat, axis=-1, **bins)
        return {
            "mask_bytes": photos.encode_png(ids[..., None]),
            "pixel_counts": tf.ensure_shape(counts, (None, self.num_classes)),
            "mean_confidence": tf.reduce_mean(scores, axis=(1, 2)),
            "finite": finite(scores),
        }


def finite(scores):
    """Whether all scores `(G, H, W)` of a photo are finite: bool `(G,)`."""
    tf = tensorflow()
    return tf.reduce_all(tf.math.is_finite(scores), axis=(1, 2))

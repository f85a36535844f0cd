"""Signatures of models that find objects.

Axes: B photos of a request, G of one size, D detections, m a mask's side, H and W a photo.
"""

import dataclasses

import numpy as np

from kseg.base.colors import object_colors
from kseg.base.tensorflow import tensorflow
from kseg.data.coco_format.rle import encode_block, parse
from kseg.deployment.saved_model import compare, photos
from kseg.deployment.saved_model.encoded import Encoded
from kseg.deployment.saved_model.finding import Finding
from kseg.deployment.saved_model.signatures import Signature, blended, bytes_input, images_input
from kseg.models.contract import contract, part
from kseg.ops.paste import CENTRED, TORCHVISION, paste_mask
from kseg.pictures.image import overlay
from kseg.prediction.masks import Drawn, Pasted
from kseg.prediction.predict import predict
from kseg.prediction.results import Instances

OPTIONS = {"min_score": 0.5, "threshold": 0.5}
OF_MODEL = {"paste": TORCHVISION}  # what the model says that `answer` goes by; of one that does not
DEFAULT = ("serving_default", "image_bytes", "overlay")
OPTIONAL = ()

ABOUT_OBJECTS = {
    "boxes": "x1, y1, x2, y2 in pixels of the photo, best first, (B, D, 4)",
    "classes": "class ids, -1 where there is no object, (B, D)",
    "scores": "(B, D)",
}

STATUS = "ok, or what is wrong with this image"

# How far numbers of an object may lie from the model's: boxes in pixels of the photo, scores
NEAR_BOX, NEAR_SCORE = 1.0, 2e-2

LINE = 250  # a box's line is one pixel wide for every so many of the photo's width


def served(model):
    """The network that is served: the model, which fills images up to what it takes."""
    return model


def signatures(model, options, *, min_score=0.5, threshold=0.5):
    """Every signature that an instance model can have: dict of name -> `Signature`.

    Args:
        model: A Mask R-CNN on TensorFlow.
        options: `GraphOptions`.
        min_score, threshold: As of `kseg.predict`.
    """
    own = ObjectSignatures(model, options, min_score, threshold)
    return {
        "serving_default": Signature(
            own.serving_default,
            images_input(own.encoded),
            "decoded images of one size -> objects",
            {
                **ABOUT_OBJECTS,
                "masks": f"probabilities in the box, (B, D, m, m); to be pasted {paste_of(model)}",
            },
        ),
        "image_bytes": Signature(
            own.image_bytes,
            bytes_input(),
            f"files ({own.encoded.words}) of any sizes -> objects",
            {
                **ABOUT_OBJECTS,
                "rle": "COCO's compressed runs of the mask at the photo's size, (B, D)",
                "size": "height and width of the photo, (B, 2)",
                "status": STATUS,
            },
        ),
        "overlay": Signature(
            own.overlay,
            bytes_input(),
            f"files ({own.encoded.words}) of any sizes -> pictures",
            {
                "overlay_bytes": f"{options.overlay.upper()} of the photo with its objects",
                "status": STATUS,
            },
        ),
    }


def paste_of(model):
    """By which rule a model's masks are pasted."""
    return getattr(model, "paste", OF_MODEL["paste"])


def answer(outputs, size, *, min_score=0.5, threshold=0.5, paste=TORCHVISION):
    """What `kseg.predict` gives, from the outputs of `serving_default`.

    Args:
        outputs: dict of arrays of one photo.
        size: Its `(height, width)`.
        min_score, threshold: As of `kseg.predict`; of scores that the export has left out none
            come back.
        paste: As of `kseg.build_mask_rcnn`.

    Returns:
        `Instances` with binary masks.
    """
    kept = (outputs["classes"] >= 0) & (outputs["scores"] >= min_score)
    boxes = outputs["boxes"][kept]
    masks = Pasted(outputs["masks"][kept], boxes, size, threshold, paste)
    return Instances(boxes, outputs["classes"][kept], outputs["scores"][kept], masks)


def differing(name, model, photo, asked, *, min_score=0.5, threshold=0.5):
    """How much of what a signature gives is not what the model says.

    Args:
        name: Of the signature.
        model: The Keras model.
        photo: uint8 `(H, W, C)`.
        asked: `kseg.deployment.saved_model.compare.Asked`.
        min_score, threshold: As of `signatures`.

    Returns:
        The share of objects without a counterpart, or of what else there is, the largest of them.
    """
    told = {"min_score": min_score, "threshold": threshold}
    if name == "serving_default":
        photos = [photo, photo[::-1]]
        outputs, right = asked.images(name, np.stack(photos)), True
    else:
        photos, files = asked.several(photo)
        outputs, right = asked.files(name, files)
    if not right:
        return 1.0
    expected = [asked.of_model(_objects, model, each, *told.values()) for each in photos]
    if name == "overlay":
        pictures = zip(outputs["overlay_bytes"], photos, expected)
        kind = asked.options.overlay
        return max(
            compare.picture_differs(content, _drawn(asked.shown(each), objects), kind)
            for content, each, objects in pictures
        )
    answers = [
        {key: values[index] for key, values in outputs.items()} for index in range(len(photos))
    ]
    sizes = [each.shape[:2] for each in photos]
    if name == "image_bytes":
        if [tuple(one["size"]) for one in answers] != sizes:
            return 1.0
        actual = list(map(_from_runs, answers, sizes))
    else:
        told["paste"] = paste_of(model)
        actual = [answer(one, size, **told) for one, size in zip(answers, sizes)]
    alone = part("kseg.deployment", model).differing(expected, actual)
    return max(alone, *map(_numbers_differ, expected, actual))


def _objects(model, photo, min_score, threshold):
    return predict(model, photo, min_score=min_score, threshold=threshold)


def _numbers_differ(expected, actual):
    """Share of objects whose box or score is another; 0 where there are not as many of them."""
    if len(expected) != len(actual) or not len(expected):
        return 0.0
    boxes = np.abs(expected.boxes - actual.boxes).max(axis=-1) > NEAR_BOX
    return float((boxes | (np.abs(expected.scores - actual.scores) > NEAR_SCORE)).mean())


def _from_runs(outputs, size):
    """The `Instances` of one photo, from the outputs of `image_bytes`."""
    kept = outputs["classes"] >= 0
    masks = Texts(outputs["rle"][kept], size)
    return Instances(
        outputs["boxes"][kept], outputs["classes"][kept], outputs["scores"][kept], masks
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Texts(Drawn):
    """Masks as the graph writes COCO's runs; an empty one where they are not of this size.

    Args:
        texts: bytes `(N,)`.
        size: `(height, width)` of the photo.
    """

    texts: np.ndarray
    size: tuple[int, int]

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, index):
        counts = parse(self.texts[index].decode()) if self.texts[index] else np.zeros(1, int)
        if counts.sum() != self.size[0] * self.size[1]:
            return np.zeros(self.size, bool)
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return flat.reshape(self.size[::-1]).T


def _drawn(photo, objects):
    """A photo with its objects, as `ObjectSignatures.drawn` has them."""
    top, outlines = (np.full(photo.shape[:2], -1) for _ in range(2))
    width = max(1, round(photo.shape[1] / LINE))
    areas = np.prod(objects.boxes[:, 2:] - objects.boxes[:, :2], axis=-1)
    for index in np.argsort(-areas, kind="stable"):
        top[objects.each_mask()[index]] = index
        x1, y1, x2, y2 = objects.boxes[index].astype(int)
        inner = outlines[y1 + width : y2 - width, x1 + width : x2 - width].copy()
        outlines[y1:y2, x1:x2] = index
        outlines[y1 + width : y2 - width, x1 + width : x2 - width] = inner
    colors = object_colors([False] * len(objects))
    return overlay(overlay(photo, top, colors, void=-1), outlines, colors, opacity=1.0, void=-1)


class ObjectSignatures:
    """The signatures' functions: each takes the tensor of its input, and gives a dict of tensors.

    Args:
        model, options, min_score, threshold: As of `signatures`.
    """

    def __init__(self, model, options, min_score, threshold):
        self.options, self.min_score, self.threshold = options, min_score, threshold
        own = contract(model)
        self.encoded = Encoded(own.channels, own.value_range)
        self.count, self.centred = model.settings.detections, paste_of(model) == CENTRED
        self.colors = object_colors([False] * self.count)
        self.found = Finding(model, options.bucket)

    def serving_default(self, images):
        detections = self.detect(images)
        return {name: values for name, values in detections.items() if name != "finite"}

    def image_bytes(self, image_bytes):
        tf = tensorflow()
        batch = tf.size(image_bytes)
        empty = {
            "boxes": tf.zeros([batch, self.count, 4]),
            "classes": tf.fill([batch, self.count], -1),
            "scores": tf.zeros([batch, self.count]),
            "rle": tf.fill([batch, self.count], ""),
        }

        def answer(images):
            detections = self.detect(images)
            detections["rle"] = self.runs_of(detections, tf.shape(images)[1:3])
            return {name: detections[name] for name in (*empty, "finite")}

        most = self.options.max_pixels
        results, sizes = photos.answered(image_bytes, empty, answer, most, self.encoded)
        return {**results, "size": sizes}

    def overlay(self, image_bytes):
        tf = tensorflow()
        encode = photos.encode_jpeg if self.options.overlay == "jpeg" else photos.encode_png

        def answer(images):
            detections = self.detect(images)
            images = self.encoded.picture(images, self.options.bands)
            pictures = encode(self.drawn(images, detections))
            return {"overlay_bytes": pictures, "finite": detections["finite"]}

        empty = {"overlay_bytes": tf.fill(tf.shape(image_bytes), "")}
        most = self.options.max_pixels
        return photos.answered(image_bytes, empty, answer, most, self.encoded)[0]

    # Their steps

    def detect(self, images):
        """Detections in pixels of the images, as `kseg.predict` finds them."""
        tf = tensorflow()
        found = self.found(images)
        kept = (found["classes"] >= 0) & (found["scores"] >= self.min_score)
        return {
            "boxes": tf.where(kept[..., None], found["boxes"], 0.0),
            "classes": tf.where(kept, found["classes"], -1),
            "scores": tf.where(kept, found["scores"], 0.0),
            "masks": tf.where(kept[..., None, None], found["masks"], 0.0),
            "finite": found["finite"],
        }

    def runs_of(self, detections, size):
        """The masks of `(G, D)` detections as COCO's runs; empty where there is none."""
        from keras import ops

        tf = tensorflow()
        places = tf.where(detections["classes"] >= 0)

        def one(place):
            mask, box = (tf.gather_nd(detections[name], place) for name in ("masks", "boxes"))
            start, _, values = paste_mask(mask, box, size, ops, centred=self.centred)
            return encode_block(values >= self.threshold, start, size)

        texts = tf.map_fn(one, places, fn_output_signature=tf.string)
        empty = tf.fill(tf.shape(detections["classes"]), "")
        return tf.tensor_scatter_nd_update(empty, places, texts)

    def drawn(self, images, detections):
        """Photos with their objects in colours of their own, small ones on top, and boxes."""
        tf = tensorflow()
        size = tf.shape(images)[1:3]

        def one(image, boxes, classes, masks):
            how = {"threshold": self.threshold, "centred": self.centred}
            (top, outlines) = layers(boxes, classes, masks, size, **how)
            mixed = blended(image[None], top[None], self.colors)[0]
            return blended(mixed[None], outlines[None], self.colors, opacity=1.0)[0]

        return tf.map_fn(
            lambda each: one(*each),
            (images, *(detections[name] for name in ("boxes", "classes", "masks"))),
            fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
        )


def layers(boxes, classes, masks, size, *, threshold, centred):
    """Which object is on top at every pixel, and whose box's line: int32 `(H, W)`, -1 for none.

    Objects are laid from the largest box to the smallest, so that none is lost under another.
    """
    from keras import ops

    tf = tensorflow()
    areas = tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], axis=-1)
    order = tf.argsort(areas, direction="DESCENDING", stable=True)
    order = tf.boolean_mask(order, tf.gather(classes, order) >= 0)
    width = tf.maximum(1, tf.cast(tf.round(size[1] / LINE), tf.int32))
    y, x = tf.range(size[0])[:, None], tf.range(size[1])[None]

    def body(number, top, outlines):
        index = order[number]
        start, stop, values = paste_mask(masks[index], boxes[index], size, ops, centred=centred)
        inside = tf.pad(values >= threshold, tf.stack([start, size - stop], axis=1))
        x1, y1, x2, y2 = tf.unstack(tf.cast(boxes[index], tf.int32))
        # how far a pixel is inside of the box: the line is its outermost pixels
        depth = tf.minimum(tf.minimum(x - x1, x2 - 1 - x), tf.minimum(y - y1, y2 - 1 - y))
        line = (depth >= 0) & (depth < width)
        return number + 1, tf.where(inside, index, top), tf.where(line, index, outlines)

    nothing = tf.fill(size, -1)
    _, top, outlines = tf.while_loop(
        lambda number, *_: number < tf.size(order), body, (0, nothing, nothing)
    )
    return top, outlines

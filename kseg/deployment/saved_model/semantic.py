"""Signatures of models that label pixels.

Axes: B photos of a request, G of one size, H and W a photo, C classes (2 of a binary model).
"""

from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model import photos, tiles
from kseg.deployment.saved_model.signatures import Signature, blended, bytes_input, images_input
from kseg.ops.resize import resized_size

DEFAULT = ("serving_default", "image_bytes", "overlay")


OPTIONAL = ("logits", "tiled")


ABOUT_MASK = {
    "mask_bytes": "PNG of class ids at the photo's own size; empty where the status is not ok",
    "pixel_counts": "pixels of each class, (B, C)",
    "mean_confidence": "mean probability of the winning class",
    "status": "ok, or what is wrong with this image",
}


def signatures(model, options):
    """Every signature that a semantic model can have: dict of name -> `Signature`.

    Args:
        model: A semantic Keras model on TensorFlow.
        options: `kseg.deployment.saved_model.signatures.Options`.
    """
    from keras import ops

    tf = tensorflow()
    channels, logit_count = model.inputs[0].shape[-1], model.outputs[0].shape[-1]
    num_classes = max(logit_count, 2)
    kind = tf.uint8 if num_classes <= 256 else tf.uint16
    kinds = (kind, tf.float32)
    # one function, so that the network is in the file once, however many signatures call it
    network = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((None, None, None, channels), tf.float32)],
        autograph=False,
    )

    def logits(images):
        size = tf.shape(images)[1:3]
        values = network(photos.resized(images, resized_size(size, options.resize, ops)))
        return photos.resized(values, size) if options.resize else values

    def winners(images):
        return top_class(logits(images))

    def top_class(values):
        """The winning class and its probability, as `kseg.ops.decisions.top_class`.

        Written again, as top_k takes half of argmax' time; of equals it takes the first too.
        """
        if logit_count == 1:
            values = tf.concat([tf.zeros_like(values), values], axis=-1)  # sigmoid is their softmax
        top, ids = tf.math.top_k(values, 1)
        return tf.cast(ids[..., 0], kind), 1 / tf.reduce_sum(tf.exp(values - top), axis=-1)

    def serving_default(images):
        ids, scores = winners(images)
        return {"class_ids": ids, "scores": scores}

    def masks(ids, scores):
        flat = tf.cast(tf.reshape(ids, [tf.shape(ids)[0], -1]), tf.int32)
        counts = tf.math.bincount(flat, minlength=num_classes, maxlength=num_classes, axis=-1)
        return {
            "mask_bytes": photos.encode_png(ids[..., None]),
            "pixel_counts": tf.ensure_shape(counts, (None, num_classes)),
            "mean_confidence": tf.reduce_mean(scores, axis=(1, 2)),
        }

    def answered(image_bytes, empty, answer):
        return photos.answered(image_bytes, empty, answer, options.max_pixels)[0]

    def empty_masks(image_bytes):
        count = tf.size(image_bytes)
        return {
            "mask_bytes": tf.fill([count], ""),
            "pixel_counts": tf.zeros([count, num_classes], tf.int32),
            "mean_confidence": tf.zeros([count]),
        }

    def image_bytes_(image_bytes):
        return answered(image_bytes, empty_masks(image_bytes), lambda x: masks(*winners(x)))

    def tiled(image_bytes):
        def answer(images):
            return masks(
                *tiles.winners(images, network, top_class, kinds, options.tile, options.overlap)
            )

        return answered(image_bytes, empty_masks(image_bytes), answer)

    def overlay(image_bytes):
        encode = photos.encode_jpeg if options.overlay == "jpeg" else photos.encode_png

        def answer(images):
            ids, _ = winners(images)
            return {
                "overlay_bytes": encode(blended(images, tf.cast(ids, tf.int32), options.colors))
            }

        return answered(image_bytes, {"overlay_bytes": tf.fill(tf.shape(image_bytes), "")}, answer)

    images, encoded = images_input(channels), bytes_input()
    found = {
        "serving_default": Signature(
            serving_default,
            images,
            "decoded images of one size -> the class of every pixel",
            {
                "class_ids": "class ids, (B, H, W)",
                "scores": "probability of the winning class, (B, H, W)",
            },
        ),
        "logits": Signature(
            lambda images: {"logits": logits(images)},
            images,
            "decoded images of one size -> logits",
            {"logits": "(B, H, W, C)"},
        ),
        "image_bytes": Signature(
            image_bytes_, encoded, "JPEG or PNG files of any sizes -> masks", ABOUT_MASK
        ),
        "tiled": Signature(
            tiled,
            encoded,
            f"the same, in tiles of {options.tile} pixels: memory for photos of any size",
            ABOUT_MASK,
        ),
        "overlay": Signature(
            overlay,
            encoded,
            "JPEG or PNG files of any sizes -> pictures",
            {
                "overlay_bytes": f"{options.overlay.upper()} of the photo in its classes' colours",
                "status": ABOUT_MASK["status"],
            },
        ),
    }
    if channels != 3:  # encoded photos have three
        found = {name: found[name] for name in ("serving_default", "logits")}
    return found

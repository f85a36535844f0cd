"""The objects of images in a graph: of one network, or of several whose answers are fused.

Axes: G images of one size, D detections.
"""

from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model import photos
from kseg.models.contract import contract, fixed_size
from kseg.models.ensemble import members_of
from kseg.ops.fusion import fused
from kseg.ops.resize import resized_size

PARTS = ("boxes", "classes", "scores", "masks")


class Finding:
    """Function of images `(G, H, W, C)` to detections in their pixels, a dict of tensors.

    Args:
        model: A Mask R-CNN on TensorFlow, or an `ObjectEnsemble` of several.
        bucket: As of `GraphOptions`.
    """

    def __init__(self, model, bucket):
        self.bucket, self.count = bucket, model.settings.detections
        self.members = [(member, _network(member)) for member in members_of(model)]

    def __call__(self, images):
        tf = tensorflow()
        found = [self._of_one(member, network, images) for member, network in self.members]
        if len(found) == 1:
            return found[0]
        parts = [tuple(each[name] for name in PARTS) for each in found]
        finite = tf.reduce_all(tf.stack([each["finite"] for each in found]), axis=0)
        return {**self._together(parts), "finite": finite}

    def _of_one(self, model, network, images):
        """What one network finds in images, which are resized and filled up as it wants them."""
        from keras import ops

        tf = tensorflow()
        size, fixed = tf.shape(images)[1:3], fixed_size(model)
        inner = resized_size(size, model.resize, ops, fixed)
        beyond = [
            -inner[i] % self.bucket if side is None else side - inner[i]
            for i, side in enumerate(fixed)
        ]
        padded = tf.pad(
            photos.resized(images, inner),
            tf.stack([[0, 0], [0, beyond[0]], [0, beyond[1]], [0, 0]]),
        )
        found = network(padded, tf.repeat(inner[None], tf.shape(images)[0], axis=0))
        scale = tf.cast(size, tf.float32) / tf.cast(inner, tf.float32)
        return {**found, "boxes": found["boxes"] * tf.gather(scale, [1, 0, 1, 0])}

    def _together(self, parts):
        """The best of what several found, as `kseg.predict` fuses it."""
        from keras import ops

        tf = tensorflow()
        kinds = {"boxes": (4,), "classes": (), "scores": (), "masks": parts[0][-1].shape[2:]}
        specs = tuple(
            tf.TensorSpec((self.count, *shape), tf.int32 if name == "classes" else tf.float32)
            for name, shape in kinds.items()
        )
        best = tf.map_fn(
            lambda views: tuple(each[: self.count] for each in fused(views, ops)),
            parts,
            fn_output_signature=specs,
        )
        return dict(zip(PARTS, best))


def _network(model):
    # one function, so that the network is in the file once, however many signatures call it
    tf, detector = tensorflow(), model.detector
    return tf.function(
        lambda image, size: detector({"image": image, "size": size}),
        input_signature=[
            tf.TensorSpec((None, *fixed_size(model), contract(model).channels), tf.float32),
            tf.TensorSpec((None, 2), tf.int32),
        ],
        autograph=False,
    )

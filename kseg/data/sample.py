"""One sample inside `tf.data`: read, completed, and kept consistent by whatever moves its pixels.

The keys of a sample are those of `Source`. Axes: H, W the image; N the instances.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from kseg.base.tensorflow import built_once, converted, in_order, tensorflow
from kseg.data.decode import decode_image, photo_size
from kseg.data.errors import require
from kseg.data.images import image_tensor

if TYPE_CHECKING:
    from kseg.data.source import Source


def constants(source):
    """The columns of a source as eager tensors on the CPU: graphs refer to them, not copy them."""
    tf = tensorflow()
    with tf.device("CPU"):
        return {name: tf.constant(rows) for name, rows in source.columns.items()}


def samples(source: Source) -> Iterator[dict[str, np.ndarray]]:
    """Yields every sample in order at its own size, decoded ahead in parallel.

    Yields:
        dict of NumPy arrays with the keys of `Source`.
    """
    columns = constants(source)
    yield from in_order(
        len(source),
        lambda index: read(source, {name: rows[index] for name, rows in columns.items()}),
    )


def one(source, index):
    """The sample at a position, a dict of NumPy arrays; errors are TensorFlow's."""
    tf = tensorflow()
    with tf.device("CPU"):
        row = {name: tf.convert_to_tensor(rows[index]) for name, rows in source.columns.items()}
        return {name: value.numpy() for name, value in read(source, row).items()}


MAPS = ("label", "masks")  # whatever moves with the image's pixels: `maps_of` has H, W last
WEIGHT = "weight"  # of each pixel of a label; it moves with it


def read(source, row, whole=True):
    """One row of `source.columns` -> a complete sample.

    Args:
        source: A `Source`.
        row: Dict of tensors, one row of each column.
        whole: Whether to decode the photo. If False, `"image"` may be its bytes (string scalar).
    """
    tf = tensorflow()
    sample = dict(converted(source.decode)(row))
    sample["image"] = image_tensor(tf.convert_to_tensor(sample["image"]), source.value_range)
    if source.task == "instance":
        sample.setdefault("crowd", tf.zeros_like(sample["classes"], tf.bool))
        if "boxes" not in sample:
            sample["boxes"] = boxes_of(sample["masks"])
        else:
            require_area(sample["boxes"])
    if WEIGHT in sample:
        sample[WEIGHT] = weight_of(sample, source.void)
    if any(key in sample for key in MAPS):
        size = image_size(sample["image"])
        require(
            tf.reduce_all(size == size_of(sample)),
            "size_mismatch",
            "",
            tf.strings.format(
                "image and mask differ in size: {} and {} (height, width).",
                (size, size_of(sample)),
            ),
        )
    return decoded(sample) if whole else sample


def weight_of(sample, void):
    """The weight of each pixel, float32 `(H, W)`: 0 where the label is void.

    Args:
        sample: A sample with a label `(H, W)`, or `(H, W, C)`, and a weight.
        void: Label of pixels that are never learned.
    """
    tf = tensorflow()
    weight = tf.cast(sample[WEIGHT], tf.float32)
    if "label" not in sample or len(weight.shape) != 2:
        raise ValueError(
            f'"weight" of a sample has shape {weight.shape}: expected (H, W), beside a "label".'
        )
    label = sample["label"]
    same = require(
        tf.reduce_all(tf.shape(weight) == size_of(sample)),
        "size_mismatch",
        "",
        tf.strings.format(
            "label and weights differ in size: {} and {} (height, width).",
            (size_of(sample), tf.shape(weight)),
        ),
    )
    require(
        tf.reduce_all((weight >= 0) & (weight < np.inf)),  # NaN is neither
        "unsuitable",
        "",
        "weights of pixels that are negative, infinite or NaN.",
        "Give numbers from 0 on.",
    )
    is_void = label == tf.cast(void, label.dtype)
    is_void = tf.reduce_all(is_void, axis=-1) if len(label.shape) == 3 else is_void
    with tf.control_dependencies([same]):
        return tf.where(is_void, 0.0, tf.identity(weight))


def require_area(boxes):
    """Fails unless every box ends behind where it begins: `(N, 4)`."""
    tf = tensorflow()
    has_area = tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=1)
    require(
        tf.reduce_all(has_area),
        "malformed",
        "",
        tf.strings.format(
            "boxes without area, x1, y1, x2, y2: {}.", (tf.boolean_mask(boxes, ~has_area),)
        ),
        "Leave these objects out.",
    )


def decoded(sample):
    """The sample with its photo decoded, if it was not yet."""
    image = sample["image"]
    return {**sample, "image": decode_image(image)} if image.dtype == "string" else sample


def size_of(sample):
    """Height and width, int32 `(2,)`: of the maps where there are any, the photo may be bytes."""
    tf = tensorflow()
    if "label" in sample:
        return tf.shape(sample["label"])[:2]
    if "masks" in sample:
        return tf.shape(sample["masks"])[-2:]
    return image_size(sample["image"])


def image_size(image):
    """Height and width, int32 `(2,)`, of an image or of its bytes."""
    tf = tensorflow()
    return photo_size(image) if image.dtype == tf.string else tf.shape(image)[:2]


def maps_of(label):
    """A label `(H, W)`, or `(H, W, C)` where a pixel may have several, as maps `(K, H, W)`."""
    return label[None] if len(label.shape) == 2 else tensorflow().transpose(label, (2, 0, 1))


def label_of(maps, label):
    """Maps `(K, H, W)` as a label of the kind that another one is: `maps_of` undone."""
    return maps[0] if len(label.shape) == 2 else tensorflow().transpose(maps, (1, 2, 0))


def moved(sample, image, move, void):
    """The sample after its pixels have moved: labels, masks, boxes and instances follow the image.

    Args:
        sample: The sample as it was.
        image: The new image.
        move: Function `(maps, fill) -> maps` that moves `(K, H, W)` maps as the image was moved,
            by nearest neighbour, with `fill` where nothing was; applied to `"label"`, `"masks"` and
            `"weight"`, which is 0 there.
        void: Label of new area.

    Returns:
        The sample with new boxes, and without the instances that have left the picture.
    """
    sample = {**sample, "image": image}
    if "label" in sample:
        label = sample["label"]
        sample["label"] = label_of(move(maps_of(label), void), label)
    if WEIGHT in sample:
        sample[WEIGHT] = move(sample[WEIGHT][None], 0)[0]
    if "masks" in sample:
        sample["masks"] = move(sample["masks"], 0)
        sample = without_empty(sample)
    return sample


def without_empty(sample):
    """Drops the instances of which no pixel is left, and takes the boxes from the masks anew."""
    tf = tensorflow()
    masks = sample["masks"]
    kept = tf.reduce_any(masks != 0, axis=(1, 2))
    masks = tf.boolean_mask(masks, kept)
    return {
        **sample,
        "masks": masks,
        "classes": tf.boolean_mask(sample["classes"], kept),
        "crowd": tf.boolean_mask(sample["crowd"], kept),
        "boxes": boxes_of(masks),
    }


def boxes_of(masks):
    """The box of each mask: `(N, H, W)` -> float32 `(N, 4)`, x1, y1, x2, y2; zeros if it is empty.

    x2 and y2 are exclusive: a mask of the single pixel (y, x) has the box x, y, x + 1, y + 1.
    """
    tf = tensorflow()

    def any_in(axis):  # of bytes without a copy, which for large photos are gigabytes
        if masks.dtype == tf.uint8:
            return tf.reduce_max(masks, axis=axis) != 0
        return tf.reduce_any(masks != 0, axis=axis)

    def extent(occupied):  # bool (N, L) -> first, last + 1
        length = tf.shape(occupied)[1]
        place = tf.range(length)
        first = tf.reduce_min(tf.where(occupied, place, length), axis=1)
        last = tf.reduce_max(tf.where(occupied, place + 1, 0), axis=1)
        return tf.minimum(first, last), last

    y1, y2 = extent(any_in(2))
    x1, x2 = extent(any_in(1))
    return tf.cast(tf.stack([x1, y1, x2, y2], axis=1), tf.float32)


def masks_of(instances, keys):
    """A map of instance keys and the list of them -> one mask each.

    Args:
        instances: Integer `(H, W)`, the key of the instance each pixel belongs to.
        keys: Integer `(N,)` of the keys to extract, of the same dtype.

    Returns:
        uint8 `(N, H, W)`.
    """
    tf = tensorflow()
    return tf.cast(instances[None] == keys[:, None, None], tf.uint8)


@built_once("instances", "label", "keys")
def classes_under(instances, label, keys):
    """The class of each instance: that of the label most of its pixels carry.

    Args:
        instances, label: Integer `(H, W)`.
        keys: Integer `(N,)`, keys of `instances`.

    Returns:
        int32 `(N,)`.
    """
    tf = tensorflow()
    label = tf.cast(label, tf.int32)

    def most(key):
        return tf.argmax(tf.math.bincount(label[instances == key]), output_type=tf.int32)

    return tf.map_fn(most, keys, fn_output_signature=tf.int32)

"""Windows of a photo: random, whole, or padded. The window is chosen in the photo's own
coordinates and resized once, so no pixel outside it is ever touched, nor decoded from a JPEG."""

from __future__ import annotations

import math

from kseg.base import arguments
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range, Size, Transform
from kseg.data.decode import decode_window
from kseg.data.sample import moved, size_of
from kseg.data.transforms.chance import scale_range

TRIES = 10  # windows drawn before a crop with too much of one class is accepted


def random_scale_crop(
    size: Size, scale: Range = (0.5, 2.0), void: int = 255, max_share: float = 1.0
) -> Transform:
    """A random window of a randomly scaled photo (scale jitter).

    Where the window reaches beyond the photo, the image is black and the label void.

    Args:
        size: `(height, width)` of the result in pixels.
        scale: Range of the scale, drawn log-uniformly; 2 shows objects at twice their size.
        void: Label of area outside the photo.
        max_share: Largest share of the labelled pixels that one class may have, above 0, at most
            1: up to ten windows are drawn until one keeps to it. Semantic samples only.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    height, width = size = arguments.size("size", size)
    low, high = scale_range(scale)
    arguments.number("max_share", max_share, above=0, at_most=1)
    shrink = 1 if low == high == 1 else 1.001 / low  # the window is rounded to whole pixels

    def draw(photo, seed):
        random = tf.random.stateless_uniform((3,), seed)
        factor = tf.exp(math.log(low) + random[0] * (math.log(high) - math.log(low)))
        window = tf.maximum(tf.round(tf.constant([height, width], tf.float32) / factor), 1.0)
        # anywhere inside the photo; where the window is larger, the photo anywhere inside it
        corner = tf.round(random[1:] * (photo - window))
        return tf.cast(corner, tf.int32), tf.cast(window, tf.int32)

    def transform(sample, seed):
        photo = tf.cast(size_of(sample), tf.float32)
        corner, window = draw(photo, seed)
        if max_share < 1:
            _check_semantic(sample)

            def too_much(number, corner, window):
                return _largest_share(tf, sample["label"], corner, window, void) > max_share

            def again(number, corner, window):
                fresh = tf.random.experimental.stateless_fold_in(seed, number)
                return number + 1, *draw(photo, fresh)

            _, corner, window = tf.while_loop(
                too_much, again, (tf.constant(1), corner, window), maximum_iterations=TRIES - 1
            )
        return windowed(sample, corner, window, size, void, shrink)

    transform.takes_bytes = True
    return transform


def random_crop(size: Size, void: int = 255, max_share: float = 1.0) -> Transform:
    """A random window at the photo's own scale; smaller photos are padded, black and void.

    Args:
        size: `(height, width)` of the result in pixels.
        void: Label of area outside the photo.
        max_share: As in `random_scale_crop`.
    """
    return random_scale_crop(size, (1.0, 1.0), void, max_share)


def letterbox(size: Size, void: int = 255) -> Transform:
    """The whole photo, as large as fits `size` at its own aspect, at the top left; not random.

    Args:
        size: `(height, width)` of the result in pixels.
        void: Label of the area that stays free.

    Raises:
        ValueError: `size` is none.
    """
    tf = tensorflow()
    size = arguments.size("size", size)

    def transform(sample, seed):
        del seed
        photo = tf.cast(size_of(sample), tf.float32)
        factor = letterbox_factor(photo, size)
        window = tf.round(tf.constant(size, tf.float32) / factor)
        corner = tf.zeros((2,), tf.int32)
        return windowed(sample, corner, tf.cast(window, tf.int32), size, void)

    transform.takes_bytes = True
    return transform


def letterbox_factor(photo, size):
    """By how much `letterbox` enlarges a photo of float32 `(2,)` height and width."""
    tf = tensorflow()
    return tf.reduce_min(tf.constant(size, tf.float32) / photo)


def pad(size: Size, void: int = 255) -> Transform:
    """Pads the photo at the bottom and right to at least `size`; larger sides stay; not random.

    Args:
        size: `(height, width)` in pixels that the result has at least.
        void: Label of the new area; the image is black there.

    Raises:
        ValueError: `size` is none.
    """
    tf = tensorflow()
    size = arguments.size("size", size)

    def transform(sample, seed):
        del seed
        more = tf.maximum(tf.constant(size) - size_of(sample), 0)
        after = tf.stack([tf.zeros_like(more), more], axis=1)  # (2, 2): before and after

        def move(maps, fill):
            return tf.pad(
                maps, tf.concat([[[0, 0]], after], 0), constant_values=tf.cast(fill, maps.dtype)
            )

        image = tf.pad(sample["image"], tf.concat([after, [[0, 0]]], 0))
        return moved(sample, image, move, void)

    return transform


def windowed(sample, corner, window, size, void, shrink=math.inf):
    """Cuts `window` (height, width) at `corner` (may lie outside) and resizes it to `size`.

    Args:
        sample: A sample; its image may be the bytes of a file.
        corner, window: int32 `(2,)`.
        size: The result's height and width.
        void: Label of area outside the photo.
        shrink: The most that the window can be larger than `size`; 1 if it always equals it. What
            cannot happen is left out of the graph.
    """
    tf = tensorflow()
    photo, image = size_of(sample), sample["image"]
    reduction = None
    if image.dtype == tf.string and shrink > 2.01:
        # a JPEG shrunk to half or less need not be decoded in full
        times = tf.cast(tf.reduce_min(window // tf.constant(size)), tf.float32)
        halvings = tf.cast(tf.math.log(tf.maximum(times, 1.0)) / math.log(2) + 1e-3, tf.int32)
        reduction = tf.where(tf.io.is_jpeg(image), tf.minimum(halvings, 3), 0)
        step = tf.bitwise.left_shift(1, reduction)
        corner, window = corner // step * step, -(-window // step) * step
    end = corner + window
    first, last = tf.clip_by_value(corner, 0, photo - 1), tf.minimum(end, photo)
    inside = tf.reduce_all((first == corner) & (last == end))
    if image.dtype == tf.string:
        image = decode_window(image, first, last, photo, reduction)
    else:
        image = image[first[0] : last[0], first[1] : last[1]]
    channels = image.shape[-1]

    def padded():
        before, whole = first - corner, window
        if reduction is not None:
            before, whole = before // step, window // step
        after = tf.maximum(whole - before - tf.shape(image)[:2], 0)
        return tf.pad(image, tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0))

    image = tf.ensure_shape(tf.cond(inside, lambda: image, padded), (None, None, channels))
    if shrink == 1:
        image = tf.ensure_shape(image, (*size, channels))
    else:
        image = _resized(tf, image, size, shrink)

    def move(maps, fill):
        return _nearest(tf, maps, fill, corner, window, size, inside)

    return moved(sample, image, move, void)


def _resized(tf, image, size, shrink):
    """(h, w, C) -> the same type of `size`. Bilinear is its own antialias up to a factor of two."""
    kind = image.dtype
    image = tf.cast(image, tf.float32)  # resizing floats is quicker than resizing bytes
    if shrink > 2.01:
        large = tf.reduce_any(tf.shape(image)[:2] > 2 * tf.constant(size))
        image = tf.cond(
            large,
            lambda: tf.image.resize(image, size, antialias=True),
            lambda: tf.image.resize(image, size),
        )
    else:
        image = tf.image.resize(image, size)
    # means of the image's own numbers: they cannot leave their range
    return tf.cast(image + 0.5, kind) if kind.is_integer else image


def _nearest(tf, maps, fill, corner, window, size, inside):
    """The window of (K, H, W) maps at `size`, by nearest neighbour with half-pixel centres.

    Gathering rows, transposing, gathering rows again copies whole rows twice; that is several
    times faster than TensorFlow's nearest-neighbour resize.
    """
    # output i shows floor((i + 1/2) * window / size), in integers: exact
    rows, columns = (
        tf.constant([2 * i + 1 for i in range(size[axis])]) * window[axis] // (2 * size[axis])
        + corner[axis]
        for axis in (0, 1)
    )

    def gathered(rows, columns):
        turned = tf.transpose(tf.gather(maps, rows, axis=1), (0, 2, 1))
        return tf.transpose(tf.gather(turned, columns, axis=1), (0, 2, 1))

    def filled():
        height, width = tf.unstack(tf.shape(maps)[1:])
        nearest = gathered(
            tf.clip_by_value(rows, 0, height - 1), tf.clip_by_value(columns, 0, width - 1)
        )
        there = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        return tf.where(there, nearest, tf.cast(fill, maps.dtype))

    maps = tf.cond(inside, lambda: gathered(rows, columns), filled)
    return tf.ensure_shape(maps, (None, *size))


def _largest_share(tf, label, corner, window, void):
    """Share of the most frequent class among the labelled pixels of a window, every fourth."""
    first, last = tf.maximum(corner, 0), tf.minimum(corner + window, tf.shape(label))
    part = tf.reshape(label[first[0] : last[0] : 4, first[1] : last[1] : 4], [-1])
    part = tf.cast(tf.boolean_mask(part, part != tf.cast(void, part.dtype)), tf.int32)
    counts = tf.math.bincount(part, minlength=1)
    return tf.reduce_max(counts) / tf.maximum(tf.reduce_sum(counts), 1)


def _check_semantic(sample):
    if "label" not in sample or len(sample["label"].shape) != 2:
        raise ValueError("max_share < 1 needs class ids per pixel. Give it semantic samples only.")

"""Transforms that make one sample of several; `partner(k)` reads another one when it is called."""

from __future__ import annotations

from kseg.base import arguments
from kseg.base.arguments import number, share, value_range
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range, Size, Transform
from kseg.data.sample import WEIGHT, label_of, maps_of, moved, size_of, without_empty
from kseg.data.transforms.chance import uniform

SUMMED = ("image", "label", WEIGHT)  # of several samples on one canvas; objects are side by side


def mosaic(
    size: Size, probability: float = 1.0, center: Range = (0.25, 0.75), void: int = 255
) -> Transform:
    """Four photos around a random point (Bochkovskiy et al. 2020, YOLOv4, arXiv:2004.10934).

    Each quarter shows a random window of a photo at its own scale, padded, black and void, where
    the photo is smaller. Scale the photos beforehand: `[random_scale_crop(size), mosaic(size)]`.

    Args:
        size: `(height, width)` of the result in pixels.
        probability: Share of samples that become mosaics, 0..1. The others are a random window of
            the photo, of the same size.
        center: Range of the point where the four meet, as a share of each side.
        void: Label of area outside a photo.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    share("probability", probability)
    center = value_range("center", center, 0, 1)
    size = arguments.size("size", size)

    def transform(sample, seed, partner):
        coin, place, windows = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        windows = tf.random.experimental.stateless_split(windows, 4)

        def mixed():
            whole = tf.constant(size)
            random = uniform(tf.random.stateless_uniform((2,), place), center)
            middle = tf.cast(tf.round(random * tf.cast(whole, tf.float32)), tf.int32)

            def placed(one, number):  # row by row; black, and label 0, outside its quarter
                quarter = tf.stack([number // 2, number % 2])
                extent = tf.where(quarter == 0, middle, whole - middle)
                piece = _random_window(one, windows[number], extent, void)
                return _framed(piece, quarter * middle, size)

            def add(number, canvas):
                return number + 1, _sum(canvas, placed(partner(number - 1), number))

            # a loop, that whatever reads a photo and comes before is built once, not three times
            canvas = placed(sample, 0)
            shapes = {key: (None, *value.shape[1:]) for key, value in canvas.items()}
            shapes |= {key: canvas[key].shape for key in SUMMED if key in canvas}
            shapes = {key: tf.TensorShape(shape) for key, shape in shapes.items()}
            _, canvas = tf.while_loop(
                lambda number, canvas: number < 4,
                add,
                (tf.constant(1), canvas),
                shape_invariants=(tf.TensorShape(()), shapes),
            )
            return canvas

        def alone():
            piece = _random_window(sample, windows[0], tf.constant(size), void)
            return _framed(piece, tf.zeros((2,), tf.int32), size)

        return tf.cond(tf.random.stateless_uniform((), coin) < probability, mixed, alone)

    transform.mixes = True
    return transform


def copy_paste(probability: float = 0.5) -> Transform:
    """Pastes objects of another photo (Ghiasi et al. 2021, "Simple Copy-Paste", arXiv:2012.07177).

    A random subset of the other photo's objects, at least one if it has any, appears where it was;
    whatever it covers is cut from this photo's masks, and objects covered whole are dropped. As in
    the paper, edges are not blended: it made no difference there. Instance samples only. Crowd
    regions are not pasted.

    Args:
        probability: Share of samples that receive objects, 0..1.

    Raises:
        ValueError: `probability` is outside 0..1, or a sample holds labels in place of masks.
    """
    tf = tensorflow()
    share("probability", probability)

    def transform(sample, seed, partner):
        if "masks" not in sample:
            raise ValueError(
                "copy_paste needs the masks of objects. Give it an instance source, or use "
                "cut_mix, which works on labels."
            )
        coin, choice = tf.unstack(tf.random.experimental.stateless_split(seed, 2))

        def mixed():
            other = partner(0)
            objects = ~other["crowd"]
            random = tf.random.stateless_uniform(tf.shape(objects), choice)
            lowest = tf.reduce_min(tf.where(objects, random, 1.0))
            chosen = objects & ((random < 0.5) | (random == lowest))
            rows = {
                key: tf.boolean_mask(other[key], chosen)
                for key in ("masks", "classes", "crowd", "boxes")
            }
            other = _window({**other, **rows}, tf.zeros((2,), tf.int32), size_of(sample), void=0)
            return _pasted(sample, other, tf.reduce_any(other["masks"] != 0, axis=0))

        def alone():
            return sample

        return tf.cond(tf.random.stateless_uniform((), coin) < probability, mixed, alone)

    transform.mixes = True
    return transform


def cut_mix(probability: float = 0.5, alpha: float = 1.0, void: int = 255) -> Transform:
    """Puts a random rectangle of another photo and its labels in place of this one's.

    Yun et al. 2019, "CutMix", arXiv:1905.04899, for segmentation as in French et al. 2020,
    arXiv:1906.01916. Where the other photo is smaller than this one, it is black and void. An
    object that reaches into the rectangle keeps what is outside of it, and vice versa.

    Args:
        probability: Share of samples that are mixed, 0..1.
        alpha: The rectangle's share of the photo is drawn from Beta(alpha, alpha): 1 is uniform;
            larger numbers stay closer to one half.
        void: Label of area outside the other photo.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    share("probability", probability)
    number("alpha", alpha, above=0)

    def transform(sample, seed, partner):
        coin, area, place = tf.unstack(tf.random.experimental.stateless_split(seed, 3))

        def mixed():
            size = size_of(sample)
            other = _window(partner(0), tf.zeros((2,), tf.int32), size, void)
            gamma = tf.random.stateless_gamma((2,), area, float(alpha))  # a ratio of two is a Beta
            side = tf.sqrt(gamma[0] / tf.reduce_sum(gamma))
            photo = tf.cast(size, tf.float32)
            extent = tf.round(side * photo)
            first = tf.round(tf.random.stateless_uniform((2,), place) * (photo - extent))
            first, last = tf.cast(first, tf.int32), tf.cast(first + extent, tf.int32)
            y, x = tf.range(size[0]), tf.range(size[1])
            rows, columns = (y >= first[0]) & (y < last[0]), (x >= first[1]) & (x < last[1])
            return _pasted(sample, other, rows[:, None] & columns)

        def alone():
            return sample

        return tf.cond(tf.random.stateless_uniform((), coin) < probability, mixed, alone)

    transform.mixes = True
    return transform


def _pasted(sample, other, inside):
    """The sample with another one, of the same size, where `inside`, bool (H, W), is true."""
    tf = tensorflow()
    result = {**sample, "image": tf.where(inside[..., None], other["image"], sample["image"])}
    if "label" in sample:
        mixed = tf.where(inside, maps_of(other["label"]), maps_of(sample["label"]))
        result["label"] = label_of(mixed, sample["label"])
    if WEIGHT in sample:
        result[WEIGHT] = tf.where(inside, other[WEIGHT], sample[WEIGHT])
    if "masks" in sample:
        inside = tf.cast(inside, tf.uint8)
        result["masks"] = tf.concat(
            [sample["masks"] * (1 - inside), other["masks"] * inside], axis=0
        )
        for key in ("classes", "crowd"):
            result[key] = tf.concat([sample[key], other[key]], axis=0)
        result = without_empty(result)
    return result


def _random_window(sample, seed, size, void):
    """A window anywhere inside the photo; where the window is larger, the photo anywhere in it."""
    tf = tensorflow()
    room = tf.cast(size_of(sample) - size, tf.float32)
    corner = tf.round(tf.random.stateless_uniform((2,), seed) * room)
    return _window(sample, tf.cast(corner, tf.int32), size, void)


def _window(sample, corner, size, void):
    """The window of `size` (int32, not known in advance) at `corner`, which may lie outside."""
    tf = tensorflow()
    photo = size_of(sample)
    first, last = tf.maximum(corner, 0), tf.minimum(corner + size, photo)
    before = first - corner
    around = tf.stack([before, size - before - (last - first)], axis=1)  # (2, 2)

    def move(maps, fill):
        maps = maps[:, first[0] : last[0], first[1] : last[1]]
        fill = tf.cast(fill, maps.dtype)
        return tf.pad(maps, tf.concat([[[0, 0]], around], 0), constant_values=fill)

    image = sample["image"][first[0] : last[0], first[1] : last[1]]
    image = tf.pad(image, tf.concat([around, [[0, 0]]], 0))
    return moved(sample, image, move, void)


def _framed(sample, corner, size):
    """The sample on a canvas of `size` (numbers), at `corner`, with zeros around it."""
    tf = tensorflow()
    after = tf.constant(size) - corner - size_of(sample)
    around = tf.stack([corner, after], axis=1)  # (2, 2)
    image = tf.pad(sample["image"], tf.concat([around, [[0, 0]]], 0))
    result = {**sample, "image": tf.ensure_shape(image, (*size, image.shape[-1]))}
    if "label" in sample:
        label = sample["label"]
        maps = tf.pad(maps_of(label), tf.concat([[[0, 0]], around], 0))
        result["label"] = label_of(tf.ensure_shape(maps, (None, *size)), label)
    if WEIGHT in sample:
        result[WEIGHT] = tf.ensure_shape(tf.pad(sample[WEIGHT], around), size)
    if "masks" in sample:
        masks = tf.pad(sample["masks"], tf.concat([[[0, 0]], around], 0))
        result["masks"] = tf.ensure_shape(masks, (None, *size))
        result["boxes"] = sample["boxes"] + tf.cast(tf.tile(corner[::-1], [2]), tf.float32)
    return result


def _sum(one, other):
    """Two samples on one canvas, each zero where the other is not."""
    tf = tensorflow()
    return {
        key: value + other[key] if key in SUMMED else tf.concat([value, other[key]], axis=0)
        for key, value in one.items()
    }

"""Blur, noise and holes: what a camera, or something before it, may do to a photo."""

from __future__ import annotations

import math
from typing import Literal

from kseg.base.arguments import choice, value_range
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range, Transform
from kseg.data.sample import moved
from kseg.data.transforms.chance import uniform
from kseg.data.transforms.levels import as_image, white_of


def random_blur(sigma: float | Range = 2.0) -> Transform:
    """Blurs the photo by a Gaussian; labels stay as they are.

    Keras' RandomGaussianBlur goes no further than one pixel and darkens the photo's borders, which
    it blurs with black.

    Args:
        sigma: Largest standard deviation in pixels, or a range `(low, high)`.

    Raises:
        ValueError: `sigma` is out of its range.
    """
    tf = tensorflow()
    sigma = value_range("sigma", sigma, 0, 100, both_sides=False)

    def transform(sample, seed):
        image = sample["image"]
        here = tf.maximum(uniform(tf.random.stateless_uniform((), seed), sigma), 1e-3)

        def weights(length):  # (length, length): those of the pixels inside add up to 1
            place = tf.range(tf.cast(length, tf.float32))
            kernel = tf.exp(-0.5 * tf.square((place[:, None] - place) / here))
            return kernel / tf.reduce_sum(kernel, axis=1, keepdims=True)

        # two matrix products: several times faster than TensorFlow's convolution of one channel
        planes = tf.transpose(tf.cast(image, tf.float32), (2, 0, 1))
        height, width = tf.unstack(tf.shape(image)[:2])
        planes = tf.matmul(weights(height), planes)
        planes = tf.matmul(planes, weights(width), transpose_b=True)
        blurred = tf.transpose(planes, (1, 2, 0))
        return {**sample, "image": as_image(blurred, image, within=True)}

    return transform


def random_noise(stddev: float | Range = 10.0) -> Transform:
    """Adds Gaussian noise to the photo, to each channel its own; labels stay as they are.

    Args:
        stddev: Largest standard deviation, in grey levels of 0..255; or a range `(low, high)`.

    Raises:
        ValueError: `stddev` is out of its range.
    """
    tf = tensorflow()
    stddev = value_range("stddev", stddev, 0, 255, both_sides=False)

    def transform(sample, seed):
        image = sample["image"]
        amount, noise = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        amount = uniform(tf.random.stateless_uniform((), amount), stddev)
        amount *= white_of(image) / 255
        noise = amount * tf.random.stateless_normal(tf.shape(image), noise)
        return {**sample, "image": as_image(tf.cast(image, tf.float32) + noise, image, within=True)}

    return transform


def random_cutout(
    area: float | Range = (0.02, 0.2),
    aspect: Range = (0.3, 3.3),
    label: Literal["keep", "void"] = "keep",
    void: int = 255,
) -> Transform:
    """Hides a random rectangle of the photo behind one random colour.

    Cutout (DeVries and Taylor 2017, arXiv:1708.04552) with the rectangles of random erasing (Zhong
    et al. 2020, arXiv:1708.04896).

    Args:
        area: Largest share of the photo that is hidden, or a range `(low, high)`.
        aspect: Range of the rectangle's height divided by its width, drawn log-uniformly.
        label: `"keep"` asks the model to guess what is hidden; `"void"` makes its label void, and
            cuts it from the masks.
        void: Label of the rectangle, if it is to be void.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    area = value_range("area", area, 0, 1, both_sides=False)
    aspect = value_range("aspect", aspect, 0.01, 100)
    choice("label", label, ("keep", "void"))

    def transform(sample, seed):
        image = sample["image"]
        size = tf.shape(image)[:2]
        photo = tf.cast(size, tf.float32)
        random = tf.random.stateless_uniform((4 + image.shape[-1],), seed)
        hidden = uniform(random[0], area) * photo[0] * photo[1]
        shape = tf.exp(uniform(random[1], [math.log(a) for a in aspect]))
        extent = tf.minimum(tf.round(tf.sqrt(tf.stack([hidden * shape, hidden / shape]))), photo)
        first = tf.cast(tf.round(random[2:4] * (photo - extent)), tf.int32)
        last = first + tf.cast(extent, tf.int32)
        color = tf.cast(random[4:] * (white_of(image) + 0.99 * image.dtype.is_integer), image.dtype)
        y, x = tf.range(size[0]), tf.range(size[1])
        rows, columns = (y >= first[0]) & (y < last[0]), (x >= first[1]) & (x < last[1])
        inside = rows[:, None] & columns
        image = tf.where(inside[..., None], color, image)
        if label == "keep":
            return {**sample, "image": image}

        def move(maps, fill):
            return tf.where(inside, tf.cast(fill, maps.dtype), maps)

        return moved(sample, image, move, void)

    return transform

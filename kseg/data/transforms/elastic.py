"""Elastic deformation.

Keras' RandomElasticTransform is not used: version 3.15 draws a displacement for the labels that is
not the photo's, moves pixels along the diagonal only (both axes share one seed), needs the photo's
size when the pipeline is built, and clips labels to 0..255.
"""

from __future__ import annotations

import numpy as np

from kseg.base.arguments import number, value_range
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range, Transform
from kseg.data.sample import moved
from kseg.data.transforms.chance import uniform
from kseg.data.transforms.levels import as_image

STEP = 2  # grid points to one standard deviation of the blur: what it leaves is no finer


def random_elastic(
    strength: float | Range = 0.02, smoothness: float = 0.08, void: int = 255
) -> Transform:
    """Bends the photo like a sheet of rubber (Simard et al. 2003, "Best practices", ICDAR).

    Each pixel is moved by a random displacement, white noise blurred by a Gaussian. New area is
    black, and void.

    Args:
        strength: Standard deviation of the displacement as a share of the shorter side; or a range
            `(low, high)` it is drawn from. A number stands for `(0, strength)`.
        smoothness: Standard deviation of the blur, likewise a share of the shorter side. The sheet
            folds over itself where the displacement grows faster than the place: keep `strength`
            below a third of it.
        void: Label of new area.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    strength = value_range("strength", strength, 0, 1, both_sides=False)
    number("smoothness", smoothness, at_least=0.01, at_most=1)
    reach = 3 * STEP
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / STEP) ** 2)
    kernel = (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)  # keeps the noise's variance

    def displacement(size, seed):  # float32 (H, W, 2), of standard deviation 1
        step = smoothness * tf.cast(tf.reduce_min(size), tf.float32) / STEP
        grid = tf.cast(tf.math.ceil(tf.cast(size, tf.float32) / step), tf.int32)
        grid = tf.maximum(grid, 2)
        noise = tf.random.stateless_normal(tf.concat([grid + 2 * reach, [2]], 0), seed)
        across = sum(
            float(weight) * noise[:, start : start + grid[1]] for start, weight in enumerate(kernel)
        )
        smooth = sum(
            float(weight) * across[start : start + grid[0]] for start, weight in enumerate(kernel)
        )
        return tf.image.resize(smooth, size, method="bicubic")

    def transform(sample, seed):
        image = sample["image"]
        size = tf.shape(image)[:2]
        height, width = size[0], size[1]
        amount, noise = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        amount = uniform(tf.random.stateless_uniform((), amount), strength)
        amount *= tf.cast(tf.reduce_min(size), tf.float32)
        shift = amount * displacement(size, noise)
        y = shift[..., 0] + tf.range(tf.cast(height, tf.float32))[:, None]
        x = shift[..., 1] + tf.range(tf.cast(width, tf.float32))

        def place(y, x):  # of the nearest pixel inside the photo, in its pixels row by row
            y = tf.clip_by_value(tf.cast(y, tf.int32), 0, height - 1)
            return y * width + tf.clip_by_value(tf.cast(x, tf.int32), 0, width - 1)

        near_y, near_x = tf.floor(y + 0.5), tf.floor(x + 0.5)
        nearest = place(near_y, near_x)
        inside = (near_y >= 0) & (near_y < tf.cast(height, tf.float32))
        inside &= (near_x >= 0) & (near_x < tf.cast(width, tf.float32))

        def move(maps, fill):
            result = tf.gather(tf.reshape(maps, [-1, height * width]), nearest, axis=1)
            result = tf.where(inside, result, tf.cast(fill, maps.dtype))
            return tf.ensure_shape(result, maps.shape)

        top, left = tf.floor(y), tf.floor(x)
        down, right = (y - top)[..., None], (x - left)[..., None]
        pixels = tf.cast(tf.reshape(image, [-1, image.shape[-1]]), tf.float32)
        corners = [
            tf.gather(pixels, place(top + dy, left + dx)) for dy in (0.0, 1.0) for dx in (0.0, 1.0)
        ]
        upper = corners[0] + right * (corners[1] - corners[0])
        lower = corners[2] + right * (corners[3] - corners[2])
        bent = as_image(tf.reshape(upper + down * (lower - upper), tf.shape(image)), image)
        bent = tf.where(inside[..., None], bent, tf.zeros_like(bent))
        return moved(sample, bent, move, void)

    return transform

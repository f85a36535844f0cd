"""Rotation, scale, shear and translation, in one resample."""

from __future__ import annotations

import math

from kseg.base.arguments import value_range
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range, Transform
from kseg.data.sample import moved
from kseg.data.transforms.chance import scale_range, uniform
from kseg.data.transforms.levels import as_image


def random_affine(
    degrees: float | Range = 0,
    scale: Range = (1, 1),
    shear: float | Range = 0,
    translate: float | Range = 0,
    void: int = 255,
) -> Transform:
    """Rotates, scales, shears and shifts the photo about its centre; its size stays.

    Keras has a layer for each of the four, and each of them resamples the photo anew, blurring it
    and rounding the label a little more. Here the four matrices are multiplied first, and photo
    and labels are resampled once. New area is black, and void.

    Args:
        degrees: Largest angle to either side, or a range `(low, high)`; positive angles turn
            counter-clockwise.
        scale: Range of the scale, drawn log-uniformly; 2 shows objects at twice their size. Below
            1/2, photos begin to alias: scale by `random_scale_crop`, which does not.
        shear: Largest slant of upright lines to either side in degrees, or a range.
        translate: Largest shift to either side as a share of each side, or a range; positive
            shifts go right and down.
        void: Label of new area.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    degrees = value_range("degrees", degrees)
    shear = value_range("shear", shear, -89, 89)
    translate = value_range("translate", translate)
    scale = scale_range(scale)

    def transform(sample, seed):
        image = sample["image"]
        size = tf.shape(image)[:2]
        random = tf.random.stateless_uniform((5,), seed)
        angle = uniform(random[0], degrees) * (math.pi / 180)
        factor = tf.exp(uniform(random[1], [math.log(s) for s in scale]))
        slant = tf.tan(uniform(random[2], shear) * (math.pi / 180))
        height, width = tf.unstack(tf.cast(size, tf.float32))
        shift_x = uniform(random[3], translate) * width
        shift_y = uniform(random[4], translate) * height

        # Where each output pixel comes from: back by the shift, the rotation, the shear and the
        # scale. Pixel 0's centre is 0 here, so the photo's centre is half of side - 1.
        cos, sin = tf.cos(angle), tf.sin(angle)
        a0, a1 = (cos - slant * sin) / factor, (-sin - slant * cos) / factor
        b0, b1 = sin / factor, cos / factor
        x, y = (width - 1) / 2, (height - 1) / 2
        a2 = x - a0 * (x + shift_x) - a1 * (y + shift_y)
        b2 = y - b0 * (x + shift_x) - b1 * (y + shift_y)
        matrix = tf.stack([a0, a1, a2, b0, b1, b2, 0.0, 0.0])[None]

        def resampled(images, interpolation, fill):  # (K, H, W, C), all alike
            return tf.raw_ops.ImageProjectiveTransformV3(
                images=images,
                transforms=matrix,
                output_shape=size,
                fill_value=fill,
                interpolation=interpolation,
                fill_mode="CONSTANT",
            )

        def move(maps, fill):
            wide = maps if maps.dtype in (tf.uint8, tf.float32) else tf.cast(maps, tf.int32)
            result = resampled(wide[..., None], "NEAREST", float(fill))[..., 0]
            return tf.ensure_shape(tf.cast(result, maps.dtype), maps.shape)

        turned = resampled(tf.cast(image, tf.float32)[None], "BILINEAR", 0.0)[0]
        return moved(sample, as_image(turned, image), move, void)

    return transform


def random_rotation(degrees: float | Range, void: int = 255) -> Transform:
    """Turns the photo about its centre; new area is black, and void.

    Args:
        degrees: Largest angle to either side, or a range `(low, high)`; positive angles turn
            counter-clockwise.
        void: Label of new area.
    """
    return random_affine(degrees=degrees, void=void)

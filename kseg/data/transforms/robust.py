"""What photos of other scenes may look like: a recipe for models that have to stand new ones.

It is made of changes that cost little and are none of the weather, frosted glass, JPEG and the like
of `kseg.data.corrupt`, so that a score under those says how far it carries.
"""

from __future__ import annotations

import math

from kseg.base.arguments import number, share
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Range, Size, Transform
from kseg.data.sample import decoded
from kseg.data.transforms.chance import uniform
from kseg.data.transforms.color import color_jitter
from kseg.data.transforms.crop import random_scale_crop
from kseg.data.transforms.flip import random_flip
from kseg.data.transforms.levels import as_image, white_of

CELLS = 8  # of a cloud of light, along each side
# How often each step is taken by a photo that is changed
LIT, BLURRED, COARSE, NOISY = 0.3, 0.35, 0.15, 0.5
GAIN, COLOR = 0.7, 0.15  # logarithms of factors, of all bands and of each
CONTRAST = (-1.2, 0.3)  # likewise
HAZE = 0.6  # most that a cloud hides
SIGMA = (0.3, 4.0)  # of a blur in pixels, for rows and for columns
FEWER = (0.25, 0.7)  # pixels along each side
NOISE = (0.008, 0.35)  # standard deviation as a share of white


def random_appearance(strength: float = 0.5, probability: float = 0.25) -> Transform:
    """Changes light, contrast, colour, sharpness and noise far more than `color_jitter` does.

    Each photo has its own mixture of them, as in AugMix (Hendrycks et al. 2020, arXiv:1912.02781),
    and often noise, the one thing that carries furthest (Rusak et al. 2020, arXiv:2001.06057).
    Labels stay as they are.

    Args:
        strength: From 0, for hardly any change, to 2. 1 costs a short training more of its score on
            photos as they are than 0.5 does.
        probability: Share of the photos that are changed so; the others get `color_jitter()`. 0.5
            stood corruptions no better, and photos as they are less well (docs/new-scenes.md).

    Raises:
        ValueError: `strength` is no number from 0 to 2, or `probability` none from 0 to 1.
    """
    tf = tensorflow()
    number("strength", strength, at_least=0, at_most=2)
    share("probability", probability)
    mild = color_jitter()

    def far(image, seed):
        coins, *seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 6))
        coins = tf.random.stateless_uniform((4,), coins)
        white = float(white_of(image))
        levels = _toned(tf.cast(image, tf.float32) / white, seeds[0], strength)
        steps = ((LIT, _lit), (BLURRED, _blurred), (COARSE, _coarse), (NOISY, _noisy))
        for coin, own, (chance, step) in zip(tf.unstack(coins), seeds[1:], steps):
            levels = tf.cond(
                coin < chance,
                lambda x=levels, own=own, step=step: step(x, own, strength),
                lambda x=levels: x,
            )
        return as_image(levels * white, image, within=True)

    def transform(sample, seed):
        coin, own = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        image = sample["image"]
        image = tf.cond(
            tf.random.stateless_uniform((), coin) < probability,
            lambda: far(image, own),
            lambda: mild({"image": image}, own)["image"],
        )
        return {**sample, "image": image}

    return transform


def robust(
    size: Size,
    scale: Range = (0.5, 2.0),
    void: int = 255,
    strength: float = 0.5,
    probability: float = 0.25,
) -> Transform:
    """The recipe for new scenes: scale jitter and crop, flip, and `random_appearance`.

    As `Settings(transforms=["robust"])` it takes the place of the plain recipe, of which it differs
    in the last step alone.

    Args:
        size: `(height, width)` of the crops in pixels.
        scale: Range of the scale, drawn log-uniformly.
        void: Label of area outside the photo.
        strength, probability: As of `random_appearance`.

    Raises:
        ValueError: an argument is out of its range.
    """
    tf = tensorflow()
    far = random_appearance(strength, probability)
    steps = random_scale_crop(size, scale, void), random_flip(), far

    def transform(sample, seed):
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, len(steps)))
        for step, own in zip(steps, seeds):
            sample = step(sample if step is steps[0] else decoded(sample), own)
        return sample

    transform.takes_bytes = True
    return transform


def _toned(levels, seed, strength):
    """Other light, contrast, saturation and tint: `(H, W, bands)` of 0..1."""
    tf = tensorflow()
    bands = levels.shape[-1]
    random = tf.random.stateless_uniform((3 + bands,), seed)
    gain = (2 * random[0] - 1) * GAIN + (2 * random[3:] - 1) * COLOR
    grey = tf.reduce_mean(levels, axis=-1, keepdims=True)
    kept = 1 + strength * (1.5 * random[1] - 1)  # of a pixel's distance from grey
    levels = grey + (levels - grey) * tf.maximum(kept, 0.0)
    contrast = tf.exp(strength * uniform(random[2], CONTRAST))
    mean = tf.reduce_mean(grey)
    return (mean + (levels - mean) * contrast) * tf.exp(strength * gain)


def _lit(levels, seed, strength):
    """A cloud of light, or of shade, before the scene."""
    tf = tensorflow()
    cloud, other = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    amount, color = tf.unstack(tf.random.stateless_uniform((2,), other))
    cloud = tf.random.stateless_uniform((CELLS, CELLS, 1), cloud)
    cloud = tf.image.resize(cloud, tf.shape(levels)[:2], "bicubic")
    hidden = tf.clip_by_value(strength * HAZE * (0.5 * amount + amount * cloud), 0.0, 1.0)
    return levels + hidden * (color - levels)


def _blurred(levels, seed, strength):
    """Along rows and columns by a Gaussian each."""
    tf = tensorflow()
    random = tf.random.stateless_uniform((2,), seed)
    low, high = map(math.log, SIGMA)
    sigma = tf.exp(low + random * (high - low)) * max(strength, 1e-3)

    def weights(length, sigma):  # (length, length): those of the pixels inside add up to 1
        place = tf.range(tf.cast(length, tf.float32))
        kernel = tf.exp(-0.5 * tf.square((place[:, None] - place) / sigma))
        return kernel / tf.reduce_sum(kernel, axis=1, keepdims=True)

    height, width = tf.unstack(tf.shape(levels)[:2])
    planes = tf.matmul(weights(height, sigma[0]), tf.transpose(levels, (2, 0, 1)))
    planes = tf.matmul(planes, weights(width, sigma[1]), transpose_b=True)
    return tf.transpose(planes, (1, 2, 0))


def _coarse(levels, seed, strength):
    """With fewer pixels, enlarged again."""
    tf = tensorflow()
    share = uniform(tf.random.stateless_uniform((), seed), FEWER)
    size = tf.cast(tf.shape(levels)[:2], tf.float32)
    few = tf.cast(tf.maximum(tf.round(size * (1 - min(strength, 1) * (1 - share))), 1), tf.int32)
    small = tf.image.resize(levels, few, "area")
    return tf.image.resize(small, tf.shape(levels)[:2], "nearest")


def _noisy(levels, seed, strength):
    """Gaussian noise, of each band its own."""
    tf = tensorflow()
    amount, noise = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    low, high = map(math.log, NOISE)
    sigma = tf.exp(low + tf.random.stateless_uniform((), amount) * (high - low))
    return levels + strength * sigma * tf.random.stateless_normal(tf.shape(levels), noise)

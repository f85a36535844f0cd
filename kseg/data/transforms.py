"""Joint random operations on a sample, run inside `tf.data`.

A transform is a function `(sample, seed) -> sample` made by one of the factories below. A sample is
`{"image": uint8 (H, W, 3), "label": int32 (H, W)}`, `seed` an int32 tensor of two numbers that
differs from sample to sample and epoch to epoch, so a run can be repeated to the bit. No transform
invents a label: labels move by nearest neighbour and new area is void.
"""

from kseg.data._tensorflow import tensorflow


def random_scale_crop(size, scale=(0.5, 2.0), void=255):
    """A random window of a randomly scaled photo.

    The window is chosen in the photo's own coordinates and resized once, so no pixel outside it is
    ever touched. Where it reaches beyond the photo, the image is black and the label void.

    Args:
        size: `(height, width)` of the result in pixels.
        scale: Range of the scale, drawn log-uniformly; 2 shows objects at twice their size.
        void: Label of area outside the photo.
    """
    tf = tensorflow()
    height, width = size
    low, high = map(float, scale)
    if not 0 < low <= high:
        raise ValueError(f"scale={scale!r}: expected two numbers with 0 < low <= high.")

    def transform(sample, seed):
        random = tf.random.stateless_uniform((3,), seed)
        factor = tf.exp(tf.math.log(low) + random[0] * (tf.math.log(high) - tf.math.log(low)))
        photo = tf.cast(tf.shape(sample["image"])[:2], tf.float32)
        window = tf.maximum(tf.round(tf.constant([height, width], tf.float32) / factor), 1.0)
        # anywhere inside the photo; where the window is larger, the photo anywhere inside it
        corner = tf.round(random[1:] * (photo - window))
        return _window(tf, sample, tf.cast(corner, tf.int32), tf.cast(window, tf.int32), size, void)

    return transform


def letterbox(size, void=255):
    """The whole photo, as large as fits `size` at its own aspect, at the top left; not random.

    Args:
        size: `(height, width)` of the result in pixels.
        void: Label of the area that stays free.
    """
    tf = tensorflow()

    def transform(sample, seed):
        del seed
        photo = tf.cast(tf.shape(sample["image"])[:2], tf.float32)
        factor = tf.reduce_min(tf.constant(size, tf.float32) / photo)
        window = tf.round(tf.constant(size, tf.float32) / factor)
        corner = tf.zeros((2,), tf.int32)
        return _window(tf, sample, corner, tf.cast(window, tf.int32), size, void)

    return transform


def _window(tf, sample, corner, window, size, void):
    """Cuts `window` (height, width) at `corner` (may lie outside) and resizes it to `size`."""
    image, label = sample["image"], sample["label"]
    photo = tf.shape(image)[:2]
    first, last = tf.maximum(corner, 0), tf.minimum(corner + window, photo)
    image = image[first[0] : last[0], first[1] : last[1]]
    label = label[first[0] : last[0], first[1] : last[1]]
    before, after = first - corner, corner + window - last
    padding = tf.stack([before, after], axis=1)
    image = tf.pad(image, tf.concat([padding, [[0, 0]]], axis=0))
    label = tf.pad(label, padding, constant_values=void)
    # antialias only matters, and only costs, when shrinking
    image = tf.cond(
        tf.reduce_any(window > tf.constant(size)),
        lambda: tf.image.resize(image, size, antialias=True),
        lambda: tf.image.resize(image, size),
    )
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
    label = tf.image.resize(label[:, :, None], size, method="nearest")[:, :, 0]
    return {**sample, "image": image, "label": label}


def random_flip(probability=0.5):
    """Mirrors photo and label left to right.

    Args:
        probability: Share of samples that are mirrored, 0..1.
    """
    tf = tensorflow()

    def transform(sample, seed):
        mirrored = tf.random.stateless_uniform((), seed) < probability
        return {
            **sample,
            "image": tf.where(mirrored, sample["image"][:, ::-1], sample["image"]),
            "label": tf.where(mirrored, sample["label"][:, ::-1], sample["label"]),
        }

    return transform


def color_jitter(brightness=0.2, contrast=0.2, saturation=0.2):
    """Changes the photo's colours; the label stays as it is.

    Args:
        brightness: Largest shift, as a share of 255.
        contrast: Largest change of the distance from the photo's mean, as a factor from 1.
        saturation: Largest change of the distance from the pixel's grey value, likewise.
    """
    tf = tensorflow()
    luma = tf.constant([0.299, 0.587, 0.114])  # ITU-R BT.601

    def transform(sample, seed):
        b, c, s = tf.unstack(tf.random.stateless_uniform((3,), seed, -1.0, 1.0))
        image = tf.cast(sample["image"], tf.float32)
        grey = tf.tensordot(image, luma, 1)[:, :, None]
        mean = tf.reduce_mean(grey)
        # saturation about the grey value, then contrast about the mean, then brightness
        image = grey + (image - grey) * (1 + s * saturation)
        image = mean + (image - mean) * (1 + c * contrast) + 255 * b * brightness
        image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
        return {**sample, "image": image}

    return transform

"""Keras' own augmentation layers as transforms."""

from __future__ import annotations

from typing import Any

from kseg.base.arguments import refused, tuples
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Transform
from kseg.data.sample import WEIGHT, maps_of, moved
from kseg.data.transforms.levels import as_image

GEOMETRIC = (
    "RandomFlip",
    "RandomPerspective",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
)


COLOUR = (
    "AutoContrast",
    "Equalization",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomContrast",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPosterization",
    "RandomSaturation",
    "RandomSharpness",
    "Solarization",
)


NEED_SIZE = ("RandomErasing", "RandomPerspective")  # when the graph is built


NEED_COLOUR = ("RandomColorDegeneration", "RandomGrayscale", "RandomHue", "RandomSaturation")


REFUSED = {
    "AugMix": "it blends labels of different geometry; use random_apply on several transforms",
    "CenterCrop": "beyond the photo it interpolates labels; use letterbox or random_crop",
    "CutMix": "it mixes a batch, and gives labels three channels; use cut_mix",
    "MixUp": "it blends labels; use cut_mix",
    "Pipeline": "give its layers one by one",
    "RandAugment": "it ignores the seed it is given; use random_apply on several transforms",
    "RandomColorJitter": "it ignores the seed it is given; use color_jitter",
    "RandomCrop": "beyond the photo it interpolates labels; use random_crop",
    "RandomElasticTransform": "it moves labels otherwise than the photo; use random_elastic",
    "Resizing": "it changes the size alone; use letterbox, or batches(size=...)",
}


def from_keras(layer: Any, void: int = 255) -> Transform:
    """One of Keras' augmentation layers as a transform, on any backend.

    Labels and masks move with the photo, by nearest neighbour. Where the layer's `fill_mode` is
    `"constant"`, new area has its `fill_value` in the photo and is void; the other modes repeat
    the photo, and its labels with it. What the layer draws follows from the sample's seed: its own
    `seed` does not matter. Outside of `tf.data` each photo size compiles anew, which takes time.

    Args:
        layer: One of AutoContrast, Equalization, RandomBrightness, RandomColorDegeneration,
            RandomContrast, RandomErasing, RandomFlip, RandomGaussianBlur, RandomGrayscale,
            RandomHue, RandomInvert, RandomPerspective, RandomPosterization, RandomRotation,
            RandomSaturation, RandomSharpness, RandomShear, RandomTranslation, RandomZoom and
            Solarization, for photos of 0..255, channels last.
        void: Label of new area.

    Raises:
        ValueError: the layer is not among these, mostly because it spoils labels, or is set up for
            other photos.

    Example:

    >>> zoom = keras.layers.RandomZoom((-0.3, 0.3), fill_mode="constant")
    >>> crop = kseg.data.transforms.random_crop((96, 96))
    >>> ds = kseg.data.batches(source, size=(96, 96), augment=[crop, from_keras(zoom)])
    """
    tf = tensorflow()
    name = _checked(layer)
    fill_value = getattr(layer, "fill_value", 0.0)

    def transformed(image, maps, seed):
        """image, float32 (1, H, W, C), and maps, float32 (1, H, W, K), by one transformation."""
        layer.backend.set_backend("tensorflow")  # as the layer does itself inside tf.data
        try:
            transformation = layer.get_random_transformation(image, seed=_seeds(seed))
            if maps is not None:
                maps = layer.transform_segmentation_masks(maps, transformation)
            return layer.transform_images(image, transformation), maps
        finally:
            layer.backend.reset()

    # Layers choose TensorFlow by themselves only while a graph is built: build one, always.
    compiled = tf.function(transformed, autograph=False)

    def transform(sample, seed):
        image = sample["image"]
        if name in NEED_COLOUR and image.shape[-1] != 3:
            expected = f"another than {name}, which knows red, green and blue alone"
            raise refused("layer", layer, expected, f"The images have {image.shape[-1]} bands.")
        if name in NEED_SIZE and not image.shape.is_fully_defined():
            raise ValueError(
                f"keras.layers.{name} must know the photo's size when the pipeline is built. Put a "
                "transform that sets it, such as random_scale_crop, before it."
            )
        maps, key, fill = None, "label", void
        if name in GEOMETRIC:
            if "masks" in sample:
                key, fill = "masks", 0
            maps = sample[key] if key == "masks" else maps_of(sample[key])
            # what the layer fills in becomes `fill` once the difference is added again
            maps = tf.cast(maps, tf.float32) - (fill - fill_value)
            if WEIGHT in sample:
                maps = tf.concat([maps, sample[WEIGHT][None] + fill_value], axis=0)
            maps = tf.transpose(maps, (1, 2, 0))[None]
        result, maps = compiled(tf.cast(image, tf.float32)[None], maps, seed)
        result = as_image(result[0], image, within=True)
        if maps is None:
            return {**sample, "image": result}
        maps = tf.transpose(maps[0], (2, 0, 1))
        weight = None
        if WEIGHT in sample:
            maps, weight = maps[:-1], tf.maximum(maps[-1:] - fill_value, 0)
        maps = tf.round(maps + (fill - fill_value))

        def move(old, fill):
            del fill  # it is in place already
            new = weight if old.dtype == tf.float32 else maps
            return tf.ensure_shape(tf.cast(new, old.dtype), old.shape)

        return moved(sample, result, move, void)

    return transform


def _checked(layer):
    """The class of Keras' own that the layer is of, if it is fit."""
    import keras

    for name in (*REFUSED, *GEOMETRIC, *COLOUR):
        if isinstance(layer, getattr(keras.layers, name, ())):
            break
    else:
        raise refused("layer", layer, f"one of Keras' layers {', '.join(GEOMETRIC + COLOUR)}")
    if name in REFUSED:
        raise refused("layer", layer, f"another than {name}: {REFUSED[name]}")
    wanted = {"compute_dtype": "float32", "data_format": "channels_last", "value_range": (0, 255)}
    for key, value in wanted.items():
        given = tuples(getattr(layer, key, value))
        if given != value:
            key = "dtype" if key == "compute_dtype" else key
            raise refused(f"{key} of {name}", given, repr(value))
    return name


def _seeds(seed):
    """A `keras.random.SeedGenerator` whose numbers all follow from one stateless seed."""
    import keras

    tf = tensorflow()

    class Seeds(keras.random.SeedGenerator):
        def __init__(self):
            self.drawn = 0  # no variable, and no state beyond the graph being built

        def next(self, ordered=True):
            self.drawn += 1
            return tf.random.experimental.stateless_fold_in(seed, self.drawn)

    return Seeds()

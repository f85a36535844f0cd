"""A photo, or every photo of a `Source`, as a worse camera or another day would have given it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from kseg.base.arguments import choice, integer, number, refused
from kseg.base.tensorflow import converted, tensorflow
from kseg.base.types import Range
from kseg.data.images import image_tensor
from kseg.data.sample import MAPS, WEIGHT, decoded, without_empty
from kseg.data.source import Source, check_is_source
from kseg.data.transforms.corrupt import blur, digital, noise, weather
from kseg.data.values import BYTE_RANGE, check_value_range, numbers

KINDS = {
    "noise": (noise.gaussian_noise, noise.shot_noise, noise.impulse_noise),
    "blur": (blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur),
    "weather": (weather.snow, weather.frost, weather.fog, weather.brightness),
    "digital": (
        digital.contrast,
        digital.elastic_transform,
        digital.pixelate,
        digital.jpeg_compression,
    ),
}
CORRUPTIONS = tuple(each.__name__ for kind in KINDS.values() for each in kind)  # the fifteen
BEYOND = (weather.rain, weather.night)
FUNCTIONS = {each.__name__: each for each in (*(f for k in KINDS.values() for f in k), *BEYOND)}
SEVERITIES = (1, 2, 3, 4, 5)
SEED = "corruption_seed"  # column of a corrupted source


def corrupt(
    image: np.ndarray,
    name: str,
    severity: int = 3,
    *,
    seed: int = 0,
    value_range: Range | None = None,
) -> np.ndarray:
    """A photo under one of the fifteen common corruptions, or rain or night.

    Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations" (arXiv:1903.12261), with their strengths, for photos of any size: radii are in
    pixels whatever the size, as in the package imagecorruptions. Frost is drawn, in the colours of
    the published pictures of it. `"rain"` and `"night"` are kseg's own.

    Args:
        image: `(H, W)` or `(H, W, bands)`, of numbers as `kseg.predict` takes them.
        name: One of `kseg.data.CORRUPTIONS`, or `"rain"` or `"night"`.
        severity: 1 to 5.
        seed: The same number gives the same photo.
        value_range: `(low, high)` of black and white among the numbers. Default None: 0..255.

    Returns:
        An array of the photo's shape: uint8, or with a `value_range` the photo's own type.

    Raises:
        ValueError: there is no such corruption, the array is no photo, or JPEG is asked for of
            what no JPEG can hold.

    Example:

    >>> photo = np.full((48, 64, 3), 128, "uint8")
    >>> foggy = kseg.data.corrupt(photo, "fog", severity=5)
    >>> foggy.shape, foggy.dtype, bool(foggy.std() > 10)
    ((48, 64, 3), dtype('uint8'), True)
    """
    choice("name", name, tuple(FUNCTIONS))
    integer("severity", severity, high=len(SEVERITIES))
    integer("seed", seed, low=0)
    value_range = check_value_range(value_range)
    array = np.asarray(image)
    if array.ndim not in (2, 3) or not array.size:
        raise refused("image", array, "a photo (height, width) or (height, width, bands)")
    photo = numbers(array, value_range)
    _check_bands(name, photo.shape[2] if photo.ndim == 3 else 1, value_range)
    return _corrupted(photo, FUNCTIONS[name], severity - 1, (seed,), value_range)


def corrupted(source: Source, name: str, severity: int = 3, *, seed: int = 0) -> Source:
    """A `Source` whose photos are corrupted, by `kseg.data.corrupt`; labels stay what they are.

    But for `"elastic_transform"`, which moves pixels: labels and masks move with them. It is read
    as the set itself is, photo by photo, so `kseg.evaluate`, `kseg.predict`, `kseg.check` and
    `kseg.data.convert` take it.

    Args:
        source: The set.
        name, severity: As of `kseg.data.corrupt`.
        seed: With it and a photo's position in the set, the same photo comes out each time.

    Raises:
        TypeError: `source` is none.
        ValueError: as of `kseg.data.corrupt`.

    Example:

    >>> foggy = kseg.data.corrupted(kseg.data.shapes("val", count=4), "fog", severity=5)
    >>> foggy.name, foggy[0]["image"].shape
    ('shapes/val, fog 5', (96, 96, 3))
    """
    check_is_source("source", source)
    function = FUNCTIONS[choice("name", name, tuple(FUNCTIONS))]
    severity = integer("severity", severity, high=len(SEVERITIES)) - 1
    integer("seed", seed, low=0)
    _check_bands(name, source.channels, source.value_range)

    def photo_of(image, own):
        return _corrupted(image, function, severity, (seed, int(own)), source.value_range)

    def map_of(maps, own):  # (H, W, K), where the photo's own displacement takes them
        random = np.random.default_rng((seed, int(own)))
        away = digital.displacement(maps.shape[:2], severity, random)
        return digital.moved(maps, away, order=0)

    moves = map_of if function is digital.elastic_transform else None
    return changed(source, f"{source.name}, {name} {severity + 1}", photo_of, moves)


def rescaled(source: Source, factor: float) -> Source:
    """A `Source` whose photos are enlarged or shrunk, bilinearly, and their labels with them.

    Args:
        source: The set.
        factor: Of both sides, above 0.

    Example:

    >>> kseg.data.rescaled(kseg.data.shapes("val", count=4), 0.5)[0]["label"].shape
    (48, 48)
    """
    check_is_source("source", source)
    number("factor", factor, above=0, at_most=16)

    def sides(maps):
        return [max(1, round(side * factor)) for side in maps.shape[:2]]

    def photo_of(image, own):
        from PIL import Image

        from kseg.data.transforms.corrupt.fields import resized

        small = resized(image.astype(np.float32), sides(image), Image.Resampling.BILINEAR)
        return _as_numbers(small, image.dtype)

    def map_of(maps, own):  # the pixel whose area holds the new one's centre
        rows, columns = (
            np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
            for new, old in zip(sides(maps), maps.shape)
        )
        return maps[rows][:, columns]

    return changed(source, f"{source.name}, scale {factor:g}", photo_of, map_of)


def exposed(source: Source, factor: float) -> Source:
    """A `Source` whose photos have so many times their light; what becomes too light is white.

    Args:
        source: The set.
        factor: Of each number above black, above 0.

    Example:

    >>> dark = kseg.data.exposed(kseg.data.shapes("val", count=4), 0.25)
    >>> bool(dark[0]["image"].max() <= 64)
    True
    """
    check_is_source("source", source)
    number("factor", factor, above=0)
    low, high = source.value_range or BYTE_RANGE

    def photo_of(image, own):
        lit = np.clip(low + (image.astype(np.float64) - low) * factor, low, high)
        return _as_numbers(lit, image.dtype)

    return changed(source, f"{source.name}, exposure {factor:g}", photo_of, None)


def changed(
    source: Source, name: str, photo_of: Callable, map_of: Callable | None = None
) -> Source:
    """A `Source` of which each photo is changed when it is read.

    Args:
        source: The set.
        name: Of the new one.
        photo_of: Function `(photo, number) -> photo` of arrays `(H, W, bands)`, of one type; the
            number is the photo's position in the set.
        map_of: Likewise of labels and masks `(H, W, K)`; None where they stay.
    """
    tf = tensorflow()
    decode = converted(source.decode)

    def apply(function, values, own):
        new = tf.numpy_function(function, [values, own], values.dtype, stateful=False)
        new.set_shape((None, None, values.shape[-1]))
        return new

    def read(row):
        sample = dict(decode(row))
        own, image = (
            row[SEED],
            image_tensor(tf.convert_to_tensor(sample["image"]), source.value_range),
        )
        sample = decoded({**sample, "image": image})
        sample["image"] = apply(photo_of, sample["image"], own)
        if map_of is None:
            return sample
        for key in (*MAPS, WEIGHT):
            if key in sample:
                sample[key] = _map(lambda maps: apply(map_of, maps, own), key, sample[key])
        if "masks" in sample:
            sample.setdefault("crowd", tf.zeros_like(sample["classes"], tf.bool))
            sample = without_empty(sample)
        return sample

    columns = {SEED: np.arange(len(source)), **source.columns}
    # boxes and areas that a file says are of the objects where they were
    annotated = source.annotated if map_of is None else None
    return dataclasses.replace(source, name=name, columns=columns, decode=read, annotated=annotated)


def _map(change, key, maps):
    """A label `(H, W)` or `(H, W, C)`, or masks `(N, H, W)`, through a change of `(H, W, K)`."""
    tf = tensorflow()
    if key == "masks":
        return tf.transpose(change(tf.transpose(maps, (1, 2, 0))), (2, 0, 1))
    return change(maps[..., None])[..., 0] if len(maps.shape) == 2 else change(maps)


def _corrupted(photo, function, severity, seeds, value_range):
    """An array of a photo's numbers, corrupted: of the same type and range."""
    low, high = value_range or BYTE_RANGE
    levels = (photo.astype(np.float32) - low) / (high - low)
    levels = levels if levels.ndim == 3 else levels[..., None]
    worse = function(levels, severity, np.random.default_rng(seeds))
    worse = np.clip(worse, 0, 1).reshape(photo.shape) * (high - low) + low
    return _as_numbers(worse, photo.dtype)


def _as_numbers(values, kind):
    return (np.rint(values) if kind.kind in "ui" else values).astype(kind)


def _check_bands(name, bands, value_range):
    """Raises `ValueError` for a JPEG of what no JPEG can hold."""
    if name == digital.jpeg_compression.__name__ and (
        value_range is not None or bands not in (None, 1, 3)
    ):
        what = f"{bands} bands" if value_range is None else f"numbers of {value_range}"
        expected = f"another corruption for photos of {what}: JPEG holds 1 or 3 bands of 8 bits"
        raise refused("name", name, expected, "Leave it out.")

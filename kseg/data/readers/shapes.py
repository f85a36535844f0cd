"""Generated scenes with exact masks: a data set that needs no download, no file and no licence.

A scene is a handful of disks, rings, squares, triangles and crosses that hide one another on a
textured background, under a slanted light and a little noise. Colours and textures are drawn
without regard to the class, so the shape alone tells one class from another; bevelled edges make it
plain enough for a small network to learn within minutes on a CPU. A pixel belongs to a shape when
its centre does, and image, labels and instances are painted with the same mask.

The same seed gives the same bytes on every machine and under every NumPy version. Two rules keep it
so, and whoever edits this file must keep them:

- randomness comes from `RandomState.random_sample` alone, a stream that NumPy has frozen;
- floats are float64 and meet only `+ - * /`, square root, floor, comparison, minimum and maximum,
  which IEEE 754 fixes to the last bit: no sine, no power, no sum over an array.

Axes: H, W the scene; h, w the window of one object; N the objects in view.
"""

from __future__ import annotations

import concurrent.futures
import math

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import integer, refused
from kseg.base.tensorflow import tensorflow
from kseg.base.types import Size
from kseg.data.errors import no_split
from kseg.data.sample import classes_under, masks_of
from kseg.data.source import Source

CLASS_NAMES = ("background", "disk", "ring", "square", "triangle", "cross")


COLORS = (  # Okabe and Ito's palette, which colour-blind readers can tell apart, on dark slate
    (38, 42, 54),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
)


KEYS = ("image", "label", "instances")  # of a scene, each (H, W) or (H, W, 3)


COUNTS = {"train": 400, "val": 100}  # scenes in a split when `count` is not given


MIN_SIDE = 16  # pixels; shapes drawn any smaller could not be told apart


MIN_VISIBLE = 12  # pixels; an object that shows fewer is left out of the scene


def shapes(
    split: str = "train",
    *,
    size: Size = (96, 96),
    count: int | None = None,
    seed: int = 0,
    instances: bool = False,
) -> Source:
    """Scenes of five overlapping shapes on a textured background, with exact labels.

    Args:
        split: `"train"` (the default) or `"val"`; the two share no scene, whatever their seeds.
        size: `(height, width)` of every image in pixels, each at least 16. Default `(96, 96)`.
        count: number of scenes; by default 400 in `"train"` and 100 in `"val"`. The first scenes
            are the same whatever the count.
        seed: integer from 0 to 2**31 - 1 that picks the scenes. Default 0.
        instances: whether samples hold objects (an instance source of the five shapes) in place of
            labels. Default False.

    Returns:
        A `Source` of six classes (`CLASS_NAMES`) and no void pixel, or of instances of the five
        shapes, the nearest first.

    Raises:
        ValueError: if an argument is none of the above.

    Example:

    >>> source = kseg.data.shapes("val", size=(64, 80), count=8)
    >>> len(source), source.num_classes, source[0]["image"].shape
    (8, 6, (64, 80, 3))
    """
    if split not in COUNTS:
        raise no_split(split, f"one of {', '.join(map(repr, COUNTS))}")
    size = _checked_size(size)
    count = COUNTS[split] if count is None else integer("count", count, high=2**32)
    seed = integer("seed", seed, low=0, high=2**31 - 1)

    split_seed = 2 * seed + list(COUNTS).index(split)  # even: train, odd: val
    # on all cores: NumPy lets go of the lock, and each scene has its own seed
    with concurrent.futures.ThreadPoolExecutor() as pool:
        scenes = list(pool.map(lambda index: draw_scene(split_seed, index, size), range(count)))
    classes = 1 if instances else 0  # the background is no object
    return Source(
        name=f"shapes/{split}",
        columns={key: np.stack([scene[key] for scene in scenes]) for key in KEYS[: 2 + instances]},
        decode=_decode_instances if instances else _decode,
        class_names=CLASS_NAMES[classes:],
        colors=COLORS[classes:],
        ids=tuple(f"{split}-{index:05d}" for index in range(count)),
        task="instance" if instances else "semantic",
    )


def draw_scene(seed, index, size=(96, 96), max_objects=6):
    """One scene of `shapes`, in NumPy alone.

    Args:
        seed: integer from 0 to 2**32 - 1. `shapes(split, seed=s)` draws its train scenes with
            `2 * s` and its val scenes with `2 * s + 1`.
        index: integer from 0 to 2**32 - 1, the number of the scene under that seed.
        size: `(height, width)` in pixels, each at least 16. Default `(96, 96)`.
        max_objects: most objects in the scene, 1 to 255; at least half as many are attempted.
            Default 6.

    Returns:
        A dict of `"image"`, uint8 `(H, W, 3)`; `"label"`, uint8 class ids `(H, W)`; `"instances"`,
        uint16 `(H, W)`, 0 on the background and i + 1 on object i; and `"classes"`, uint8 `(N,)`,
        the class id of object i. Objects run from the nearest to the farthest, and each shows at
        least 12 pixels.

    Raises:
        ValueError: if an argument is none of the above.

    Example:

    >>> from kseg.data.readers.shapes import CLASS_NAMES, draw_scene
    >>> [CLASS_NAMES[class_id] for class_id in draw_scene(seed=0, index=3)["classes"]]
    ['disk', 'square', 'cross', 'disk', 'triangle']
    """
    seed = integer("seed", seed, low=0, high=2**32 - 1)
    index = integer("index", index, low=0, high=2**32 - 1)
    height, width = _checked_size(size)
    max_objects = integer("max_objects", max_objects, high=255)

    side = min(height, width)
    draw = np.random.RandomState([seed, index]).random_sample
    y = np.arange(height)[:, None] + 0.5  # (H, 1) pixel centres
    x = np.arange(width)[None, :] + 0.5  # (1, W)

    hue = draw()
    palette = _palette(draw, hue, saturation=0.2 + 0.35 * draw(), value=0.55 + 0.3 * draw())
    image = _textured(draw, y, x, palette, period=side * (0.06 + 0.1 * draw()))  # (H, W, 3)
    instances = np.zeros((height, width), np.uint16)
    classes = []

    # Nearest first: an object shows wherever no earlier one does, so each pixel is painted once.
    fewest = (max_objects + 1) // 2
    for _ in range(fewest + int((max_objects - fewest + 1) * draw())):
        class_id, window, mask, paint = _draw_object(draw, y, x, side, hue)
        visible = mask & (instances[window] == 0)  # (h, w)
        if np.count_nonzero(visible) >= MIN_VISIBLE:
            classes.append(class_id)
            instances[window][visible] = len(classes)
            image[window][visible] = paint[visible]

    along, _ = _turned(draw, y - height / 2, x - width / 2)  # (H, W)
    _shaded(image, 1 + 0.35 * along / max(height, width))  # light falls off to one side
    grain = draw((height, width, 3))
    grain *= 16
    image += np.subtract(grain, 8, out=grain)
    return {
        "image": np.clip(image, 0, 255, out=image).astype(np.uint8),
        "label": np.array([0, *classes], np.uint8)[instances],
        "instances": instances,
        "classes": np.array(classes, np.uint8),
    }


def _draw_object(draw, y, x, side, background_hue):
    """Draws one object: its class id, its window of the scene, and its mask and paint in there."""
    class_id = 1 + int((len(CLASS_NAMES) - 1) * draw())
    radius = 3 + side * (0.11 + 0.13 * draw())  # of the circle around the shape
    center_y = radius / 2 + (y.size - radius) * draw()
    center_x = radius / 2 + (x.size - radius) * draw()
    rows = slice(max(math.floor(center_y - radius), 0), math.ceil(center_y + radius))
    columns = slice(max(math.floor(center_x - radius), 0), math.ceil(center_x + radius))
    y = y[rows] - center_y  # (h, 1)
    x = x[:, columns] - center_x  # (1, w)
    depth = _depth(class_id, *_turned(draw, y, x), radius)  # (h, w)

    hue = background_hue + 0.12 + 0.76 * draw()  # unlike the background's
    palette = _palette(draw, hue, saturation=0.4 + 0.35 * draw(), value=0.72 + 0.26 * draw())
    paint = _textured(draw, y, x, palette, period=radius * (0.25 + 0.3 * draw()))  # (h, w, 3)
    relief = 0.5 + 0.5 * np.minimum(np.maximum(depth, 0) / (0.5 * radius), 1)  # bevelled edges
    return class_id, (rows, columns), depth >= 0, _shaded(paint, relief)


def _depth(class_id, u, v, radius):
    """Depth in pixels below the outline of a shape around the origin; negative outside it."""
    name = CLASS_NAMES[class_id]
    if name in ("disk", "ring"):
        distance = np.sqrt(u * u + v * v)
        outer = radius - distance
        return outer if name == "disk" else np.minimum(outer, distance - 0.5 * radius)
    u = np.abs(u)
    if name == "triangle":  # its three sides are half a radius from the centre
        return 0.5 * radius - np.maximum(v, math.sqrt(0.75) * u - 0.5 * v)
    v = np.abs(v)
    long, short = np.maximum(u, v), np.minimum(u, v)
    if name == "square":
        return 0.7 * radius - long
    return np.minimum(0.94 * radius - long, 0.33 * radius - short)  # cross


def _textured(draw, y, x, colors, period):
    """Paints (h, w, 3) a random texture that runs between two colours, turned at random."""
    u, v = _turned(draw, y / period, x / period)  # in periods
    i, j = np.floor(u), np.floor(v)
    kind = int(4 * draw())
    if kind == 0:  # value noise: random corners of 8 by 8 cells that repeat, blended smoothly
        corners = draw((8, 8))
        s, t = u - i, v - j
        s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
        i0, j0 = i.astype(np.int64) & 7, j.astype(np.int64) & 7
        i1, j1 = (i0 + 1) & 7, (j0 + 1) & 7
        near = corners[i0, j0] * (1 - t) + corners[i0, j1] * t
        far = corners[i1, j0] * (1 - t) + corners[i1, j1] * t
        mix = near * (1 - s) + far * s
    elif kind == 1:  # waves: up and down again every six periods
        wave = u / 6
        mix = np.abs(2 * (wave - np.floor(wave)) - 1)
    else:  # checks or stripes
        parity = (i + j if kind == 2 else i).astype(np.int64) & 1
        mix = parity.astype(np.float64)
    painted = np.empty((*mix.shape, 3))
    for channel, (first, second) in enumerate(zip(*colors)):  # faster than along the last axis
        painted[..., channel] = first + (second - first) * mix
    return painted


def _shaded(painted, light):
    """`painted` (h, w, 3) times `light` (h, w), in place."""
    for channel in range(3):
        painted[..., channel] *= light
    return painted


def _turned(draw, y, x):
    """Coordinates (u, v) of the points (y, x) in a frame turned by a random angle."""
    squared = 0
    while not 0 < squared <= 1:  # a point of the unit disk: every direction is equally likely
        a, b = 2 * draw() - 1, 2 * draw() - 1
        squared = a * a + b * b
    a, b = a / math.sqrt(squared), b / math.sqrt(squared)
    return a * y + b * x, a * x - b * y


def _palette(draw, hue, saturation, value):
    """Two colours, the second somewhat darker and of a neighbouring hue."""
    second = _color(hue + 0.16 * draw() - 0.08, saturation, value * (0.95 - 0.2 * draw()))
    return _color(hue, saturation, value), second


def _color(hue, saturation, value):
    """RGB (3,) in 0..255 of a colour whose hue goes round once from 0 to 1."""
    turn = 6 * (hue - math.floor(hue))
    steps = [n + turn - 6 if n + turn >= 6 else n + turn for n in (5, 3, 1)]
    return 255 * value * np.array([1 - saturation * max(0, min(k, 4 - k, 1)) for k in steps])


def _decode(row):
    return {"image": row["image"], "label": row["label"]}


def _decode_instances(row):
    tf = tensorflow()
    instances = tf.cast(row["instances"], tf.int32)
    keys = tf.range(1, tf.reduce_max(instances) + 1)
    classes = classes_under(instances, row["label"], keys) - 1
    return {"image": row["image"], "masks": masks_of(instances, keys), "classes": classes}


def _checked_size(size):
    sides = arguments.size("size", size)
    if min(sides) < MIN_SIDE:
        raise refused("size", size, f"(height, width) of at least {MIN_SIDE} pixels each")
    return sides

"""Colours: of classes, of single objects, and of what surrounds them in pictures and charts."""

import functools

import numpy as np

INK, PAPER = (30, 30, 30), (255, 255, 255)
NOT_SCORED = (120, 120, 120)  # void, and crowds of objects
GRID = (225, 225, 225)

# Names of what is no thing of its own, and may be as black as it likes
GROUNDS = ("background", "bg", "void", "unlabeled", "unlabelled", "ignore", "ignored", "none")
# Okabe and Ito, "Color Universal Design", 2008: told apart by all kinds of eyes. Without its black,
# and without its yellow, which white paper swallows.
FIRST = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (86, 180, 233),
)
LIGHTNESS = (35, 85)  # of CIELAB: seen on black and on white
# Linear RGB as people see it who lack the cones for long, middle or short waves: Machado, Oliveira,
# Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009
EYES = (
    np.eye(3),
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.052],
    ],
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
)
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]  # sRGB, D65


def class_colors(names):
    """A colour for each class: black for a background, for all others colours told apart by eye.

    Args:
        names: Of the classes.

    Example:

    >>> class_colors(["background", "cat", "dog"])
    ((0, 0, 0), (0, 114, 178), (230, 159, 0))
    >>> class_colors(["cat", "dog"])
    ((0, 114, 178), (230, 159, 0))
    """
    is_ground = [str(name).strip("_ ").lower() in GROUNDS for name in names]
    colors = iter(distinct_colors(len(is_ground)))
    return tuple((0, 0, 0) if ground else next(colors) for ground in is_ground)


@functools.cache
def distinct_colors(count):
    """`count` colours, each as far as can be from those before, also for colour-blind eyes.

    Those of `FIRST`, then the colour of a grid whose least distance to all before, in CIELAB and by
    the worst of all kinds of eyes, is largest. None is black, white or grey. Beyond the colours of
    the grid, some thousands, they come again.
    """
    steps = np.linspace(0, 255, 18).round().astype(int)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    light = _lab(grid)[0][:, 0]
    grid = grid[(light >= LIGHTNESS[0]) & (light <= LIGHTNESS[1])]
    chosen, views = list(FIRST), _lab(grid)
    nearest = np.full(len(grid), np.inf)
    for color in (INK, PAPER, NOT_SCORED, *chosen):
        nearest = np.minimum(nearest, _distance(views, color))
    while len(chosen) < min(count, len(grid)):
        chosen.append(tuple(map(int, grid[np.argmax(nearest)])))
        nearest = np.minimum(nearest, _distance(views, chosen[-1]))
    return tuple(chosen[index % len(chosen)] for index in range(count))


def _distance(views, color):
    """From colours, as `_lab` gives them, to one: by the eyes that see it least."""
    other = _lab(np.array([color]))
    return np.min([np.linalg.norm(a - b, axis=-1) for a, b in zip(views, other)], axis=0)


def _lab(colors):
    """sRGB 0..255 `(N, 3)` -> CIELAB `(N, 3)` for each of `EYES`."""
    share = np.asarray(colors) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    views = []
    for eye in EYES:
        seen = np.clip(linear @ np.transpose(eye), 0, 1)
        xyz = seen @ np.transpose(TO_XYZ) / np.sum(TO_XYZ, axis=1)
        root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        x, y, z = np.moveaxis(root, -1, 0)
        views.append(np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1))
    return views


def voc_colors(count):
    """The first `count` colours of Pascal VOC: bit-reversed counting in three channels.

    >>> voc_colors(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    colors = []
    for index in range(count):
        rgb = [0, 0, 0]
        for bit in range(8):  # three bits of the index at a time, most significant output first
            for channel in range(3):
                rgb[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colors.append(tuple(rgb))
    return tuple(colors)


def object_colors(crowd):
    """A colour for each object; grey for a crowd, which is no object of its own.

    Args:
        crowd: bool `(N,)`.

    Returns:
        List of N colours, RGB 0..255.

    Example:

    >>> object_colors([False, True])
    [(0, 114, 178), (120, 120, 120)]
    """
    colors = distinct_colors(len(crowd))
    return [NOT_SCORED if many else color for many, color in zip(crowd, colors)]

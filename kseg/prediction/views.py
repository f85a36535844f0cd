"""A photo seen several ways, mirrored and at other scales, for one answer: test-time augmentation.

What to average, of the pixels' probabilities, is what `tta` asks for: each scale as it is, and
mirrored each way.
"""

import itertools

import numpy as np

from kseg.base.arguments import number, refused

AXES = {"horizontal": 1, "vertical": 0}  # of `(H, W, ...)`, along which a photo is mirrored
LEAST, MOST = 0.1, 10.0  # scales


def check_tta(tta, scales=True):
    """What `tta` asks for: a tuple of scales, and one of sets of mirrored axes.

    Args:
        tta: None, or names of `AXES` and numbers.
        scales: Whether numbers may be among them.

    Raises:
        ValueError: it is something else.

    Example:

    >>> check_tta(("horizontal", 0.5))
    ((1.0, 0.5), ((), (1,)))
    """
    if tta is None:
        return (1.0,), ((),)
    names = " or ".join(map(repr, AXES))
    expected = f"a sequence of {names}" + (", and of scales as 0.75" if scales else "")
    several = (tta,) if isinstance(tta, (str, int, float)) else tta
    try:
        several = tuple(several)
        axes = [AXES[each] for each in several if isinstance(each, str)]
        sizes = [
            number("tta", each, at_least=LEAST, at_most=MOST)
            for each in several
            if not isinstance(each, str)
        ]
    except (KeyError, TypeError, ValueError):
        raise refused("tta", tta, expected) from None
    if sizes and not scales:
        raise refused("tta", tta, expected, "An instance model says its scale as resize.")
    axes = sorted(set(axes))
    mirrored = [each for n in range(len(axes) + 1) for each in itertools.combinations(axes, n)]
    return (1.0, *(size for size in dict.fromkeys(map(float, sizes)) if size != 1)), tuple(mirrored)


def averaged(image, views, probabilities):
    """The mean of what a function says of a photo, seen several ways.

    Args:
        image: `(H, W, channels)`.
        views: As of `check_tta`.
        probabilities: Function of a photo and a scale to float32 `(H, W, C)`.
    """
    scales, mirrored = views
    total = None
    for scale, axes in itertools.product(scales, mirrored):
        seen = np.flip(image, axes) if axes else image
        found = probabilities(np.ascontiguousarray(seen), scale)
        found = np.flip(found, axes) if axes else found
        total = np.array(found, np.float32) if total is None else total + found
    return total / np.float32(len(scales) * len(mirrored))


def unmirrored(found, axes, size):
    """The objects of a mirrored photo where they are in the photo: boxes, classes, scores, masks.

    Args:
        found: `Instances` whose masks are `Pasted`.
        axes: Along which the photo was mirrored.
        size: `(H, W)` of it.
    """
    boxes, small = found.boxes.copy(), found.each_mask().small
    height, width = size
    if 1 in axes:
        boxes[:, [0, 2]], small = width - boxes[:, [2, 0]], small[:, :, ::-1]
    if 0 in axes:
        boxes[:, [1, 3]], small = height - boxes[:, [3, 1]], small[:, ::-1]
    return boxes, found.classes, found.scores, small

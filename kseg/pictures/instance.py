"""Objects on their photo: each in a colour of its own, with its box and a caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from kseg.base.colors import INK, PAPER, object_colors
from kseg.pictures.image import overlay, picture_of

OPTIONS = {}
PANELS = ("photo", "truth", "prediction")
WIDEST_CAPTION = 1.5  # times its box


def objects(
    image: np.ndarray,
    masks: ArrayLike | Sequence[ArrayLike],
    boxes: ArrayLike,
    *,
    crowd: ArrayLike | None = None,
    captions: Sequence[str] | None = None,
    opacity: float = 0.5,
) -> np.ndarray:
    """Lays a colour of its own over each object of a photo, draws its box and writes its caption.

    Args:
        image: uint8 `(H, W, 3)`.
        masks: `(N, H, W)`, zero outside the object; or a sequence of N masks, which are taken one
            by one, as of `kseg.prediction.results.Instances.each_mask`.
        boxes: `(N, 4)`, x1, y1, x2, y2 in pixels, x2 and y2 exclusive.
        crowd: bool `(N,)`, true for a region of many objects, which is grey; None for none.
        captions: A line of text for each object, such as `captions` makes; None for none.
        opacity: Share of the colour, 0..1.

    Returns:
        uint8 `(H, W, 3)`.
    """
    crowd = np.zeros(len(masks), bool) if crowd is None else np.asarray(crowd)
    colors = object_colors(crowd)
    # small objects last, so that none is lost under a large one; crowds below them all
    areas = [np.count_nonzero(_part(masks, index)[-1]) for index in range(len(masks))]
    order = sorted(range(len(masks)), key=lambda i: (not crowd[i], -areas[i]))
    top = np.full(np.shape(image)[:2], -1, np.int32)
    for index in order:
        rows, columns, inside = _part(masks, index)
        top[rows, columns][inside] = index
    picture = Image.fromarray(overlay(image, top, colors, opacity=opacity, void=-1))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(picture.width / 250))
    for index in order:
        x1, y1, x2, y2 = map(int, boxes[index])
        if x2 > x1 and y2 > y1:
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=colors[index], width=width)
    if captions is not None:
        font = ImageFont.load_default(max(11, picture.width // 50))
        for index in order:  # after all boxes, so that none crosses them
            _caption(draw, captions[index], boxes[index], colors[index], picture.size, font)
    return np.asarray(picture)


def _part(masks, index):
    """Rows and columns of a mask, two slices, and which pixels there are the object's, bool."""
    if hasattr(masks, "part"):  # it draws its own rectangle, and no more
        rows, columns, values = masks.part(index)
        return rows, columns, values != 0
    return slice(None), slice(None), np.asarray(masks[index]) != 0


def captions(
    class_names: Sequence[str],
    classes: Sequence[int] | np.ndarray,
    scores: Sequence[float] | np.ndarray | None = None,
) -> list[str]:
    """The name of each object's class, and its score if there is one.

    Args:
        class_names: Name of each class.
        classes: Class id of each object, `(N,)`.
        scores: Score of each object, `(N,)`; None for none.

    Returns:
        A list of N lines.

    Example:

    >>> captions(("cat", "dog"), [1, 0], [0.987, 0.5])
    ['dog 0.99', 'cat 0.50']
    """
    names = [class_names[class_id] for class_id in classes]
    if scores is None:
        return names
    return [f"{name} {score:.2f}" for name, score in zip(names, scores)]


def _caption(draw, text, box, color, size, font):
    """Writes text on a strip of the object's colour, above its box where there is room; none by a
    box that is much narrower, for captions of small objects would hide one another."""
    x1, y1 = map(int, box[:2])
    width, height = font.getlength(text) + 4, sum(font.getmetrics())
    if width > WIDEST_CAPTION * (box[2] - x1):
        return
    x = max(0, min(x1, size[0] - width))
    y = y1 - height if y1 >= height else max(0, min(y1, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=color)
    dark = np.dot(color, (0.299, 0.587, 0.114)) < 128  # luma of BT.601
    draw.text((x + 2, y), text, PAPER if dark else INK, font)


def truth(source, sample):
    """The photo of a sample with its objects and their classes: uint8 `(H, W, 3)`."""
    names = captions(source.class_names, sample["classes"])
    masks, boxes, crowd = (sample[key] for key in ("masks", "boxes", "crowd"))
    picture = picture_of(source, sample)
    return objects(picture, masks, boxes, crowd=crowd, captions=names)


def predicted(image, instances, class_names, colors, void):
    """A photo with the objects that `kseg.predict` found, their classes and scores.

    Args:
        image: uint8 `(H, W, 3)`.
        instances: `kseg.prediction.results.Instances` of that photo.
        class_names: Name of each class.
        colors, void: Of the classes; objects have colours of their own.
    """
    names = captions(class_names, instances.classes, instances.scores)
    return objects(image, instances.each_mask(), instances.boxes, captions=names)


def panels(source, sample, instances):
    """What `PANELS` says, of a sample and the objects predicted for it."""
    image = picture_of(source, sample)
    names, colors, void = source.class_names, source.colors, source.void
    return [image, truth(source, sample), predicted(image, instances, names, colors, void)]


def legend(source, width):
    """None: the captions name the classes."""
    return None

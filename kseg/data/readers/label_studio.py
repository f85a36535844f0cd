"""Tasks of Label Studio, as its export named JSON holds them: what is drawn on a photo, in per cent
(https://labelstud.io/guide/task_format)."""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from kseg.base.shown import counted
from kseg.data.drawn import Shape, ellipse, polygon_of
from kseg.data.listing import PHOTOS
from kseg.data.texts import text_of

AREALESS = ("keypointlabels", "vectorlabels")
UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # before the name of a photo that was uploaded
DRAWN = 128  # alpha of a brush's pixel, whose border is soft


def is_task(content):
    """Whether the content of a JSON file, or a line of it, is a task with annotations."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("data"), dict)
        and isinstance(content.get("annotations", content.get("completions")), list)
    )


def tasks_of(file):
    """The tasks in a JSON file, a list; None if it is of something else."""
    text = text_of(file)
    if not text.lstrip()[:1] == "[":  # the files of others are objects, and large
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if content and all(map(is_task, content)) else None


def photo_of(task):
    """The name or address of a task's photo, without what Label Studio puts round it.

    Raises:
        ValueError: there is none.
    """
    for value in task["data"].values():
        if not isinstance(value, str):
            continue
        parts = urlsplit(value)
        local = parse_qs(parts.query).get("d")  # /data/local-files/?d=folder/photo.jpg
        name = unquote(local[0] if local else parts.path)
        if name.lower().endswith(PHOTOS):
            return name
    raise ValueError(f"data={task['data']!r:.80}; expected the path of a photo among it")


def without_upload(name):
    """A photo's name as it was before it was uploaded; the same where it was not."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{UPLOADED.sub('', last)}"


def draw(drawing, task):
    """Adds what is drawn in a task to a `Drawing`; whether somebody has annotated it at all.

    Of several annotations of one photo the last that was not cancelled counts, and one that is
    marked as the truth before others.

    Raises:
        KeyError, TypeError, ValueError: a region is damaged, or of a kind that is not read.
    """
    done = task.get("annotations", task.get("completions"))
    done = [each for each in done if not each.get("was_cancelled")]
    if not done:
        return False
    if len(done) > 1:
        said = f"has {len(done)} annotations, of which one counts: the truth, or else the last"
        drawing.problems.append(("several_annotations", f"{drawing.photo} {said}."))
    chosen = next((each for each in done if each.get("ground_truth")), done[-1])
    for number, region in enumerate(chosen.get("result") or []):
        kind = str(region.get("type", ""))
        value = region.get("value")
        if not isinstance(value, dict) or kind not in (*READ, *AREALESS):
            continue  # a choice, a text, a relation
        label = _label(value, kind, number)
        if kind in AREALESS:
            what = f"{drawing.photo}: region {number}, {label!r}, has no area, and is left out."
            drawing.problems.append(("empty_instance", what))
            continue
        if region.get("image_rotation"):
            raise ValueError(
                f"region {number}: image_rotation={region['image_rotation']!r}: drawn on a photo "
                "that Label Studio has turned, which is not read: turn the file itself"
            )
        drawing.size = size = _size(region, drawing.size, number)
        shape = READ[kind](label, value, size)
        if shape is None:
            what = f"{drawing.photo}: region {number} has fewer than 3 points, and is left out."
            drawing.problems.append(("empty_instance", what))
        else:
            drawing.shapes.append(shape)
    return True


def _label(value, kind, number):
    labels = value.get(kind, value.get("labels"))
    if not (isinstance(labels, list) and len(labels) == 1 and isinstance(labels[0], str)):
        found = counted(len(labels), "label") if isinstance(labels, list) else "no label"
        raise ValueError(f"region {number} has {found}; expected one")
    return labels[0]


def _size(region, size, number):
    """Height and width that a region is drawn for; those of the photo, of old exports."""
    sides = region.get("original_height", size[0]), region.get("original_width", size[1])
    if not all(type(side) in (int, float) and side >= 1 for side in sides):
        raise ValueError(f"region {number}: original_height, original_width={sides}; expected both")
    return tuple(map(round, sides))


def _polygon(label, value, size):
    points = np.asarray(value["points"], np.float64).reshape(-1, 2) / 100
    polygon = polygon_of(points * (size[1], size[0]))
    return None if polygon is None else Shape(label, (polygon,))


def _rectangle(label, value, size):
    """A box, turned clockwise round its upper left corner."""
    x, y, width, height = _in_pixels(value, size, "x", "y", "width", "height")
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    angle = np.deg2rad(float(value.get("rotation") or 0))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return Shape(label, (polygon_of(corners @ turn + (x, y)),), is_box=True)


def _ellipse(label, value, size):
    x, y, rx, ry = _in_pixels(value, size, "x", "y", "radiusX", "radiusY")
    turned = np.deg2rad(float(value.get("rotation") or 0))
    return Shape(label, (polygon_of(ellipse(x, y, rx, ry, turned)),))


def _brush(label, value, size):
    rgba = decoded(np.asarray(value["rle"], np.uint8), 4 * size[0] * size[1])
    return Shape(label, mask=rgba.reshape(*size, 4)[..., 3] >= DRAWN)


READ = {
    "polygonlabels": _polygon,
    "rectanglelabels": _rectangle,
    "ellipselabels": _ellipse,
    "brushlabels": _brush,
}


def _in_pixels(value, size, *keys):
    height, width = size
    return [float(value[key]) / 100 * side for key, side in zip(keys, (width, height) * 2)]


def decoded(packed, count):
    """Numbers that are packed as `@thi.ng/rle-pack` does it, on which brushes draw.

    After 32 bits of how many numbers there are come 5 of the bits of a number less one, and four
    times 4 of the bits of a run's length less one. Each run is a bit (1: one number, repeated; 0:
    so many numbers), 2 bits of which length it has, the length less one, and the number or numbers.

    Args:
        packed: uint8 array.
        count: How many numbers there must be.

    Returns:
        uint8 array.

    Raises:
        ValueError: it ends too soon, or is of other numbers.
    """
    bits, at = np.unpackbits(packed), 0

    def read(width, count=1):
        nonlocal at
        end = at + width * count
        if end > len(bits):
            raise ValueError("a mask that is cut off")
        rows = bits[at:end].reshape(count, width).astype(np.int64)
        at = end
        return rows @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))

    (said,), (width,) = read(32), read(5) + 1
    sizes = read(4, 4) + 1
    if width > 8 or said != count:
        expected = f"{count} of 8 (RGBA of each pixel)"
        raise ValueError(f"a mask of {said} numbers of {width} bits; expected {expected}")
    numbers, done = np.zeros(count, np.uint8), 0
    while done < count:
        (repeated,), (which,) = read(1), read(2)
        until = min(done + 1 + int(read(int(sizes[which]))[0]), count)
        numbers[done:until] = read(int(width), 1 if repeated else until - done)
        done = until
    return numbers

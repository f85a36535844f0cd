"""Pictures: overlays, a sheet of photo, truth, prediction and error, and the curve of a run."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kseg.data.source import default_colors
from kseg.instances import is_instance
from kseg.runs import replacing

WIDEST_CAPTION = 1.5  # times its box
INK, PAPER, GRID = (30, 30, 30), (255, 255, 255), (225, 225, 225)
WRONG, RIGHT, NOT_SCORED = (220, 50, 47), (225, 240, 225), (120, 120, 120)
LINES = ((38, 110, 200), (220, 110, 20), (50, 150, 80))


def colorize(labels, colors, void=255):
    """Class ids `(H, W)` -> RGB uint8 `(H, W, 3)`; void and unknown ids are black."""
    table = np.zeros((len(colors) + 1, 3), np.uint8)
    table[:-1] = np.reshape(colors, (-1, 3))
    labels = np.asarray(labels)
    known = (labels >= 0) & (labels < len(colors)) & (labels != void)
    return table[np.where(known, labels, len(colors))]


def overlay(image, labels, colors, *, opacity=0.5, void=255):
    """Lays the colours of the classes over a photo.

    Args:
        image: uint8 `(H, W, 3)`.
        labels: Class ids `(H, W)`; void pixels show the bare photo.
        colors: RGB of each class.
        opacity: Share of the colour, 0..1.
        void: Label id without a colour.

    Returns:
        uint8 `(H, W, 3)`.
    """
    labels = np.asarray(labels)
    share = np.where(labels == void, 0.0, opacity)[:, :, None]
    mixed = np.asarray(image) * (1 - share) + colorize(labels, colors, void) * share
    return np.round(mixed).astype(np.uint8)


def object_colors(crowd):
    """A colour for each object; grey for a crowd, which is no object of its own.

    Args:
        crowd: bool `(N,)`.
    """
    # lifted, so that boxes show on dark photos; greys are of crowds alone
    colors = [
        tuple(min(255, value + 60) for value in color)
        for color in default_colors(2 * len(crowd) + 2)
        if len(set(color)) > 1
    ]
    return [NOT_SCORED if many else color for many, color in zip(crowd, colors)]


def objects(image, masks, boxes, *, crowd=None, captions=None, opacity=0.5):
    """Lays a colour of its own over each object of a photo, draws its box and writes its caption.

    Args:
        image: uint8 `(H, W, 3)`.
        masks: `(N, H, W)`, zero outside the object.
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
    order = sorted(range(len(masks)), key=lambda i: (not crowd[i], -np.count_nonzero(masks[i])))
    top = np.full(np.shape(image)[:2], -1)
    for index in order:
        top[np.asarray(masks[index]) != 0] = index
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


def captions(class_names, classes, scores=None):
    """The name of each object's class, and its score if there is one.

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


def errors(labels, predicted, void=255):
    """Right pixels pale, wrong pixels red, void grey: uint8 `(H, W, 3)`."""
    table = np.array([RIGHT, WRONG, NOT_SCORED], np.uint8)
    kind = np.where(labels == void, 2, (np.asarray(labels) != predicted).astype(int))
    return table[kind]


def spread(length, count):
    """`count` positions evenly spread over `length`, the first and the last among them.

    >>> spread(101, 3), spread(2, 3)
    ([0, 50, 100], [0, 1])
    """
    return np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()


def sheet(model, source, path, *, count=6, width=320):
    """Writes a PNG with one row a sample: photo, truth, prediction; of labels error and a legend.

    Args:
        model: A kseg model, semantic or of instances.
        source: Labelled `Source` of its task; `count` samples are taken evenly spread.
        path: The PNG file.
        count: Rows.
        width: Width of one picture in pixels.
    """
    instances = is_instance(model)
    panels = _object_panels if instances else _label_panels
    samples = (source[index] for index in spread(len(source), count))
    rows = [
        [_scaled(panel, width) for panel in panels(model, source, sample)] for sample in samples
    ]
    if instances:
        picture = _grid(rows, ("photo", "truth", "prediction"), width)
    else:
        picture = _grid(rows, ("photo", "truth", "prediction", "error (red)"), width)
        picture = _stack(picture, _legend(source.class_names, source.colors, picture.width))
    save(picture, path)


def _label_panels(model, source, sample):
    from kseg.predict import predict

    image, labels = sample["image"], sample["label"]
    predicted = predict(model, image)
    return [
        image,
        overlay(image, labels, source.colors, opacity=0.6, void=source.void),
        overlay(image, predicted, source.colors, opacity=0.6, void=source.void),
        errors(labels, predicted, source.void),
    ]


def _object_panels(model, source, sample):
    from kseg.predict import predict

    image, names = sample["image"], captions(source.class_names, sample["classes"])
    truth = (sample["masks"], sample["boxes"])
    return [
        image,
        objects(image, *truth, crowd=sample["crowd"], captions=names),
        found_objects(image, predict(model, image), source.class_names),
    ]


def found_objects(image, found, class_names):
    """`objects` for what `kseg.predict` has found, with names and scores.

    Args:
        image: uint8 `(H, W, 3)`.
        found: `kseg.instances.Instances` of that photo, with masks of its size.
        class_names: Name of each class.
    """
    names = captions(class_names, found.classes, found.scores)
    return objects(image, found.masks, found.boxes, captions=names)


def curve(history, path, size=(900, 420)):
    """Writes a PNG of the loss (left) and the mean IoU (right) by epoch.

    Args:
        history: Rows of a run's `history.csv`, as `Run.history()` gives them.
        path: The PNG file.
        size: `(width, height)` in pixels.
    """
    picture = Image.new("RGB", size, PAPER)
    half = size[0] // 2
    for left, names, top in ((0, ["loss"], None), (half, ["mean_iou", "val_mean_iou"], 1.0)):
        _chart(picture, (left + 50, 40, left + half - 20, size[1] - 45), history, names, top)
    save(picture, path)


def save(picture, path):
    """Writes a Pillow image or a uint8 array as PNG; the file appears whole or not at all."""
    from pathlib import Path

    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        picture.save(temporary)


def _scaled(panel, width):
    image = Image.fromarray(panel)
    return image.resize((width, max(1, round(image.height * width / image.width))))


def _grid(rows, titles, width, gap=6, header=24):
    heights = [max(panel.height for panel in row) for row in rows]
    size = (len(titles) * (width + gap) + gap, header + sum(heights) + gap * len(rows))
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    for column, title in enumerate(titles):
        draw.text((gap + column * (width + gap), 4), title, INK, ImageFont.load_default(15))
    y = header
    for row, height in zip(rows, heights):
        for column, panel in enumerate(row):
            picture.paste(panel, (gap + column * (width + gap), y))
        y += height + gap
    return picture


def _legend(names, colors, width, row=22):
    font = ImageFont.load_default(14)
    places, x, y = [], 8, 4
    for name in names:
        needed = 34 + int(font.getlength(name))
        if x + needed > width and x > 8:
            x, y = 8, y + row
        places.append((x, y))
        x += needed
    picture = Image.new("RGB", (width, y + row + 4), PAPER)
    draw = ImageDraw.Draw(picture)
    for (x, y), name, color in zip(places, names, colors):
        draw.rectangle((x, y + 2, x + 16, y + 16), fill=tuple(color), outline=INK)
        draw.text((x + 22, y), name, INK, font)
    return picture


def _stack(upper, lower):
    picture = Image.new("RGB", (upper.width, upper.height + lower.height), PAPER)
    picture.paste(upper, (0, 0))
    picture.paste(lower, (0, upper.height))
    return picture


def _chart(picture, box, history, names, top):
    """Lines of `names` over the epoch, with the axis from 0 to `top` (None: the largest value)."""
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(13)
    x0, y0, x1, y1 = box
    values = [row[name] for row in history for name in names if name in row]
    top = top or max(values, default=1.0) or 1.0
    last = max((row["epoch"] for row in history), default=1)
    for tick in range(5):
        y = y1 - (y1 - y0) * tick / 4
        draw.line((x0, y, x1, y), GRID)
        draw.text((x0 - 6, y), f"{top * tick / 4:.2f}", INK, font, anchor="rm")
    for epoch in {1, round((1 + last) / 2), last}:
        x = x0 + (x1 - x0) * (epoch - 1) / max(1, last - 1)
        draw.text((x, y1 + 12), f"{epoch:.0f}", INK, font, anchor="mm")
    draw.text(((x0 + x1) / 2, y1 + 30), "epoch", INK, font, anchor="mm")
    for position, (name, color) in enumerate(zip(names, LINES)):
        points = [
            (
                x0 + (x1 - x0) * (row["epoch"] - 1) / max(1, last - 1),
                y1 - (y1 - y0) * min(row[name] / top, 1.0),
            )
            for row in history
            if name in row
        ]
        if len(points) > 1:
            draw.line(points, color, width=3, joint="curve")
        for x, y in points:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color)
        label = name.replace("val_", "validation ").replace("mean_iou", "mean IoU")
        draw.text((x0 + 150 * position, y0 - 20), label, color, ImageFont.load_default(15))

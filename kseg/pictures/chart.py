"""TODO"""

from PIL import Image, ImageDraw, ImageFont

from kseg.base.colors import GRID, INK, PAPER
from kseg.pictures.image import save

LINES = ((38, 110, 200), (220, 110, 20), (50, 150, 80))


def curve(history, path, size=(900, 420), *, score="mean_iou"):
    """Writes a PNG of the loss (left) and the mean IoU (right) by epoch.

    Args:
        history: Rows of a run's `history.csv`, as `Run.history()` gives them.
        path: The PNG file.
        size: `(width, height)` in pixels.
    """
    picture = Image.new("RGB", size, PAPER)
    half = size[0] // 2
    for left, names, top in ((0, ["loss"], None), (half, [score, f"val_{score}"], 1.0)):
        chart(picture, (left + 50, 40, left + half - 20, size[1] - 45), history, names, top)
    save(picture, path)


def chart(picture, box, history, names, top):
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

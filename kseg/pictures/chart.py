"""Charts: the curve of a training, as a PNG drawn by matplotlib; those of pages are in `svg.py`.

It draws on canvases of its own (no pyplot, no window) and in its default style, whatever a user's
own settings are, so that equal numbers give equal files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kseg.base.colors import GRID, INK
from kseg.base.types import PathLike, Size
from kseg.pictures.image import save

LINES = ((38, 110, 200), (220, 110, 20))  # RGB of a chart's lines, in order
DPI = 100
ABBREVIATIONS = {"ap": "AP", "iou": "IoU", "pq": "PQ", "val": "validation"}


def curve(
    history: Sequence[Mapping[str, float]],
    path: PathLike,
    size: Size = (900, 420),
    *,
    score: str = "mean_iou",
) -> None:
    """Writes a PNG of the loss (left) and the score (right) by epoch.

    Args:
        history: Rows of a run's `history.csv`, as `Run.history()` gives them.
        path: The PNG file.
        size: `(width, height)` in pixels.
        score: Column of a number from 0 to 1, drawn with that of the validation, `val_` + its name.
    """
    with _style():
        figure = _figure(size)
        left, right = figure.subplots(1, 2)
        _lines(left, history, ["loss"])
        _lines(right, history, [score, f"val_{score}"])
        right.set_ylim(0, 1)
        figure.canvas.draw()
        save(np.asarray(figure.canvas.buffer_rgba())[:, :, :3], path)


def _lines(axes, history, names):
    """Draws the columns `names` over the epoch; a row without one is left out."""
    from matplotlib.ticker import MaxNLocator

    for name, color in zip(names, LINES):
        points = [(row["epoch"], row[name]) for row in history if name in row]
        if points:
            axes.plot(*zip(*points), "o-", color=_rgb(color), label=words(name), clip_on=False)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylim(bottom=min([0, *(row[name] for row in history for name in names if name in row)]))
    axes.grid(axis="y")
    if axes.lines:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names))


def words(name):
    """What a column is called in a chart.

    >>> words("val_mean_iou")
    'validation mean IoU'
    """
    return " ".join(ABBREVIATIONS.get(word, word) for word in name.split("_"))


def _figure(size):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((size[0] / DPI, size[1] / DPI), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _style():
    """A context in which matplotlib draws as it does by default, but for what stands here."""
    from matplotlib import style  # takes half a second

    own = {
        "axes.edgecolor": _rgb(INK),
        "axes.labelcolor": _rgb(INK),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "grid.color": _rgb(GRID),
        "legend.frameon": False,
        "lines.linewidth": 2.2,
        "lines.markersize": 4.5,
        "text.color": _rgb(INK),
        "xtick.color": _rgb(INK),
        "ytick.color": _rgb(INK),
    }
    return style.context(["default", own])


def _rgb(color):
    """0..255, as kseg's colours are, to matplotlib's 0..1."""
    return tuple(value / 255 for value in color)

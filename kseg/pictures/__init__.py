"""Drawing, nothing else: what a label or an object looks like on its photo, grids, charts.

image.py      class ids as colours, over photos, errors; saved as PNG
semantic.py   labels on their photo; instance.py objects: a module a task, with the same names
grid.py       pictures in rows and columns, legends
chart.py      the curve of a training, bars (matplotlib)
"""

from kseg.base.lazy import lazy

_NAMES = {
    "captions": "kseg.pictures.instance",
    "colorize": "kseg.pictures.image",
    "curve": "kseg.pictures.chart",
    "errors": "kseg.pictures.image",
    "objects": "kseg.pictures.instance",
    "overlay": "kseg.pictures.image",
    "save": "kseg.pictures.image",
}

__all__ = list(_NAMES)
__getattr__, __dir__ = lazy(__name__, _NAMES)

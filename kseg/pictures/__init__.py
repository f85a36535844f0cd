"""Drawing, nothing else: what a label or an object looks like on its photo, grids, charts.

image.py      class ids as colours, over photos, errors; saved as PNG
semantic.py   labels on their photo; multilabel.py several a pixel; instance.py objects: a module a
              task, with the same names
grid.py       pictures in rows and columns, legends
chart.py      the curve of a training (matplotlib)
svg.py        charts of a page
"""

from typing import TYPE_CHECKING

from kseg.base.lazy import lazy

if TYPE_CHECKING:  # for editors, what the table below says
    from kseg.pictures.chart import curve as curve
    from kseg.pictures.image import colorize as colorize
    from kseg.pictures.image import errors as errors
    from kseg.pictures.image import overlay as overlay
    from kseg.pictures.image import save as save
    from kseg.pictures.instance import captions as captions
    from kseg.pictures.instance import objects as objects

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
if not TYPE_CHECKING:  # there, any name would be one
    __getattr__, __dir__ = lazy(__name__, _NAMES)

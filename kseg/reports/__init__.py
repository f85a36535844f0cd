"""What people open: a sheet of predictions beside their truth, and the page of a check.

page.py        the frame of a page: its templates stand in templates/
check.py       the page of a check
semantic.py    what a page shows of a source of labels, and
instance.py    of objects: the same functions
sheet.py       rows of photo, truth and prediction as one PNG
"""

from kseg.base.lazy import lazy

_NAMES = {"write_sheet": "kseg.reports.sheet"}

__all__ = list(_NAMES)
__getattr__, __dir__ = lazy(__name__, _NAMES)

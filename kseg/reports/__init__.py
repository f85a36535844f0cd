"""What people open: a sheet of predictions beside their truth, and the page of a check.

page.py        the frame of a page: its templates stand in templates/
check.py       the page of a check
semantic.py    what a page shows of a source of labels, and
multilabel.py  of several a pixel, and
instance.py    of objects: the same functions
sheet.py       rows of photo, truth and prediction as one PNG
samples.py     rows of photo and truth
"""

from typing import TYPE_CHECKING

from kseg.base.lazy import lazy

if TYPE_CHECKING:  # for editors, what the table below says
    from kseg.reports.sheet import write_sheet as write_sheet

_NAMES = {"write_sheet": "kseg.reports.sheet"}

__all__ = list(_NAMES)
if not TYPE_CHECKING:  # there, any name would be one
    __getattr__, __dir__ = lazy(__name__, _NAMES)

"""What people open: a sheet of predictions beside their truth, and the page of a check.

page.py        writes a page: its template stands in templates/, the frame in kseg/base/templates
run.py         the page of a run, or of two: kseg.report; subject.py a run, sections.py what is said
card.py        what a model is and is not, as Markdown: kseg.card
check.py       the page of a check; doubts.py labels that a model contradicts on it
semantic.py    what a page shows of a source of labels, and
multilabel.py  of several a pixel, and
instance.py    of objects: the same functions
seen/          what is counted photo by photo, a module a task
shots.py       a picture and its layers
places.py      paths, without the user's machine
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

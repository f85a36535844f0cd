"""What people open: a sheet of predictions beside their truth, and the page of a check."""

from kseg.base.lazy import lazy

_NAMES = {"write_sheet": "kseg.reports.sheet"}

__all__ = list(_NAMES)
__getattr__, __dir__ = lazy(__name__, _NAMES)

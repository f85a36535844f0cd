"""Finds what is wrong with a data set before a model learns from it, and says what to do.

check.py          check(): all of it, in parallel
findings.py       what a check returns: findings
statistics.py     and what it has counted
one_sample.py     one sample: read as training does and with Pillow, measured
unreadable.py     why a sample cannot be read
mask_values.py    what a mask's values give away
whole_set.py      what only shows in the whole set
duplicates.py     photos and masks that come twice
class_weights.py  weights of the classes of a loss
open_splits.py    the splits of a set, and what a reader says of those it refuses
"""

from kseg.checks.check import check, check_samples
from kseg.checks.findings import Finding, Report, refusals
from kseg.checks.statistics import Statistics, class_weights

__all__ = [
    "Finding",
    "Report",
    "Statistics",
    "check",
    "check_samples",
    "class_weights",
    "refusals",
]

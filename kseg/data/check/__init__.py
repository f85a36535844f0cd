"""Finds what is wrong with a data set before a model learns from it, and says what to do.

reading.py      the first bad file of a training, named
findings.py     what a check returns: findings, statistics
look.py         one sample: read as training does and with Pillow, measured
masks.py        what a mask's values give away
sets.py         what only shows in the whole set
duplicates.py   photos and masks that come twice
scan.py         check(): all of it, in parallel
"""

from kseg.data.check.findings import Finding, Report, Statistics, class_weights, refusal
from kseg.data.check.reading import check_classes, explain, naming_bad_files
from kseg.data.check.scan import check, check_samples

__all__ = [
    "Finding",
    "Report",
    "Statistics",
    "check",
    "check_classes",
    "check_samples",
    "class_weights",
    "explain",
    "naming_bad_files",
    "refusal",
]

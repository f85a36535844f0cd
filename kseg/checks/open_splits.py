"""The splits of a data set opened for a check; what a reader refuses becomes a finding."""

from kseg.checks.findings import refusal
from kseg.data.errors import DataError

SPLITS = ("train", "val", "test")


def open_splits(spec):
    """The splits that a set has, as sources, and findings for those that a reader refuses.

    Args:
        spec: A `kseg.data.spec.DataSpec`.

    Returns:
        List of `Source`, list of `Finding`.

    Raises:
        ValueError: there is no such kind of set, or it has none of the splits.
        MissingData: the set's folder does not exist.
    """
    spec.check()
    kind = spec.spec.partition(":")[0]
    sources, refused = [], {}  # fault -> its error, the splits that it was raised for
    for split in SPLITS:
        try:
            sources.append(spec.open(split, probe=False))
        except (ValueError, FileNotFoundError) as error:
            fault = _fault(error)
            of_whole_set = split == "test" and fault in refused
            if not of_whole_set and (split == "train" or fault[0] != "no_split"):
                refused.setdefault(fault, (error, []))[1].append(f"{kind}/{split}")
    if not sources and not refused:
        raise DataError("no_split", spec.spec, f"{spec.spec!r} has no split {', '.join(SPLITS)}.")
    return sources, [refusal(", ".join(names), error) for error, names in refused.values()]


def _fault(error):
    """By what two errors are the same: kind and subject, or all of an error about an argument."""
    if isinstance(error, DataError):
        return error.kind, error.subject
    return "argument", str(error)

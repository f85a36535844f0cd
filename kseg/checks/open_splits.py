"""The splits of a data set opened for a check; what a reader refuses becomes a finding."""

import dataclasses

from kseg.checks.findings import ERROR, WARNING, Report, refusals
from kseg.data.errors import DataError

LEARNT = ("train", "val")  # what `kseg fit` opens: both must be there
SPLITS = (*LEARNT, "test")


def open_splits(spec):
    """The splits that a set has, as sources, and findings for those that a reader refuses.

    The first two, of which `kseg fit` needs both, are refused where they are missing.

    Args:
        spec: A `kseg.data.spec.DataSpec`.

    Returns:
        Split -> `Source`, list of `Finding`.

    Raises:
        ValueError: there is no such kind of set, or it has none of the splits.
        MissingData: the set's folder does not exist.
    """
    spec.check()
    kind = spec.spec.partition(":")[0]
    sources, refused = {}, {}  # fault -> its error, the splits that it was raised for
    for split in SPLITS:
        try:
            sources[split] = spec.open(split, probe=False)
        except (ValueError, FileNotFoundError) as error:
            fault = _fault(error)
            if getattr(error, "rest", None) is not None:  # one look tells of all files
                sources[split] = error.rest
            # of "test", which is not learnt from, it matters only what is there
            if split in LEARNT or fault not in refused and fault[0] != "no_split":
                refused.setdefault(fault, (error, []))[1].append(f"{kind}/{split}")
    if not sources and not refused:
        raise DataError("no_split", spec.spec, f"{spec.spec!r} has no split {', '.join(SPLITS)}.")
    findings = [
        finding
        for error, names in refused.values()
        for finding in refusals(", ".join(names), error)
    ]
    of_test = f"{kind}/test"
    return sources, [
        dataclasses.replace(each, severity=WARNING) if each.source == of_test else each
        for each in findings
    ]


def learnt(report, splits):
    """The report as training sees it: an error that is of "test" alone becomes a warning.

    Args:
        report: The `Report` on the sources.
        splits: Their splits, in order.
    """
    names = {source.name for source, split in zip(report.sources, splits) if split in LEARNT}

    def seen(finding):
        """Whether its source, or two of its sources, are learnt from."""
        concerned = finding.source.split(", ")
        own = names.intersection(concerned)
        return len(own) > 1 or len(own) == len(concerned)

    findings = [
        finding
        if finding.severity != ERROR or seen(finding)
        else dataclasses.replace(finding, severity=WARNING)
        for finding in report.findings
    ]
    findings.sort(key=lambda finding: finding.severity)  # errors first
    return Report(tuple(findings), report.sources)


def _fault(error):
    """By what two errors are the same: kind and subject, or all of an error about an argument."""
    if isinstance(error, DataError):
        return error.kind, error.subject
    return "argument", str(error)

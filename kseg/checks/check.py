"""`check`: every sample of a set, in parallel, and every finding about it."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable

import numpy as np

from kseg.base.arguments import integer, refused
from kseg.checks.duplicates import duplicate_problems, shared_photos
from kseg.checks.findings import Report, group
from kseg.checks.one_sample import SampleReader
from kseg.checks.statistics import statistics
from kseg.checks.whole_set import (
    different_classes,
    orphans,
    photos_left_out,
    problems_of_set,
)
from kseg.data.source import Source, check_is_source, spread


def check(
    *sources: Source,
    limit: int | None = None,
    duplicates: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Reads a labelled set and reports what is wrong with it.

    Every sample is read as training reads it; a bad one is named and does not stop the check.

    Args:
        *sources: One `Source`, or the splits of one set, the first the one to learn from: photos
            that two splits share are found, and classes that differ.
        limit: Samples of each source to look at, evenly spread; None for all.
        duplicates: Whether to search for copies of photos and masks within a split too, and for
            those that are resized or encoded anew, and to read every file with Pillow too. False
            is about twice as fast.
        progress: Function of the number of samples done and of all, called after each.

    Returns:
        `Report` with the findings, errors first, and statistics by source.

    Raises:
        TypeError: one of them is no `Source`.
        ValueError: an argument is out of its range.

    Example:

    >>> report = kseg.check(kseg.data.shapes("train"), kseg.data.shapes("val"))
    >>> report.raise_on_errors()
    """
    if not sources:
        raise refused("sources", sources, "a Source, or the splits of one set")
    for source in sources:
        check_is_source("sources", source)
    if limit is not None:
        integer("limit", limit)
    sources = named_apart(sources)
    seen = _facts(sources, limit, duplicates, progress)
    problems, all_statistics = [], []
    for source, all_facts in zip(sources, seen):
        for facts in all_facts:
            for kind, file, message in facts.problems:
                problems.append((kind, source.name, (source.name, facts.index), file, message))
        all_statistics.append(statistics(source, all_facts))
        learnt = source is sources[0]
        of_set = problems_of_set(source, all_facts, all_statistics[-1], learnt)
        for kind, index, file, message in of_set:
            sample = None if index is None else (source.name, index)
            problems.append((kind, source.name, sample, file, message))
    for name, kind, message in different_classes(sources):
        problems.append((kind, name, None, name, message))
    for name, file, message in photos_left_out(sources):
        problems.append(("left_out", name, None, file, message))
    if duplicates:
        problems += duplicate_problems(sources, seen)
        for name, file, message in orphans(sources):
            problems.append(("orphan_mask", name, None, file, message))
    else:
        problems += shared_photos(sources, seen)
    return Report(tuple(group(problems)), tuple(all_statistics))


def _facts(sources, limit, thorough, progress):
    """For each source the list of the `Facts` of its samples, read side by side."""
    chosen = [spread(len(source), limit or len(source)) for source in sources]
    total, done = sum(map(len, chosen)), 0
    seen = []
    with concurrent.futures.ThreadPoolExecutor(_cores()) as pool:
        for source, indices in zip(sources, chosen):
            read = SampleReader(source, thorough, several=len(sources) > 1)
            seen.append([])
            try:
                for facts in _first_alone(pool, read, indices):
                    seen[-1].append(facts)
                    done += 1
                    if progress:
                        progress(done, total)
            except BaseException:  # Ctrl-C: do not read the rest first
                pool.shutdown(cancel_futures=True)
                raise
    return seen


def _first_alone(pool, read, indices):
    """What is read of each, in order; the first before the others are begun.

    By the first a graph is made ready to run: in half a second, and by every thread that meets it
    unready.
    """
    yield from map(read, indices[:1])
    yield from pool.map(read, indices[1:])


def check_samples(source: Source, limit: int | None = None) -> np.ndarray:
    """Reads samples as training would and raises one clear error for the first kind of bad one.

    Args:
        source: A `Source`.
        limit: At most this many samples, evenly spread; None for all.

    Returns:
        int64 array `(num_classes,)`: labelled pixels of each class in the samples read.

    Raises:
        DataError: a file cannot be read, photo and mask differ in size, a label is outside the
            class list, or the like. The message names the file and the remedy.
    """
    report = check(source, limit=limit, duplicates=False)
    report.raise_on_errors()
    return report.sources[0].pixels


def named_apart(sources):
    """The sources, the second of a name with a number, by which findings tell them apart."""
    result, times = [], collections.Counter()
    for source in sources:
        times[source.name] += 1
        number = times[source.name]
        again = number > 1
        result.append(
            dataclasses.replace(source, name=f"{source.name} ({number})") if again else source
        )
    return result


def _cores():
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""The result of a check as one HTML page that needs no other file."""

import numpy as np

from kseg.checks.statistics import class_rows, size_line
from kseg.data.bad_files import file_of, look_at
from kseg.data.source import spread
from kseg.models import contract
from kseg.pictures.image import as_rgb, colorize, picture_of
from kseg.pictures.svg import columns
from kseg.reports.doubts import SHOWN, sheet
from kseg.reports.page import write_page
from kseg.reports.places import Places
from kseg.reports.shots import shot, side_for, size_for

EXAMPLES = 6  # samples shown of a finding, and of a source
FOLDED = 40  # classes in a table that is not folded away
LISTED = 200  # files named of a finding
BINS = 10  # columns of the sizes
SMALL = 480  # pixels of the longer side of an example at most


def write_check(report, sources, path, doubts=None):
    """Writes the findings with example pictures; classes, samples and sizes of each source.

    Of files it says where they lie within the set, and nothing of the machine.

    Args:
        report: A `kseg.checks.Report`.
        sources: The sources that were checked, from which examples are read again.
        path: The HTML file.
        doubts: `kseg.doubts.doubts.Doubts`, labels that a model contradicts; None for none.
    """
    by_name = {stats.name: source for stats, source in zip(report.sources, sources)}
    places = Places(sources)
    examples = sum(min(EXAMPLES, len(finding.samples)) for finding in report.findings)
    pictures = examples + EXAMPLES * len(sources) + (len(doubts.rows[:SHOWN]) if doubts else 0)
    side = min(SMALL, side_for(pictures, 1))
    kinds = {}
    for finding in report.findings:
        kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
    write_page(
        path,
        "check.html",
        title="Check of the data",
        report=report,
        findings=[
            (_said(finding, places), _examples(finding, by_name, places, side))
            for finding in report.findings
        ],
        kinds=kinds,
        sources=[_described(*each, places, side) for each in zip(report.sources, sources)],
        doubts=None if doubts is None else sheet(doubts, places),
        folded=FOLDED,
    )


def _said(finding, places):
    """What the template shows of a finding, its files as they are called within the set."""
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "source": places(finding.source),
        "message": places(finding.message),
        "remedy": places(finding.remedy),
        "files": [places(file) for file in finding.files[:LISTED]],
        "count": len(finding.files),
    }


def _examples(finding, by_name, places, side):
    """Pictures of the first samples of a finding, and the names of those that have none."""
    shots, without = [], []
    for name, index in finding.samples[:EXAMPLES]:
        if name not in by_name:
            continue
        source = by_name[name]
        file = places(file_of(source, "image", index) or source.ids[index])
        made = _example(source, index, file, side)
        shots += made
        without += [] if made else [file]
    return {"shots": shots, "without": without}


def _example(source, index, file, side):
    """Photo with its mask as a layer; where they cannot be read together, each by itself."""
    try:
        return [_shot(source, source[index], file, side)]
    except Exception:  # the very fault that is shown
        pictures = _separately(source, index)
        return [shot(file, "", picture, (), side) for picture in pictures]


def _shot(source, sample, name, side, caption=()):
    photo = picture_of(source, sample)
    truth = _room(source).truth(source, sample, size_for(photo.shape, side))
    return shot(name, "", photo, [("truth", 0, truth)], side, caption)


def _separately(source, index):
    """The photo, and the mask with its values as colours, those of them that Pillow can read."""
    pictures = []
    photo, mask = (file_of(source, column, index) for column in ("image", "label"))
    for file, column in ((photo, "image"), (mask, "label")):
        try:
            pictures += [_looked_at(file, column, source.bands)] if file else []
        except (ValueError, OSError):
            continue
    for position, picture in enumerate(pictures):
        if picture.ndim == 2 and picture.max() < source.num_classes:
            pictures[position] = colorize(picture, source.colors, source.void)
        elif picture.ndim == 2:  # no ids: as grey as they are, spread over black to white
            grey = picture * 255 // max(1, picture.max())
            pictures[position] = np.repeat(grey[:, :, None], 3, axis=2)
    return [picture.astype(np.uint8) for picture in pictures]


def _looked_at(file, column, bands):
    """A photo as something to look at; a mask as its values."""
    values = look_at(file, column)
    if column != "image":
        return values
    known = bands is not None and max(bands) < values.shape[-1]
    return as_rgb(values, bands if known else None, None if values.dtype == np.uint8 else "its own")


def _described(stats, source, places, side):
    """What the template shows of a source."""
    shots, shown = _samples(source, side)
    headings, *rows = class_rows(stats)
    return {
        "name": places(stats.name),
        "statistics": stats,
        "size_line": size_line(stats),
        "shots": shots,
        "legend": _room(source).legend(source, shown),
        "headings": headings,
        "rows": rows,
        "histogram": _size_histogram(stats.sizes),
    }


def _samples(source, side):
    """A few samples with their labels laid over; those that cannot be read are findings.

    Returns:
        A `Shot` of each; and the class ids that they hold.
    """
    room, shots, class_ids = _room(source), [], set()
    for index in spread(len(source), EXAMPLES):
        try:
            sample = source[index]
        except Exception:  # whatever it is, a finding tells of it
            continue
        caption = room.caption(source, sample)
        shots.append(_shot(source, sample, source.ids[index], side, caption))
        class_ids |= room.class_ids(sample)
    return shots, class_ids


def _size_histogram(sizes):
    """Photos by the square root of their area, as columns; nothing where all have one size."""
    if len(sizes) < 2:
        return ""
    sides = [(height * width) ** 0.5 for height, width in sizes]
    counts, edges = np.histogram(sides, BINS, weights=list(sizes.values()))
    groups = [(f"{edge:,.0f}", [float(count)], None) for edge, count in zip(edges, counts)]
    return columns(groups, "Photos by their side", "square root of the area in pixels, from ... on")


def _room(source):
    """What of a page depends on the task of a source: the module for it."""
    return contract.part("kseg.reports", source)

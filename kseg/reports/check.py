"""The result of a check as one HTML page that needs no other file."""

import numpy as np

from kseg.checks.statistics import class_rows, size_line
from kseg.data.bad_files import file_of, look_at
from kseg.data.source import spread
from kseg.models import contract
from kseg.pictures.chart import histogram
from kseg.pictures.image import as_rgb, colorize, data_uri
from kseg.reports.page import WIDTH, write_page

EXAMPLES = 6  # samples shown of a finding, and of a source
FOLDED = 40  # classes in a table that is not folded away
SWATCHES = 12  # colours shown of the objects of one class
LISTED = 200  # files named of a finding


def write_check(report, sources, path):
    """Writes the findings with example pictures; classes, samples and sizes of each source.

    Args:
        report: A `kseg.checks.Report`.
        sources: The sources that were checked, from which examples are read again.
        path: The HTML file.
    """
    by_name = {stats.name: source for stats, source in zip(report.sources, sources)}
    write_page(
        path,
        "check.html",
        title="kseg check",
        report=report,
        findings=[(finding, _examples(finding, by_name)) for finding in report.findings],
        sources=[_described(*each) for each in zip(report.sources, sources)],
        folded=FOLDED,
        listed=LISTED,
        swatches=SWATCHES,
    )


def _examples(finding, by_name):
    """File and pictures of the first samples of a finding."""
    return [
        _example(by_name[name], index)
        for name, index in finding.samples[:EXAMPLES]
        if name in by_name
    ]


def _example(source, index):
    """Photo with its mask laid over it; where they cannot be read together, each by itself."""
    file = file_of(source, "image", index) or source.ids[index]
    try:
        pictures = [_room(source).overlaid(source, source[index])]
    except Exception:  # the very fault that is shown
        pictures = _separately(source, index)
    return file, [data_uri(picture, 2 * WIDTH) for picture in pictures]


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


def _described(stats, source):
    """What the template shows of a source."""
    samples, shown = _samples(source)
    headings, *rows = class_rows(stats)
    return {
        "statistics": stats,
        "size_line": size_line(stats),
        "samples": samples,
        "legend": _room(source).legend(source, shown),
        "headings": headings,
        "rows": rows,
        "histogram": _size_histogram(stats.sizes),
    }


def _samples(source):
    """A few samples with their labels laid over; those that cannot be read are findings.

    Returns:
        Id, picture and caption of each; and the class ids that they hold.
    """
    room, shown, class_ids = _room(source), [], set()
    for index in spread(len(source), EXAMPLES):
        try:
            sample = source[index]
        except Exception:  # whatever it is, a finding tells of it
            continue
        picture = data_uri(room.overlaid(source, sample), 2 * WIDTH)
        shown.append((source.ids[index], picture, room.caption(source, sample)))
        class_ids |= room.class_ids(sample)
    return shown, class_ids


def _size_histogram(sizes):
    """Photos by the square root of their area, as bars; nothing where all have one size."""
    if len(sizes) < 2:
        return ""
    sides = [(height * width) ** 0.5 for height, width in sizes]
    label = "photos by side in pixels (square root of the area)"
    return histogram(sides, list(sizes.values()), label)


def _room(source):
    """What of a page depends on the task of a source: the module for it."""
    return contract.part("kseg.reports", source)

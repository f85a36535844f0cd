"""What `kseg check` does: opens every split of a set, checks them, prints what was found."""

import dataclasses
from pathlib import Path

from kseg.data.check import Report, check, refusal

SPLITS = ("train", "val", "test")
SHOWN_FILES = 3  # of a finding, on the terminal


def checked(console, named, limit):
    """Checks every split of a named set, with a bar on a terminal.

    Args:
        console: A `rich` console.
        named: A `kseg.data.named.Named`.
        limit: Samples of each split; None for all.

    Returns:
        The `Report`, in which a reader's refusal to open a split is an error, and the sources.

    Raises:
        FileNotFoundError, ValueError: the path does not exist, or the kind of data is unknown.
    """
    from rich.progress import Progress

    sources, refusals = open_splits(named)
    if not sources:
        return Report(tuple(refusals), ()), []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"reading {named.spec}", total=None)
        report = check(
            *sources,
            limit=limit,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return dataclasses.replace(report, findings=(*refusals, *report.findings)), sources


def open_splits(named):
    """The splits that the set has, as sources, and findings for those that a reader refuses."""
    kind = named.spec.partition(":")[0]
    if named.path is not None and not named.path.exists():
        raise FileNotFoundError(
            f"{str(named.path)!r} does not exist: expected the folder of the data set."
        )
    sources, refused = [], {}
    for split in SPLITS:
        try:
            sources.append(named.open(split, probe=False))
        except (ValueError, FileNotFoundError) as error:
            if str(error).startswith(f"data {named.spec!r}"):  # no such kind of data
                raise
            optional = split == "test" and str(error) in refused  # said of the whole set
            if not optional and not _no_such_split(error, split):
                refused.setdefault(str(error), (error, []))[1].append(f"{kind}/{split}")
    if not sources and not refused:
        raise ValueError(f"{named.spec!r} has no split {', '.join(SPLITS)}.")
    return sources, [refusal(", ".join(names), error) for error, names in refused.values()]


def _no_such_split(error, split):
    """Whether a reader says that the set has no such split, rather than that it is damaged."""
    text = str(error)
    if split == "train":
        return False
    missing = isinstance(error, FileNotFoundError) and f"{split}' does not exist" in text
    missing_list = isinstance(error, FileNotFoundError) and f"{split}.txt' does not exist" in text
    return missing or missing_list or f"split={split!r}" in text


def print_report(console, report):
    """Prints the findings, and classes and sizes of each source."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if report.findings:
        table = Table(box=box.SIMPLE_HEAD, title="findings")
        table.add_column("finding", no_wrap=True)
        table.add_column("what, and what to do", overflow="fold", ratio=2)
        table.add_column("files", overflow="fold", ratio=1)
        for finding in report.findings:
            color = "red" if finding.severity == "error" else "yellow"
            head = Text(f"{finding.severity}\n", style=color)
            head.append(finding.kind, style="bold")
            what = Text(f"{finding.source}: {finding.message}")
            what.append(f"\n{finding.remedy}" if finding.remedy else "", style="italic")
            table.add_row(head, what, Text(shortened(finding.files)))
        console.print(table)
    for source in report.sources:
        _print_source(console, source)
    console.print(
        f"{len(report.errors)} kinds of errors, {len(report.warnings)} of warnings in "
        f"{sum(source.read for source in report.sources)} samples",
        style="red" if report.errors else "yellow" if report.warnings else "green",
        highlight=False,
    )


def shortened(files, most=SHOWN_FILES):
    """The names of the first files and the number of the rest."""
    names = [Path(file).name for file in files[:most]]
    more = f"and {len(files) - most} more" if len(files) > most else ""
    return "\n".join([*names, more] if more else names)


def class_rows(source):
    """Rows of text for a table of classes, the first of them the headings."""
    headings = ["class", "pixels", "share", "images"]
    if source.instances is not None:
        headings.append("instances")
    headings.append("class_weight")
    total = max(1, int(source.pixels.sum()))
    weights = source.class_weight or [0.0] * len(source.class_names)
    rows = [headings]
    for index, name in enumerate(source.class_names):
        row = [name, f"{source.pixels[index]:,}", f"{source.pixels[index] / total:.2%}"]
        row.append(f"{source.images[index]:,}")
        if source.instances is not None:
            row.append(f"{source.instances[index]:,}")
        rows.append([*row, f"{weights[index]:.2f}"])
    return rows


def size_line(source):
    """One line on the sizes of the photos and the crop they suggest."""
    if not source.sizes:
        return "no photo could be read"
    heights, widths = zip(*source.sizes)
    if len(source.sizes) == 1:
        spread = f"all photos {heights[0]}x{widths[0]}"
    else:
        spread = (
            f"photos of {len(source.sizes)} sizes, {min(heights)}x{min(widths)} to "
            f"{max(heights)}x{max(widths)}"
        )
    suggested = "x".join(map(str, source.suggested_size))
    return f"{spread} (height x width); suggested training size {suggested}"


def _print_source(console, source):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = f"{source.name}: {source.read} of {source.samples} samples read"
    table = Table(title=Text(title), box=box.SIMPLE_HEAD)
    headings, *rows = class_rows(source)
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="right" if position else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(Text(size_line(source)))

"""`kseg check`: opens every split of a set, checks them, prints what was found."""

import dataclasses
from pathlib import Path

from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.checks.check import check
from kseg.checks.findings import Report
from kseg.checks.open_splits import learnt, open_splits
from kseg.checks.statistics import class_rows, size_line
from kseg.cli.language import spoken_report
from kseg.cli.options import (
    DATA,
    add_data_options,
    add_overwrite,
    console,
    data_spec,
    outputs_of,
)

HELP = "Find what is wrong with a data set, before training on it."
SHOWN_FILES = 3  # of a finding, on the terminal


def add_arguments(parser):
    parser.add_argument("data", help=DATA)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the findings here")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with pictures")
    parser.add_argument("--limit", type=int, help="samples of each split to look at (all)")
    parser.add_argument("--instances", action="store_true", help="check objects, not labels")
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    screen = console()
    spec, outputs = (
        data_spec(options, screen, options.instances),
        outputs_of(options, "json", "html"),
    )
    check_outputs(outputs, spec.folders(), options.overwrite)
    report, sources = checked(screen, spec, options.limit)
    check_outputs(outputs, [f for source in sources for f in source.files()], options.overwrite)
    report = spoken_report(report, options.by_name)
    print_report(screen, report)
    if options.json:
        write_json(options.json, report.to_dict())
    if options.html:
        from kseg.reports.check import write_check

        write_check(report, sources, options.html)
        screen.print(f"page in {options.html}", highlight=False)
    return 0 if report.ok else 1


def checked(console, spec, limit):
    """Checks every split of a set, with a bar on a terminal.

    Args:
        console: A `rich` console.
        spec: A `kseg.data.spec.DataSpec`.
        limit: Samples of each split; None for all.

    Returns:
        The `Report`, in which a reader's refusal to open a split is an error, and the sources.

    Raises:
        FileNotFoundError, ValueError: the path does not exist, or the kind of data is unknown.
    """
    from rich.progress import Progress

    splits, refusals = open_splits(spec)
    sources = list(splits.values())
    if not sources:
        return Report(tuple(refusals), ()), []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"reading {spec.spec}", total=None)
        report = check(
            *sources,
            limit=limit,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    report = learnt(report, splits)
    findings = sorted((*refusals, *report.findings), key=lambda finding: finding.severity)
    return dataclasses.replace(report, findings=tuple(findings)), sources


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

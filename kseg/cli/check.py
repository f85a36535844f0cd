"""`kseg check`: opens every split of a set, checks them, prints what was found."""

import dataclasses
from pathlib import Path

from kseg.base.arguments import refused
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
    add_with,
    console,
    data_spec,
    loaded_of,
    outputs_of,
)

SHOWN_FILES = 3  # of a finding, on the terminal
SHOWN_DOUBTS = 10


def add_arguments(parser):
    parser.add_argument("data", help=DATA)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the findings here")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with pictures")
    parser.add_argument("--limit", type=int, help="samples of each split to look at (all)")
    parser.add_argument(
        "--model",
        metavar="RUN",
        help="rank the labels that this model, a run folder or .keras file, contradicts too; of a "
        "folder of folds each photo is judged by the model that has not learned from it",
    )
    add_with(parser)
    parser.add_argument(
        "--doubts", type=Path, metavar="FILE", help="with --model: write this list, .json or .csv"
    )
    parser.add_argument("--instances", action="store_true", help="check objects, not labels")
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    screen = console()
    loaded = model_of(options)
    spec = data_spec(options, screen, options.instances)
    if loaded is not None:
        spec = spec.for_task(loaded.task)
    outputs = outputs_of(options, "json", "html", "doubts")
    read = [*spec.folders(), *(loaded.files() if loaded else [])]
    check_outputs(outputs, read, options.overwrite)
    report, sources = checked(screen, spec, options.limit)
    check_outputs(outputs, [f for source in sources for f in source.files()], options.overwrite)
    report = spoken_report(report, options.by_name)
    print_report(screen, report)
    if options.json:
        write_json(options.json, report.to_dict())
    doubts = None
    if loaded is not None and readable(report, sources):
        doubts = doubted(screen, loaded, readable(report, sources), options.limit)
        print_doubts(screen, doubts)
        if options.doubts:
            doubts.write(options.doubts)
            screen.print(f"list in {options.doubts}", highlight=False)
    if options.html:
        from kseg.reports.check import write_check

        write_check(report, sources, options.html, doubts)
        screen.print(f"page in {options.html}", highlight=False)
    return 0 if report.ok else 1


def model_of(options):
    """What `kseg.load` gives of `--model`, which must be a Keras model; None without.

    Raises:
        ValueError: it is an export; or a list of doubts is asked for without a model.
    """
    if options.model is None:
        if options.others:
            remedy = "Name the first by model='runs/mine'."
            raise refused("others", options.others, "None without a model", remedy)
        if options.doubts is not None:
            expected = "None without a model"
            raise refused("doubts", str(options.doubts), expected, "Give model='runs/mine' too.")
        return None
    from kseg.doubts.doubts import check_list
    from kseg.prediction.predictor import KerasPredictor

    if options.doubts is not None:
        check_list("doubts", options.doubts)
    loaded = loaded_of(options.model, options)
    if not isinstance(loaded, KerasPredictor):
        raise refused("model", options.model, "a run folder or a .keras file, and it is an export")
    return loaded


def readable(report, sources):
    """The sources without the samples that an error was found in, which may stop a model."""
    bad = {sample for finding in report.errors for sample in finding.samples}
    kept = []
    for stats, source in zip(report.sources, sources):
        indices = [i for i in range(len(source)) if (stats.name, i) not in bad]
        if indices:
            kept.append(source.subset(indices) if len(indices) < len(source) else source)
    return kept


def doubted(console, loaded, sources, limit):
    """The labels that a model contradicts, with a bar on a terminal.

    Args:
        console: A `rich` console.
        loaded: A `kseg.prediction.predictor.KerasPredictor`.
        sources: In which.
        limit: Samples of each; None for all.
    """
    from rich.progress import Progress

    from kseg.doubts.find import check_labels
    from kseg.runs.folds import Folds

    runs = [each.run for each in getattr(loaded, "members", [loaded])]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("comparing labels with the model", total=None)
        folds = runs[0] if len(runs) == 1 and isinstance(runs[0], Folds) else None
        doubts = check_labels(
            folds or loaded.model,
            *sources,
            limit=limit,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return dataclasses.replace(doubts, note=note_of(runs, sources))


def note_of(runs, sources):
    """Which of the labels the model has learned from, as far as its run says; else empty.

    Args:
        runs: Of the models that answer together; None for one that comes from none.
        sources: What is looked at.
    """
    from kseg.runs.folds import Folds
    from kseg.training.place import began_with

    known = {run.begun.get("names") for run in runs if run is not None} - {None}
    learned = [each.name for each in sources if began_with(each, None)["names"] in known]
    if not learned:
        return ""
    names = ", ".join(learned)
    if len(runs) == 1 and isinstance(runs[0], Folds):
        return f"Each photo of {names} is judged by the model that has not learned from it."
    who = "The model has" if len(runs) == 1 else f"Of the {len(runs)} models that answer one has"
    return (
        f"{who} learned from the labels of {names}: of slips that it has learned by heart it says "
        "nothing there. A model of another part of the data sees more."
    )


def print_doubts(console, doubts):
    """Prints the most doubtful labels."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title="labels that the model contradicts")
    for heading in ("score", "photo", "labelled", "expected", "box"):
        table.add_column(heading, overflow="fold")
    for each in doubts.rows[:SHOWN_DOUBTS]:
        what = each.given if each.kind == "region" else f"{each.given} ({each.kind})"
        where = ", ".join(map(str, each.box))
        row = (f"{each.score:.3f}", each.sample, what, each.expected, where)
        table.add_row(*map(Text, row))
    if doubts.rows:
        console.print(table)
    console.print(Text(doubts.summary() + (f". {doubts.note}" if doubts.note else "")))


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

"""`kseg report`: a run, or two side by side, as one page."""

from pathlib import Path

from kseg.cli.options import (
    DATA_OPTIONS,
    add_data_options,
    add_overwrite,
    console,
    data_spec,
    given,
)


def add_arguments(parser):
    parser.add_argument("run", help="run folder")
    parser.add_argument("other", nargs="?", help="a second run of the same classes, beside it")
    parser.add_argument(
        "-o", "--output", dest="path", type=Path, metavar="FILE", help="the page (RUN/report.html)"
    )
    add_scored(parser)
    parser.add_argument("--images", type=int, default=12, help="photos shown (%(default)s)")
    add_data_options(parser)
    add_overwrite(parser)


def add_scored(parser):
    """The options that say which photos a run is scored on, and how they are grouped."""
    parser.add_argument(
        "--data", help="labelled data to score on, as for fit; default: the run's own"
    )
    parser.add_argument("--split", default="val", help="train, val or test (%(default)s)")
    parser.add_argument(
        "--group",
        metavar="folder|PATTERN|FILE.csv",
        help="scores by group too, as of evaluate: what the brackets of a regular expression find "
        "in a photo's name, e.g. '^([^_]+)_', or a table; by default folders, where there are "
        "several",
    )
    parser.add_argument("--limit", type=int, help="photos scored, evenly spread (all)")


def run(options):
    from rich.progress import Progress

    from kseg.reports.run import report

    screen = console()
    source = labelled(options, screen)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        path = report(
            options.run,
            options.other,
            path=options.path,
            data=source,
            split=None if options.data else options.split,
            group=options.group,
            images=options.images,
            limit=options.limit,
            overwrite=options.overwrite,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    screen.print(f"page in {path}", highlight=False, markup=False)


def labelled(options, screen):
    """The data that are named for a run to be scored on; None for its own."""
    from kseg.base.arguments import refused
    from kseg.models.contract import task_of
    from kseg.runs.run import Run

    if options.data:
        opened = Run.open(options.run)
        spec = data_spec(options, screen).for_task(task_of(opened.load_model()))
        return spec.open(options.split)
    for name, value in given(options, DATA_OPTIONS).items():
        expected = "None for the run's own data"
        raise refused(name, value, expected, "Leave it out, or name the data too (data=).")
    return None

"""`kseg card`: what a run has become, as Markdown to be passed on beside it."""

from pathlib import Path

from kseg.cli.options import add_data_options, add_overwrite, console
from kseg.cli.report import add_scored, labelled
from kseg.cli.tables import with_bar


def add_arguments(parser):
    parser.add_argument("run", help="run folder")
    parser.add_argument(
        "-o", "--output", dest="path", type=Path, metavar="FILE", help="the card (RUN/card.md)"
    )
    add_scored(parser)
    parser.add_argument(
        "--surface", action="store_true", help="of labels: surface distances too, HD95"
    )
    parser.add_argument(
        "--bootstrap",
        type=int,
        default=1000,
        metavar="N",
        help="draws of the photos for the intervals (%(default)s); 0 for none",
    )
    parser.add_argument(
        "--notes",
        type=Path,
        metavar="FILE",
        help="Markdown of your own for the end: what the model is for, the licence of the data",
    )
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    from kseg.base.outputs import check_outputs
    from kseg.reports.card import FILE, card

    screen = console()
    notes = None if options.notes is None else options.notes.read_text(encoding="utf-8")
    if options.notes is not None:
        path = options.path or Path(options.run) / FILE
        check_outputs([("path", path)], [options.notes], options.overwrite)
    source = labelled(options, screen)
    with with_bar(screen, "scoring", options.limit) as progress:
        path = card(
            options.run,
            options.path,
            data=source,
            split=None if options.data else options.split,
            group=options.group,
            limit=options.limit,
            surface=options.surface,
            bootstrap=options.bootstrap or None,
            notes=notes,
            overwrite=options.overwrite,
            progress=progress,
        )
    screen.print(f"card in {path}", highlight=False, markup=False)

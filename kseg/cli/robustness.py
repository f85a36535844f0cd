"""`kseg robustness`: a run or an export under corruptions, at other scales, in other light."""

import argparse
from pathlib import Path

from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.cli.options import (
    add_data_options,
    add_overwrite,
    console,
    data_spec,
    given,
    names,
    outputs_of,
    own_data,
)
from kseg.cli.tables import print_table


def add_arguments(parser):
    parser.add_argument("run", help="run folder, .keras file or export")
    parser.add_argument("data", nargs="?", help="as for fit; default: the run's own")
    parser.add_argument("--split", default="val", help="train, val or test (%(default)s)")
    parser.add_argument(
        "--corruptions",
        type=several,
        metavar="NAME[,NAME...]",
        help="of the fifteen common ones, rain and night (all); none for none",
    )
    for name, metavar, text in (
        ("severities", "1..5", "of the corruptions (1,2,3,4,5)"),
        ("scales", "FACTOR", "of the photos' sides (0.5,0.75,1.5,2); none for none"),
        ("exposures", "FACTOR", "of their light (0.25,0.5,2,4); none for none"),
    ):
        parser.add_argument(f"--{name}", type=numbers, metavar=f"{metavar}[,...]", help=text)
    parser.add_argument(
        "--group",
        metavar="folder|PATTERN|FILE.csv",
        help="scenes, as of evaluate: the folders of the photos, what the brackets of a regular "
        "expression find in their names, e.g. '(.*)_', or a table",
    )
    parser.add_argument(
        "--class-map",
        type=class_map,
        metavar="THEIRS=OURS[,...]",
        help="classes of another data set, by name; THEIRS= alone is not scored",
    )
    parser.add_argument("--images", type=int, help="photos to look at, evenly spread (all)")
    parser.add_argument("--worst", type=int, help="photos to name, or to show with --html (8)")
    parser.add_argument("--seed", type=int, help="of what is random in corruptions (0)")
    parser.add_argument(
        "--file",
        type=Path,
        metavar="FILE",
        help="keep scores here as they come: the same command then goes on where it was stopped",
    )
    for name, text in (
        ("json", "also write the numbers here"),
        ("csv", "also write a row for each condition, scene and photo here"),
        ("html", "also write a page here, with the worst pictures first"),
    ):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    from kseg.deployment.load import load
    from kseg.models.contract import task_of

    screen = console()
    loaded = load(options.run)
    spec = data_spec(options, screen) if options.data else own_data(loaded, options)
    outputs, read = outputs_of(options, "json", "csv", "html"), [*spec.folders(), *loaded.files()]
    check_outputs(outputs, read, options.overwrite)
    check_outputs(outputs_of(options, *FILES), read, overwrite=True)  # each another; FILE goes on
    source = spec.for_task(task_of(loaded)).open(options.split)
    check_outputs(outputs, source.files(), options.overwrite)
    found = scored(screen, loaded, source, options)
    for table in found.tables:
        print_table(screen, table)
    for each in found["worst"]:
        line = f"{each['id']}, {each['condition']}: {each['score']:.3f}"
        screen.print(line, highlight=False, markup=False)
    if options.json:
        write_json(options.json, found)
    if options.csv:
        found.write_csv(options.csv)
    if options.html:
        from kseg.reports.robustness import write_robustness
        from kseg.shifts.classes import looked_at

        shown = looked_at(source, loaded.class_names, options.class_map, options.images)
        write_robustness(found, loaded, shown, options.html)
        screen.print(f"page in {options.html}", highlight=False)


def scored(screen, loaded, source, options):
    """`kseg.robustness`, with a bar on a terminal."""
    from rich.progress import Progress

    from kseg.shifts.robustness import robustness

    asked = given(options, ASKED)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(f"scoring {source.name}", total=None)

        def progress(done, total, name):
            bar.update(task, completed=done, total=total, description=name)

        return robustness(loaded, source, **asked, overwrite=options.overwrite, progress=progress)


FILES = ("file", "json", "csv", "html")
ASKED = (
    "corruptions",
    "severities",
    "scales",
    "exposures",
    "group",
    "class_map",
    "images",
    "worst",
    "seed",
    "file",
)


def several(text):
    """`fog,snow` -> ("fog", "snow"); `none` -> ()."""
    return () if text.strip() == "none" else names(text)


def numbers(text):
    """`0.5,2` -> (0.5, 2), whole numbers as integers; `none` -> ()."""
    try:
        parts = several(text)
        return tuple(int(part) if part.isdigit() else float(part) for part in parts)
    except ValueError:
        message = f"{text!r}: expected numbers, e.g. 1,3,5 or 0.5,2, or none"
        raise argparse.ArgumentTypeError(message) from None


def class_map(text):
    """`road=Road,misc=` -> {"road": "Road", "misc": None}."""
    pairs = [part.partition("=") for part in names(text)]
    if not all(theirs and sign for theirs, sign, _ in pairs):
        message = f"{text!r}: expected THEIRS=OURS[,THEIRS=OURS...], e.g. road=Road,misc="
        raise argparse.ArgumentTypeError(message)
    return {theirs.strip(): ours.strip() or None for theirs, _, ours in pairs}

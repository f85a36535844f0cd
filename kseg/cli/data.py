"""`kseg data`: what was understood of a data set: its layout, counts, classes, sizes, pictures."""

import tempfile
from pathlib import Path

from kseg.base.outputs import check_outputs
from kseg.checks.check import check
from kseg.checks.statistics import size_line
from kseg.cli.options import (
    DATA,
    add_data_options,
    add_overwrite,
    console,
    data_spec,
    opened_splits,
    outputs_of,
)

LOOKED_AT = 100  # samples of each split


def add_arguments(parser):
    parser.add_argument("data", help=DATA)
    parser.add_argument("--instances", action="store_true", help="objects, not labels")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the pictures (a PNG in a new folder)"
    )
    parser.add_argument("--limit", type=int, help=f"samples of each split to count ({LOOKED_AT})")
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    from kseg.reports.samples import write_samples

    screen = console()
    spec, outputs = data_spec(options, screen, options.instances), outputs_of(options, "output")
    check_outputs(outputs, spec.folders(), options.overwrite)
    sources = opened_splits(spec)
    files = [file for source in sources.values() for file in source.files()]
    check_outputs(outputs, files, options.overwrite)
    limit = LOOKED_AT if options.limit is None else options.limit
    report = check(*sources.values(), limit=limit, duplicates=False)
    print_table(screen, spec, sources, report.sources)
    path = options.output or Path(tempfile.mkdtemp(prefix="kseg-")) / f"{spec.kind}.png"
    write_samples(next(iter(sources.values())), path)
    screen.print(f"three samples with their labels: {path}", highlight=False, soft_wrap=True)
    if report.errors:
        found = f"{len(report.errors)} kinds of errors in what was looked at"
        screen.print(f"{found}: kseg check tells them", style="yellow", highlight=False)


def print_table(screen, spec, sources, statistics):
    """Prints the splits, then the classes with their colours and what was counted of them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    first = next(iter(sources.values()))
    screen.print(Text(f"{spec.spec}: {first.task}, {first.num_classes} classes"))
    for split, each in zip(sources, statistics):
        looked = "" if each.read == each.samples else f" ({each.read} looked at)"
        sizes = size_line(each).partition(";")[0]
        screen.print(Text(f"  {split}: {each.samples} samples{looked}; {sizes}"))
    objects = statistics[0].instances is not None
    table = Table(box=box.SIMPLE_HEAD)
    for heading in (
        "id",
        "",
        "class",
        *(f"{s}: {'objects' if objects else 'share'}, images" for s in sources),
    ):
        table.add_column(heading, justify="left" if heading in ("", "class") else "right")
    for class_id, name in enumerate(first.class_names):
        cells = [_counted(each, class_id, objects) for each in statistics]
        color = "rgb({},{},{})".format(*first.colors[class_id])
        table.add_row(str(class_id), Text("██", style=color), Text(name), *cells)
    screen.print(table)


def _counted(statistics, class_id, objects):
    """What was counted of a class in a split."""
    images = f"{statistics.images[class_id]:,}"
    if objects:
        return f"{statistics.instances[class_id]:,}, {images}"
    share = statistics.pixels[class_id] / max(1, int(statistics.pixels.sum()))
    return f"{share:.1%}, {images}"

"""`kseg adapt`: a model whose batch norms know the photos of a new scene."""

from pathlib import Path

from kseg.cli.options import add_overwrite, console, given
from kseg.cli.predict import photos_of


def add_arguments(parser):
    parser.add_argument("run", help="run folder or .keras file")
    parser.add_argument("photos", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        help="a .keras file; or of a run, a folder for a run of the adapted model, with its names",
    )
    parser.add_argument(
        "--prior", type=float, help="photos that the statistics of training count as (16)"
    )
    parser.add_argument("--passes", type=int, help="how often the photos go through (1)")
    add_overwrite(parser)


def run(options):
    from rich.progress import Progress

    from kseg.deployment.load import load
    from kseg.shifts.adapt import adapt, check_adapted, write_adapted

    screen = console()
    loaded = load(options.run)
    photos = [photo for path in options.photos for photo in photos_of(screen, path)]
    check_adapted(loaded, options.output, photos, options.overwrite)
    asked = given(options, ("prior", "passes"))
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("adapting", total=len(photos) * (options.passes or 1))
        model = adapt(loaded, photos, **asked, progress=lambda done: bar.advance(task))
    write_adapted(model, loaded, options.output)
    line = f"adapted to {len(photos)} photos: {options.output}"
    screen.print(line, highlight=False, markup=False)

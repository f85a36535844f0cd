"""`kseg convert`: a data set in another layout, exactly."""

from kseg.cli.options import DATA, add_data_options, console, data_spec, opened_splits

TO = "coco:PATH, voc:PATH, cityscapes:PATH, yolo:PATH, folder:PATH or records:PATH; a new folder"


def add_arguments(parser):
    parser.add_argument("data", help=DATA)
    parser.add_argument("to", help=TO)
    parser.add_argument("--instances", action="store_true", help="convert objects, not labels")
    add_data_options(parser)


def run(options):
    from rich.progress import Progress

    from kseg.data.writers.convert import check_free, convert, left_behind, target

    screen = console()
    kind, path = target(options.to)
    spec = data_spec(options, screen, options.instances)
    check_free(path, spec.folders())
    sources = opened_splits(spec)
    total = sum(map(len, sources.values()))
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(f"writing {kind}", total=total)
        convert(sources, options.to, progress=lambda done: bar.update(task, completed=done))
    counts = ", ".join(f"{len(source)} {split}" for split, source in sources.items())
    screen.print(f"{counts} samples in {path}", highlight=False)
    if lost := left_behind(sources, kind):
        screen.print(lost, style="yellow", highlight=False)

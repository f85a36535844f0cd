"""What `kseg export` does, and what `kseg info` says of an exported model."""

from kseg.load import read_about


def export(options):
    """Exports a run or a `.keras` file; the table of the comparison is printed."""
    import kseg
    from kseg.data.named import Named

    source = None
    if options.data:
        named = Named(options.data, options.classes, options.values, options.val_fraction)
        source = named.resolved().open(options.split)
    given = {
        name: getattr(options, name)
        for name in (
            "name",
            "version",
            "signatures",
            "resize",
            "max_pixels",
            "overlay",
            "tile",
            "overlap",
            "min_score",
            "threshold",
            "shape",
            "precision",
            "samples",
            "tolerance",
            "max_drop",
        )
        if getattr(options, name) is not None
    }
    exported = kseg.export(options.run, options.path, options.format, source=source, **given)
    if options.format == "saved_model":
        base = exported.path.parent.resolve()
        print(
            f"tensorflow_model_server --rest_api_port=8501 --model_name={base.name} "
            f"--model_base_path={base}"
        )


def print_saved_model(console, folder):
    """Prints what a SavedModel of kseg is, and each signature with its inputs and outputs."""
    from rich import box
    from rich.table import Table

    about = read_about(folder)
    names = about["class_names"]
    console.print(
        f"[bold]{folder}[/bold]: {about['name']}, {about['task']}, {len(names)} classes: "
        + ", ".join(names),
        highlight=False,
    )
    for name, value in {**about["options"], "kseg": about["kseg"]}.items():
        if name not in ("signatures", "colors"):
            console.print(f"  {name}: {value}", highlight=False)
    for name, signature in about["signatures"].items():
        table = Table(box=box.SIMPLE_HEAD, title=f"{name}: {signature['about']}")
        for heading in ("", "name", "type", "shape", "what"):
            table.add_column(heading)
        for way in ("inputs", "outputs"):
            for key, spec in signature[way].items():
                shape = ", ".join("any" if side is None else str(side) for side in spec["shape"])
                table.add_row(way[:-1], key, spec["type"], shape, spec.get("about", ""))
        console.print(table)

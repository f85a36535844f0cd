"""Scores as tables on a terminal, and the bar while they are computed."""

# Key of a class' score -> heading and format; `mean_` and the key is its mean.
COLUMNS = {
    "iou": ("IoU", ".3f"),
    "dice": ("Dice", ".3f"),
    "accuracy": ("accuracy", ".3f"),
    "boundary_iou": ("boundary IoU", ".3f"),
    "boundary_f1": ("boundary F1", ".3f"),
    "hd95": ("HD95", ".2f"),
    "asd": ("ASD", ".2f"),
}


def evaluated(console, model, source, **extras):
    """`kseg.evaluate` with a bar on a terminal."""
    from rich.progress import Progress

    from kseg.evaluation.evaluate import evaluate

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"scoring {source.name}", total=len(source))
        return evaluate(
            model, source, progress=lambda done: bar.update(task, completed=done), **extras
        )


def print_label_scores(console, source, scores):
    from rich import box
    from rich.table import Table

    title = f"{source.name}: {scores['images']} images, {scores['pixels']:,} labelled pixels"
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("class")
    columns = {key: column for key, column in COLUMNS.items() if f"mean_{key}" in scores}
    for heading, _ in columns.values():
        table.add_column(heading, justify="right")
    table.add_column("pixels", justify="right")
    for name, row in scores["classes"].items():
        numbers = (format(row[key], form) for key, (_, form) in columns.items())
        table.add_row(name, *numbers, f"{row['pixels']:,}")
    table.add_section()
    means = (format(scores[f"mean_{key}"], form) for key, (_, form) in columns.items())
    table.add_row("mean", *means, f"{scores['pixels']:,}")
    console.print(table)
    console.print(f"pixel accuracy {scores['pixel_accuracy']:.3f}", highlight=False)
    if "mean_hd95" in scores:
        missed = sum(row["surface_missed"] for row in scores["classes"].values())
        images = sum(row["surface_images"] for row in scores["classes"].values())
        console.print(
            f"distances in pixels; in {missed} of {images} cases the class was only in the truth "
            "or only predicted, which counts as the image diagonal",
            highlight=False,
        )
    if "calibration_error" in scores:
        console.print(f"calibration error {scores['calibration_error']:.3f}", highlight=False)


OBJECT_COLUMNS = {
    "box_ap": "box AP",
    "mask_ap": "mask AP",
    "pq": "PQ",
    "sq": "SQ",
    "rq": "RQ",
}


def print_object_scores(console, source, scores):
    """Prints a table of classes, and one of IoUs and areas."""
    from rich import box
    from rich.table import Table

    title = (
        f"{source.name}: {scores['images']} images, {scores['objects']:,} objects, "
        f"{scores['detections']:,} detections"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("class")
    for heading in (*OBJECT_COLUMNS.values(), "objects"):
        table.add_column(heading, justify="right")
    for name, row in scores["classes"].items():
        table.add_row(name, *(f"{row[key]:.3f}" for key in OBJECT_COLUMNS), f"{row['objects']:,}")
    table.add_section()
    means = (f"{scores[key]:.3f}" for key in OBJECT_COLUMNS)
    table.add_row("mean", *means, f"{scores['objects']:,}")
    console.print(table)

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("", "AP", "AP50", "AP75", "small", "medium", "large"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind in ("box", "mask"):
        keys = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
        table.add_row(kind, *(f"{scores[f'{kind}_{key}']:.3f}" for key in keys))
    console.print(table)

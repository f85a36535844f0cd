"""`kseg info`: versions and devices, or what a run or an export holds."""

import os

from kseg.cli.options import console
from kseg.deployment.saved_model.predictor import read_about, saved_model_folder

HELP = "Show versions and devices, or what a run or an export holds."


def add_arguments(parser):
    parser.add_argument("run", nargs="?", help="run folder, or exported SavedModel")


def run(options):
    screen = console()
    exported = options.run and saved_model_folder(options.run)
    if exported:
        print_saved_model(screen, exported)
        return
    if options.run:
        from kseg.runs.run import Run

        run = Run.open(options.run)
        screen.print(
            f"[bold]{run.path}[/bold]: {run.num_classes} classes: " + ", ".join(run.class_names),
            highlight=False,
        )
        for name, value in {**run.settings, "data": run.data}.items():
            screen.print(f"  {name}: {value}", highlight=False)
        rows = run.history()
        if rows:
            best = "".join(f", best {name}: {value:.4f}" for name, value in run.best().items())
            screen.print(f"  epochs done: {rows[-1]['epoch']:.0f}{best}", highlight=False)
        return
    import importlib.metadata
    import platform

    screen.print(
        f"python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores",
        highlight=False,
    )
    for package in ("kseg", "keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            screen.print(f"{package} {importlib.metadata.version(package)}", highlight=False)
        except importlib.metadata.PackageNotFoundError:
            screen.print(f"{package} not installed", highlight=False)
    import keras

    screen.print(f"backend {keras.backend.backend()} on {_devices(keras)}", highlight=False)


def _devices(keras):
    if keras.backend.backend() == "torch":  # keras.distribution does not know PyTorch yet
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return ", ".join(keras.distribution.list_devices())


def print_saved_model(screen, folder):
    """Prints what a SavedModel of kseg is, and each signature with its inputs and outputs."""
    from rich import box
    from rich.table import Table

    about = read_about(folder)
    names = about["class_names"]
    screen.print(
        f"[bold]{folder}[/bold]: {about['name']}, {about['task']}, {len(names)} classes: "
        + ", ".join(names),
        highlight=False,
    )
    for name, value in {**about["options"], "kseg": about["kseg"]}.items():
        if name not in ("signatures", "colors"):
            screen.print(f"  {name}: {value}", highlight=False)
    for name, signature in about["signatures"].items():
        table = Table(box=box.SIMPLE_HEAD, title=f"{name}: {signature['about']}")
        for heading in ("", "name", "type", "shape", "what"):
            table.add_column(heading)
        for way in ("inputs", "outputs"):
            for key, spec in signature[way].items():
                shape = ", ".join("any" if side is None else str(side) for side in spec["shape"])
                table.add_row(way[:-1], key, spec["type"], shape, spec.get("about", ""))
        screen.print(table)

"""`kseg info`: versions and devices, or what a run, a model or an export holds."""

import os
from pathlib import Path

from kseg.base.shown import counted
from kseg.cli.options import console

# Of what an export says of itself, what is not a line of its own
IN_OTHER_LINES = (
    "class_names",
    "colors",
    "name",
    "options",
    "outputs",
    "score",
    "signatures",
    "task",
)


def add_arguments(parser):
    parser.add_argument("run", nargs="?", help="run folder, .keras file or export")


def run(options):
    screen = console()
    if options.run:
        from kseg.deployment.saved_model.predictor import saved_model_folder

        exported = saved_model_folder(options.run)
        if exported:  # without TensorFlow: it is written down, as of a run
            print_saved_model(screen, exported)
        elif Path(options.run, "run.json").is_file():
            print_run(screen, options.run)
        else:
            print_loaded(screen, options.run)
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


def told_settings(run):
    """The settings of a run in effect, by group and name, and its data."""
    from kseg.training.recipe import to_groups
    from kseg.training.settings import from_dict

    groups = to_groups(from_dict(run.settings), run.data)
    return {
        f"{group}.{key}": value for group, keys in groups.items() for key, value in keys.items()
    }


def _devices(keras):
    if keras.backend.backend() == "torch":  # keras.distribution does not know PyTorch yet
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return ", ".join(keras.distribution.list_devices())


def print_loaded(screen, path):
    """Prints what `kseg.load` makes of a path: a `.keras` file or a bare network."""
    from kseg.deployment.formats.predictor import NetworkPredictor
    from kseg.deployment.load import load

    loaded = load(path)
    if isinstance(loaded, NetworkPredictor):
        print_network(screen, loaded)
    else:
        _head(screen, path, f"{loaded.model.name}, {loaded.task}", loaded.class_names)
        _lines(screen, _of_model(loaded))


def print_run(screen, path):
    """Prints the settings of a run, and how far it has come."""
    from kseg.runs.run import Run

    run = Run.open(path)
    _head(screen, run.path, "run", run.class_names)
    _lines(screen, told_settings(run))
    rows = run.history()
    if rows:
        best = "".join(f", best {name}: {value:.4f}" for name, value in run.best().items())
        screen.print(f"  epochs done: {rows[-1]['epoch']:.0f}{best}", highlight=False)


def _of_model(loaded):
    from kseg.models.contract import fixed_size

    return {
        "channels": loaded.channels,
        "value_range": loaded.value_range,
        "shape": list(fixed_size(loaded.model)),
        "parameters": f"{loaded.model.count_params():,}",
    }


def print_network(screen, loaded):
    """Prints what a file of ONNX, LiteRT or OpenVINO says of itself, its input and its output."""
    about, model = loaded.about, loaded.model
    if about is None:
        _head(screen, loaded.path, f"{loaded.format}, {loaded.task}", loaded.class_names)
        screen.print("  It says nothing of itself: taken for semantic, of numbered classes.")
        _lines(screen, {"shape": list(model.shape)})
    else:
        _head(screen, loaded.path, f"{about['name']}, {loaded.task}", loaded.class_names)
        _lines(screen, {"format": loaded.format, **about["options"], **_others(about)})
    batch = 1 if loaded.format == "litert" else None
    taken = {"type": model.kind, "shape": [batch, *model.shape, model.channels]}
    given = {"type": "float32", "shape": [batch, *model.shape, (about or {}).get("outputs")]}
    given["about"] = "at the size of the images"
    signature = {"inputs": {"images": taken}, "outputs": {"logits": given}}
    about = "decoded images of one size -> logits"
    _print_signature(screen, "network", {"about": about, **signature})


def print_saved_model(screen, folder):
    """Prints what a SavedModel of kseg is, and each signature with its inputs and outputs."""
    from kseg.deployment.saved_model.predictor import read_about

    about = read_about(folder)
    _head(screen, folder, f"{about['name']}, {about['task']}", about["class_names"])
    _lines(screen, {"format": "saved_model", **about["options"], **_others(about)})
    for name, signature in about["signatures"].items():
        _print_signature(screen, name, signature)


def _head(screen, path, what, class_names):
    """The first line: what it is, and its classes."""
    from rich.markup import escape

    text = f"{what}, {counted(len(class_names), 'class')}: {', '.join(class_names)}"
    screen.print(f"[bold]{escape(str(path))}[/bold]: {escape(text)}", highlight=False)


def _lines(screen, values):
    for name, value in values.items():
        if name not in IN_OTHER_LINES:
            screen.print(f"  {name}: {value}", highlight=False, markup=False)


def _others(about):
    return {name: value for name, value in about.items() if name not in IN_OTHER_LINES}


def _print_signature(screen, name, signature):
    """A table of what is taken and given."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"{name}: {signature['about']}")
    for heading in ("", "name", "type", "shape", "what"):
        table.add_column(heading)
    for way in ("inputs", "outputs"):
        for key, spec in signature[way].items():
            shape = ", ".join("any" if side is None else str(side) for side in spec["shape"])
            table.add_row(way[:-1], key, spec["type"], shape, spec.get("about", ""))
    screen.print(table)

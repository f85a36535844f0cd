"""What each command of `kseg` does with its parsed options.

Keras and TensorFlow take seconds to import, so only the commands that need them do.
"""

import dataclasses
import os
import sys
import time
from pathlib import Path

from kseg import export_cli, instance_cli
from kseg.instances import is_instance
from kseg.load import saved_model_folder

DATA = (
    "camvid:PATH, voc:PATH, cityscapes:PATH, coco:PATH, tfds:NAME, folder:PATH, records:PATH "
    "or shapes"
)

# What `kseg fit --model` takes: `kseg.build_...`
MODELS = ("unet", "fcn8s", "fcn16s", "fcn32s", "fcn", "deeplabv3", "deeplabv3plus")

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


def check(options):
    from kseg import check_cli, check_page

    console = _console()
    report, sources = check_cli.checked(console, _named(options), options.limit)
    check_cli.print_report(console, report)
    if options.json:
        _write_json(options.json, report.to_dict())
    if options.html:
        check_page.page(report, sources, options.html)
        console.print(f"page in {options.html}", highlight=False)
    return 0 if report.ok else 1


def fit(options):
    console = _console()
    from kseg.data.named import Named
    from kseg.runs import Run

    if options.resume:
        saved = Run.open(options.run)
        if not saved.data:
            raise ValueError(f"{options.run!r} was started from Python: resume it with kseg.fit.")
        named = Named(**_tuples(saved.data))
    elif not options.data:
        raise ValueError(f"no data: give {DATA}, or --resume.")
    else:
        named = _named(options)
    train, val = named.open("train"), named.open("val")
    keras, kseg = _import_keras()
    model = settings = None
    if not options.resume:
        keras.utils.set_random_seed(options.seed or 0)
        settings = _settings(kseg, options)
        model = _built(kseg, options, train.num_classes)
    console.print(f"training on {len(train)} images, validating on {len(val)}", highlight=False)
    _train_and_report(console, model, train, val, options, settings, named)


def _built(kseg, options, num_classes):
    """The network that the options of `fit` ask for; what is not given is the builder's default."""
    names = ("encoder", "weights", "width", "depth", "logits_stride")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.freeze:
        given["freeze"] = True
    if options.model != "unet":
        for name in ("depth", "logits_stride"):
            if name in given:
                raise ValueError(
                    f"--{name.replace('_', '-')} {given[name]} goes with --model unet, but the "
                    f"model is {options.model}: leave it out."
                )
    elif options.encoder is None:
        given = {"width": 32, **given}  # half the paper's: a quarter of its time
    return getattr(kseg, f"build_{options.model}")(num_classes, **given)


def demo(options):
    console = _console()
    from kseg.data.named import Named

    named = Named(options.data).resolved()
    train, val = named.open("train"), named.open("val")
    keras, kseg = _import_keras()
    shapes = options.data == "shapes"
    keras.utils.set_random_seed(0)
    model = kseg.build_unet(
        train.num_classes, width=16 if shapes else 32, depth=3, logits_stride=2 if shapes else 4
    )
    settings = kseg.Settings(
        size=(96, 96) if shapes else (224, 320),
        scale=(0.8, 1.25) if shapes else (0.6, 1.4),
        batch_size=4 if shapes else 8,
        epochs=options.epochs or (7 if shapes else 3),
        learning_rate=4e-3 if shapes else 2e-3,
        validate_epochs=4,
    )
    options.run = _fresh(options.run)
    options.resume = False
    console.print(
        f"A U-Net of {model.count_params():,} weights learns {train.num_classes} classes from "
        f"{len(train)} images on {keras.backend.backend()}.",
        highlight=False,
    )
    _train_and_report(console, model, train, val, options, settings, named)
    folder = Path(options.run)
    written = _predict_files(kseg, folder, _demo_photos(val, folder), folder / "predictions")
    console.print(f"{len(written)} overlays in {folder / 'predictions'}", highlight=False)


def evaluate(options):
    console = _console()
    from kseg.data.named import Named
    from kseg.runs import Run

    run = Run.open(options.run)
    if options.data:
        named = _named(options)
    elif run.data:
        named = Named(**_tuples(run.data))
    else:
        raise ValueError(f"{options.run!r} does not say its data: give them, e.g. camvid:PATH.")
    _, kseg = _import_keras()
    model = run.load_model()
    instances = is_instance(model)
    source = dataclasses.replace(named, instances=instances).open(options.split)
    extras = ("boundary", "surface", "calibration", "detections")
    scores = _evaluate(
        console, kseg, model, source, **{name: getattr(options, name) for name in extras}
    )
    (instance_cli.print_scores if instances else _print_scores)(console, source, scores)
    if options.json:
        _write_json(options.json, scores)


def predict(options):
    console = _console()
    from kseg.data.files import PHOTOS, list_files

    photos = []
    for path in options.photos:
        photos += map(Path, list_files(path, PHOTOS, "photos")) if path.is_dir() else [path]
    for photo in photos:
        if not photo.is_file():
            raise FileNotFoundError(f"{str(photo)!r} does not exist: expected an image file.")
    _, kseg = _import_keras()
    written = _predict_files(kseg, options.run, photos, options.output, options.min_score)
    console.print(f"{len(written)} masks and overlays in {options.output}", highlight=False)


def info(options):
    console = _console()
    exported = options.run and saved_model_folder(options.run)
    if exported:
        export_cli.print_saved_model(console, exported)
        return
    if options.run:
        from kseg.runs import Run

        run = Run.open(options.run)
        console.print(
            f"[bold]{run.path}[/bold]: {run.num_classes} classes: " + ", ".join(run.class_names),
            highlight=False,
        )
        for name, value in {**run.settings, "data": run.data}.items():
            console.print(f"  {name}: {value}", highlight=False)
        rows = run.history()
        if rows:
            best = max((row.get("val_mean_iou", 0.0) for row in rows), default=0.0)
            console.print(
                f"  epochs done: {rows[-1]['epoch']:.0f}, best validation mean IoU: {best:.4f}",
                highlight=False,
            )
        return
    import importlib.metadata
    import platform

    console.print(
        f"python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores",
        highlight=False,
    )
    for package in ("kseg", "keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            console.print(f"{package} {importlib.metadata.version(package)}", highlight=False)
        except importlib.metadata.PackageNotFoundError:
            console.print(f"{package} not installed", highlight=False)
    keras, _ = _import_keras()
    console.print(f"backend {keras.backend.backend()} on {_devices(keras)}", highlight=False)


def _devices(keras):
    if keras.backend.backend() == "torch":  # keras.distribution does not know PyTorch yet
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return ", ".join(keras.distribution.list_devices())


def _train_and_report(console, model, train, val, options, settings, named):
    import kseg
    from kseg import report

    started = time.perf_counter()
    try:
        kseg.fit(
            model,
            train,
            val,
            run=options.run,
            settings=settings,
            resume=options.resume,
            data=dataclasses.asdict(named),
            check_data=not getattr(options, "no_check", False),
        )
    except KeyboardInterrupt:
        if (Path(options.run) / "last.keras").exists():
            print(
                f"kseg: stopped; `kseg fit --resume --run {options.run}` goes on", file=sys.stderr
            )
        raise
    run = kseg.Run.open(options.run)
    model = run.load_model()
    scores = _evaluate(console, kseg, model, val)
    _print_scores(console, val, scores)
    _write_json(run.path / "evaluation.json", scores)
    report.sheet(model, val, run.path / "validation.png")
    report.curve(run.history(), run.path / "curve.png")
    seconds = time.perf_counter() - started
    console.print(
        f"mean IoU {scores['mean_iou']:.3f} in {seconds:.0f} s; pictures and model in {run.path}",
        highlight=False,
    )


def _evaluate(console, kseg, model, source, **extras):
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"scoring {source.name}", total=len(source))
        return kseg.evaluate(
            model, source, progress=lambda done: bar.update(task, completed=done), **extras
        )


def _print_scores(console, source, scores):
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


def _predict_files(kseg, run, photos, output, min_score=None):
    """Writes NAME.png (ids), or NAME.json (objects), and NAME_overlay.png; returns their paths."""
    from kseg.data.files import load_photo

    run = kseg.Run.open(run)
    names = [photo.stem for photo in photos]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(
            f"Several photos are called {sorted(repeated)[0]!r}: their masks would overwrite each "
            "other. Predict them into different folders."
        )
    model = run.load_model()
    if is_instance(model):
        score = 0.5 if min_score is None else min_score
        return [
            instance_cli.predict_file(model, load_photo(photo), run, output / photo.stem, score)
            for photo in photos
        ]
    if min_score is not None:
        raise ValueError(f"--min-score {min_score} goes with instance models: leave it out.")
    return [_predict_labels(model, load_photo(photo), run, output / photo.stem) for photo in photos]


def _predict_labels(model, image, run, path):
    import numpy as np

    from kseg import predict, report

    labels = predict(model, image)
    mask = path.with_name(f"{path.name}.png")
    report.save(labels.astype(np.uint8), mask)
    picture = report.overlay(image, labels, run.colors, void=run.void)
    report.save(picture, path.with_name(f"{path.name}_overlay.png"))
    return mask


def _demo_photos(source, folder, count=8):
    """A few validation photos as PNG files, as a user's own would lie there."""
    from kseg import report

    photos = []
    for index in range(min(count, len(source))):
        path = folder / "photos" / f"{source.ids[index]}.png"
        report.save(source[index]["image"], path)
        photos.append(path)
    return photos


def _fresh(path):
    """`path`, or the first of `path-2`, `path-3`, ... that holds no run yet."""
    candidate, number = Path(path), 1
    while (candidate / "run.json").exists():
        number += 1
        candidate = Path(f"{path}-{number}")
    return str(candidate)


def _settings(kseg, options):
    given = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(kseg.Settings)
        if getattr(options, field.name, None) is not None
    }
    return kseg.Settings(**given)


def _named(options):
    from kseg.data.named import Named

    named = Named(
        options.data,
        options.classes,
        options.values,
        options.val_fraction,
        getattr(options, "instances", False),
    )
    return named.resolved()


def _tuples(values):
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _import_keras():
    import keras

    import kseg

    return keras, kseg


def _console():
    from rich.console import Console

    return Console()


def _write_json(path, content):
    import json

    from kseg.runs import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")

"""`kseg demo`: trains, evaluates and draws, without any data of the user's own."""

import os
from pathlib import Path

from kseg.cli.fit import train_and_report
from kseg.cli.options import DATA, console
from kseg.prediction.files import OVERLAYS, predict_files

HELP = "Train, evaluate and draw, without any data of your own."


def add_arguments(parser):
    parser.add_argument("--data", default="shapes", help=f"shapes (default), or {DATA}")
    parser.add_argument("--run", default="runs/demo", help="folder to make (%(default)s)")
    parser.add_argument("--epochs", type=int, help="passes over the data (about 2 minutes of them)")


def run(options):
    import keras

    from kseg.data.spec import DataSpec
    from kseg.deployment.load import load
    from kseg.models import build_unet
    from kseg.training.settings import Settings

    screen = console()
    spec = DataSpec(options.data).resolved()
    train, val = spec.open("train"), spec.open("val")
    shapes = options.data == "shapes"
    keras.utils.set_random_seed(0)
    model = build_unet(
        train.num_classes, width=16 if shapes else 32, depth=3, logits_stride=2 if shapes else 4
    )
    settings = Settings(
        size=(96, 96) if shapes else (224, 320),
        scale=(0.8, 1.25) if shapes else (0.6, 1.4),
        batch_size=4 if shapes else 8,
        epochs=options.epochs if options.epochs is not None else 7 if shapes else 3,
        learning_rate=4e-3 if shapes else 2e-3,
        validate_epochs=4,
    )
    options.run = fresh(options.run)
    options.resume = options.overwrite = False
    screen.print(
        f"A U-Net of {model.count_params():,} weights learns {train.num_classes} classes from "
        f"{len(train)} images on {keras.backend.backend()}.",
        highlight=False,
    )
    train_and_report(screen, model, train, val, options, settings, spec)
    folder = Path(options.run)
    written = predict_files(load(folder), demo_photos(val, folder), folder / "predictions")
    screen.print(f"{len(written)} overlays in {folder / 'predictions' / OVERLAYS}", highlight=False)


def demo_photos(source, folder, count=8):
    """A few validation photos as PNG files, as a user's own would lie there."""
    from kseg.pictures.image import save

    photos = []
    for index in range(min(count, len(source))):
        path = folder / "photos" / f"{source.ids[index]}.png"
        save(source[index]["image"], path)
        photos.append(path)
    return photos


def fresh(path):
    """`path`, or the first of `path-2`, `path-3`, ... where nothing is yet."""
    candidate, number = Path(path), 1
    while os.path.lexists(candidate) and not (candidate.is_dir() and not os.listdir(candidate)):
        number += 1
        candidate = Path(f"{path}-{number}")
    return str(candidate)

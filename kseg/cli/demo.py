"""`kseg demo`: trains, evaluates and draws, without any data of the user's own."""

import os
from pathlib import Path

from kseg.cli.fit import train_and_report
from kseg.cli.options import DATA, console
from kseg.prediction.files import OVERLAYS, predict_files

# Photos of a size that is worth looking at. The network sees them smaller, which it learns sooner:
# mean IoU 0.77 after 113 s of two slow cores (18 epochs), 0.82 after 148 (26); crops of 96x96
# scenes came to 0.48 (and a pretrained EfficientNet-Lite0 that sees 160x160 pixels to 0.79 after
# three).
SCENES, SEEN = "shapes:384", 64
SMALL = (
    {"input_shape": (SEEN, SEEN, 3), "width": 16, "depth": 3, "logits_stride": 2},
    {
        "size": (SEEN, SEEN),
        "scale": (SEEN / 384, 1.15 * SEEN / 384),
        "jitter": 0.1,
        "batch_size": 8,
        "epochs": 18,
        "learning_rate": 6e-3,
        "validate_epochs": 10,
    },
)
LARGER = (  # of photos, in about the same time
    {"width": 32, "depth": 3, "logits_stride": 4},
    {
        "size": (224, 320),
        "scale": (0.6, 1.4),
        "batch_size": 8,
        "epochs": 3,
        "learning_rate": 2e-3,
        "validate_epochs": 4,
    },
)


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
    generated = options.data == "shapes"
    network, settings = SMALL if generated else LARGER
    epochs = {} if options.epochs is None else {"epochs": options.epochs}
    settings = Settings(**{**settings, **epochs})
    spec = DataSpec(SCENES if generated else options.data).resolved()
    train, val = spec.open("train"), spec.open("val")
    keras.utils.set_random_seed(0)
    model = build_unet(train.num_classes, **network)
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
    screen.print(
        f"Look at {folder / 'validation.png'} and the {len(written)} pictures in "
        f"{folder / 'predictions' / OVERLAYS}. Next, your own data: kseg check FOLDER, then kseg "
        "fit FOLDER.",
        highlight=False,
    )


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

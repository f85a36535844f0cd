"""`kseg predict`: writes id masks, or objects, and colour overlays of photos."""

import sys
from pathlib import Path

from kseg.cli.options import console
from kseg.prediction.files import BadPhotos, predict_files

HELP = "Write id masks, or objects, and colour overlays of photos."


def add_arguments(parser):
    parser.add_argument("photos", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument("-o", "--output", required=True, type=Path, help="folder for the results")
    parser.add_argument("--run", default="runs/unet", help="run folder (%(default)s)")
    parser.add_argument(
        "--min-score", type=float, help="of an instance model: leave out objects below this (0.5)"
    )


def run(options):
    from kseg.data.files import PHOTOS, list_files
    from kseg.runs.run import Run

    photos = []
    for path in options.photos:
        photos += map(Path, list_files(path, PHOTOS, "photos")) if path.is_dir() else [path]
    for photo in photos:
        if not photo.is_file():
            raise FileNotFoundError(f"{str(photo)!r} does not exist: expected an image file.")
    bad = []
    try:
        written = predict_files(
            Run.open(options.run), photos, options.output, min_score=options.min_score
        )
    except BadPhotos as error:
        written, bad = error.written, error.errors
    if written:
        console().print(f"{len(written)} masks and overlays in {options.output}", highlight=False)
    for error in bad:
        print(f"kseg: {error}", file=sys.stderr)
    return 1 if bad else 0

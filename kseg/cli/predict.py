"""`kseg predict`: writes id masks, or objects, and colour overlays of photos."""

import sys
from pathlib import Path

from kseg.cli.options import BANDS, add_clip, add_overwrite, add_threshold, console, integers
from kseg.prediction.files import BadPhotos, predict_files

HELP = "Write id masks, or objects, and colour overlays of photos."


def add_arguments(parser):
    parser.add_argument("photos", nargs="+", type=Path, help="image files, or folders of them")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        help="folder for the results: OUTPUT/masks, or objects, and OUTPUT/overlays",
    )
    parser.add_argument(
        "--run",
        default="runs/unet",
        help="run folder, .keras file or export (%(default)s)",
    )
    parser.add_argument(
        "--min-score", type=float, help="of an instance model: leave out objects below this (0.5)"
    )
    parser.add_argument("--bands", type=integers, metavar="R,G,B", help=BANDS)
    add_clip(parser)
    add_threshold(parser)
    add_overwrite(parser)


def run(options):
    from kseg.deployment.load import load

    screen = console()
    photos = [photo for path in options.photos for photo in photos_of(screen, path)]
    bad = []
    try:
        written = predict_files(
            load(options.run),
            photos,
            options.output,
            min_score=options.min_score,
            bands=options.bands,
            clip=bool(options.clip),
            threshold=options.threshold,
            overwrite=options.overwrite,
        )
    except BadPhotos as error:
        written, bad = error.written, error.errors
    if written:
        kind = written[0].relative_to(options.output).parts[0]
        screen.print(f"{len(written)} {kind} and overlays in {options.output}", highlight=False)
    for error in bad:
        print(f"kseg: {error}", file=sys.stderr)
    return 1 if bad else 0


def photos_of(screen, path):
    """The photos of a folder, with a line on files that are none; or the one photo that it is."""
    from kseg.data.listing import PHOTOS, left_out, list_files, shortened

    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"{str(path)!r} does not exist: expected an image file.")
        return [path]
    photos = list_files(path, PHOTOS, "photos")
    others = left_out(path, PHOTOS)
    if others:
        screen.print(
            f"{path}: {len(others)} files left out, which are no photos that can be read: "
            f"{shortened(others)}",
            highlight=False,
        )
    return list(map(Path, photos))

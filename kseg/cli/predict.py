"""`kseg predict`: writes id masks, or objects, and colour overlays of photos and videos."""

import contextlib
import os
import sys
from pathlib import Path

from kseg.base.arguments import refused
from kseg.cli.options import (
    BANDS,
    add_clip,
    add_overwrite,
    add_threshold,
    add_tta,
    add_with,
    console,
    integers,
    loaded_of,
)
from kseg.prediction.files import POLYGONS, BadPhotos, predict_files


def add_arguments(parser):
    parser.add_argument(
        "photos",
        nargs="+",
        type=Path,
        help="image files, or folders of them; video files; of bands that are files each their "
        "names with + between, or patterns, as 'red/{}.tif+nir/{}.tif'; or the folder of a set "
        "like that which the run learned from",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        help="folder for the results: OUTPUT/masks, or objects, and OUTPUT/overlays; of GeoTIFF, "
        "and of TIFF and .npy above 64 megapixels, as tiled TIFF, or GeoJSON of objects",
    )
    parser.add_argument(
        "--run",
        default="runs/unet",
        help="run folder, .keras file or export (%(default)s)",
    )
    add_with(parser)
    parser.add_argument(
        "--min-score", type=float, help="of an instance model: leave out objects below this (0.5)"
    )
    parser.add_argument(
        "--tile",
        type=int,
        metavar="PIXELS",
        help="photos larger than this go through the network in overlapping tiles of this side; "
        "objects across seams are one",
    )
    add_tta(parser)
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="of a model that labels pixels: also OUTPUT/probabilities, float16 in .npz, or .tif",
    )
    parser.add_argument(
        "--polygons",
        choices=tuple(POLYGONS),
        help="also OUTPUT/polygons: regions, or objects, as GeoJSON, or as COCO for other tools",
    )
    parser.add_argument(
        "--ids",
        action="store_true",
        help="of an instance model: also OUTPUT/ids, the objects' numbers, PNG of 16 bits or .tif",
    )
    parser.add_argument(
        "--no-overlays", dest="overlays", action="store_false", help="draw no overlays"
    )
    parser.add_argument("--bands", type=integers, metavar="R,G,B", help=BANDS)
    add_clip(parser)
    add_threshold(parser)
    add_overwrite(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave photos whose results are all there, and write the others",
    )


def run(options):
    screen = console()
    loaded = loaded_of(options.run, options)
    pairs = (getattr(getattr(loaded, "run", None), "data", None) or {}).get("pairs")
    patterns = pairs[0] if pairs and not isinstance(pairs[0], str) else ()
    photos = [
        photo
        for path in options.photos
        for photo in bands_of(path, patterns) or photos_of(screen, path)
    ]
    names = ("min_score", "tile", "tta", "bands", "threshold", "probabilities", "polygons", "ids")
    names += ("overlays", "overwrite", "resume")
    chosen = {name: getattr(options, name) for name in names}
    bad = []
    try:
        with bar(screen) as progress:
            written = predict_files(
                loaded,
                photos,
                options.output,
                clip=bool(options.clip),
                progress=progress,
                **chosen,
            )
    except BadPhotos as error:
        written, bad = error.written, error.errors
    if written:
        kind = written[0].relative_to(options.output).parts[0]
        more = " and overlays" if options.overlays and kind != "overlays" else ""
        screen.print(f"{len(written)} {kind}{more} in {options.output}", highlight=False)
    for error in bad:
        print(f"kseg: {error}", file=sys.stderr)
    return 1 if bad else 0


@contextlib.contextmanager
def bar(screen):
    """Yields a function that shows how many photos are done, on a terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    shown = Progress(
        *columns,
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    with shown:
        task = shown.add_task("predicting", total=None)
        yield lambda done, total, photo: shown.update(
            task, completed=done, total=total, description=photo.name
        )


def bands_of(path, patterns):
    """Photos with a file for each of their bands: tuples of paths; none if it is no such thing.

    Args:
        path: A folder, in which they are by these patterns; or files, or patterns, parted by `+`.
        patterns: Those of the set that a run learned from; or none.
    """
    from kseg.data.pairs import bands_below, fixed, is_pattern

    if path.is_dir():
        return bands_below(path, patterns) if patterns else []
    files = [Path(part).expanduser() for part in str(path).split("+")]
    if path.exists() or len(files) == 1:
        return []
    if not any(map(is_pattern, files)):
        return [tuple(files)]
    if len({file.is_absolute() for file in files}) > 1:
        expected = "patterns of one kind, as all of them whole paths"
        raise refused("photos", str(path), expected)
    folder = os.path.commonpath([fixed(file.absolute()) for file in files])
    found = bands_below(folder, [os.path.relpath(file, folder) for file in files])
    if not found:
        raise FileNotFoundError(f"{str(path)!r}: there is no file of these patterns.")
    return found


def photos_of(screen, path):
    """The photos of a folder, with a line on files that are none; or the one photo that it is."""
    from kseg.data.embedded import photo_files
    from kseg.data.listing import left_out, shortened

    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"{str(path)!r} does not exist: expected an image file.")
        return [path]
    photos = photo_files(path, "photos")
    others = left_out(path, tuple({Path(photo).suffix.lower() for photo in photos}))
    if others:
        screen.print(
            f"{path}: {len(others)} files left out, which are no photos that can be read: "
            f"{shortened(others)}",
            highlight=False,
        )
    return list(map(Path, photos))

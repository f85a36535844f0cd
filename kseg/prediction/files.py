"""Predictions of photos and videos, written into a folder: what was found, and an overlay of each.

What is written of a photo are files of several kinds, each in a folder of its own; `planned` says
which. They appear whole or not at all, so that `resume` goes by what is there.
"""

import dataclasses
import math
import os
from pathlib import Path

from kseg.base.arguments import choice, refused
from kseg.base.outputs import check_outputs, folded, identity
from kseg.data.errors import DataError
from kseg.data.rasters import is_raster
from kseg.data.source import check_bands
from kseg.models.contract import part
from kseg.prediction.beside import Beside
from kseg.prediction.video import is_video, predict_video
from kseg.prediction.written import answer_photo, read_photo, write_answer, write_raster

OVERLAYS = "overlays"  # the folder beside that of the results
POLYGONS = {"geojson": ".geojson", "coco": ".json"}  # kinds, and how their files end


@dataclasses.dataclass(frozen=True)
class Planned:
    """What is written of a photo.

    Args:
        photo: Its path, or that of its first band.
        source: The same; or a tuple of the paths of its bands.
        kind: `"photo"`, `"raster"`, which is read part by part, or `"video"`.
        paths: Name of what is written -> its file. `"result"` is the answer of the task, but of a
            video; `"overlay"`, `"probabilities"`, `"polygons"` and `"ids"` as they are asked for.
    """

    photo: Path
    source: Path | tuple
    kind: str
    paths: dict

    @property
    def is_there(self):
        """Whether all of it is written already."""
        return all(path.is_file() for path in self.paths.values())


class BadPhotos(ValueError):
    """Some of several photos cannot be read; the others were predicted.

    Args:
        errors: The `DataError` of each of them.
        written: The paths of the results of the others.
    """

    def __init__(self, errors, written):
        super().__init__(errors, written)
        self.errors, self.written = errors, written

    def __str__(self):
        return f"{len(self.errors)} photos cannot be read: {' '.join(map(str, self.errors))}"


def predict_files(
    predictor,
    photos,
    output,
    *,
    min_score=None,
    threshold=None,
    tile=None,
    tta=None,
    bands=None,
    clip=False,
    probabilities=False,
    polygons=None,
    ids=False,
    overlays=True,
    overwrite=False,
    resume=False,
    progress=None,
):
    """Writes what `kseg.predict` says of each photo, and an overlay of each.

    They go to `output/masks/NAME.png`, of several classes a pixel to `output/masks/NAME.npz`, of
    objects to `output/objects/NAME.json`, and to `output/overlays/NAME.png`; see `names_of` for
    NAME. A photo with a place on earth, or of more than 64 megapixels in a TIFF or an `.npy`, is
    read part by part: its labels go to `output/masks/NAME.tif`, its objects to
    `output/objects/NAME.geojson`, and its overlay is a small one. Of a video there is an overlay
    alone, a video. Nothing is written where a photo or an earlier result would be lost.

    Args:
        predictor: What predicts, as `kseg.load` gives it.
        photos: Paths, and of a photo with a file for each of its bands a tuple of them. One that
            comes twice is predicted once.
        output: The folder for the results.
        min_score, threshold, tile, tta: As of `kseg.predict`.
        bands: Those of the photos that overlays show, as of `Source`. Default None: as in training,
            or the first three.
        clip: Whether numbers of a photo beyond the model's `value_range` become its ends, in place
            of an error. Defaults to False.
        probabilities: Of a model that labels pixels: whether to write them too, to
            `output/probabilities/NAME.npz`, float16, or `.tif`. Defaults to False.
        polygons: `"geojson"` or `"coco"` for regions, or objects, as polygons too, in
            `output/polygons`. Default None.
        ids: Of objects: whether to write their numbers too, 1 for the best, to
            `output/ids/NAME.png` of 16 bits, or `.tif`. Defaults to False.
        overlays: Whether to draw them. Defaults to True.
        overwrite: Whether to replace earlier results. Defaults to False.
        resume: Whether to leave photos whose files are all there, and to write the others.
        progress: Called before each photo, and in the end, with how many are done, how many there
            are, and the photo; within large ones and videos with the share that is done too.

    Returns:
        The paths of the results, without the overlays, or of a video that; those that were there
        too.

    Raises:
        BadPhotos: some of several photos cannot be read; it comes in the end, when all others are
            predicted, and names them.
        ValueError: a result would replace a photo, the one photo cannot be read, or an option is
            not the model's.
        FileExistsError: there are results of these names, and `overwrite` is False.
    """
    bands = check_bands(bands, predictor.channels) or _bands_of(predictor)
    if clip and predictor.value_range is None:
        expected = "False for a model of 0..255, which no number of a file is beyond"
        raise refused("clip", clip, expected, "Leave it out.")
    if overwrite and resume:
        raise refused("resume", resume, "False with overwrite=True", "Give one of the two.")
    chosen = {"min_score": min_score, "threshold": threshold, "tile": tile, "tta": tta}
    predictor.check_options(**chosen, probabilities=probabilities)
    wanted = {"probabilities": probabilities, "polygons": polygons, "ids": ids}
    plans = planned(predictor, photos, Path(output), overlays=overlays, **wanted)
    left = [plan for plan in plans if not (resume and plan.is_there)]
    outputs = [("output", path) for plan in left for path in plan.paths.values()]
    reads = [file for plan in plans for file in _files(plan.source)]
    check_outputs(outputs, [*reads, *predictor.files()], overwrite or resume)
    drawing = {"bands": bands, "clip": clip}
    bad, failed = [], set()

    def read(plan):
        return read_photo(predictor, plan, drawing) if plan.kind == "photo" else None

    with Beside() as beside:
        for done, (plan, image_of) in enumerate(beside.ahead(read, left)):
            within = None
            if progress is not None:
                progress(done, len(left), plan.photo)

                def within(share, done=done, photo=plan.photo):
                    progress(done + share, len(left), photo)

            try:
                if plan.kind == "photo":
                    image = image_of()
                    answer = answer_photo(predictor, plan, chosen, image)
                    pixels = math.prod(image.shape[:2])
                    about = predictor, plan, chosen, drawing
                    beside.write(write_answer, *about, image, answer, pixels=pixels)
                else:
                    write = write_raster if plan.kind == "raster" else predict_video
                    write(predictor, plan, chosen, drawing, within)
            except DataError as error:
                bad.append(error)
                failed.add(plan.photo)
    if progress is not None and left:
        progress(len(left), len(left), left[-1].photo)
    written = [
        plan.paths.get("result", plan.paths.get("overlay"))
        for plan in plans
        if plan.photo not in failed
    ]
    if bad and len(plans) == 1:
        raise bad[0]
    if bad:
        raise BadPhotos(bad, written)
    return written


def planned(predictor, photos, output, *, probabilities, polygons, ids, overlays):
    """A `Planned` of each photo; arguments as of `predict_files`.

    Raises:
        ValueError: nothing of a kind can be written by this predictor.
    """
    writing = part("kseg.prediction", predictor)
    labels = hasattr(writing, "stored")
    if polygons is not None:
        choice("polygons", polygons, tuple(POLYGONS))
    if probabilities and not labels:
        raise refused(
            "probabilities", True, "False for a model that finds objects", "Leave it out."
        )
    if ids and labels:
        remedy = "Its masks are ids: leave it out."
        raise refused("ids", True, "False for a model that labels pixels", remedy)
    sources = list({tuple(map(identity, _files(each))): each for each in photos}.values())
    photos = [Path(_files(each)[0]) for each in sources]
    plans = []
    for source, photo, name in zip(sources, photos, names_of(photos)):
        paths = {}
        kind = "video" if is_video(photo) else "raster" if _is_raster(photo) else "photo"
        if isinstance(source, tuple):  # of bands, read as a whole
            kind = "photo"
        if kind == "video":
            if not overlays or probabilities or polygons or ids:
                expected = "a photo, of which there is more than an overlay"
                remedy = "Give videos alone, and overlays."
                raise refused("photos", str(photo), expected, remedy)
            paths["overlay"] = output / OVERLAYS / f"{name}.mp4"
            plans.append(Planned(photo, photo, kind, paths))
            continue
        large = kind == "raster"
        suffix = (".tif" if labels else ".geojson") if large else writing.SUFFIX
        paths["result"] = output / writing.FOLDER / f"{name}{suffix}"
        if overlays:
            paths["overlay"] = output / OVERLAYS / f"{name}.png"
        if probabilities:
            paths["probabilities"] = output / f"probabilities/{name}{'.tif' if large else '.npz'}"
        if polygons:
            paths["polygons"] = output / f"polygons/{name}{POLYGONS[polygons]}"
        if ids:
            paths["ids"] = output / f"ids/{name}{'.tif' if large else '.png'}"
        source = source if isinstance(source, tuple) else photo
        plans.append(Planned(photo, source, kind, paths))
    return plans


def _files(photo):
    """The files of a photo: one, or those of its bands."""
    return photo if isinstance(photo, tuple) else (photo,)


def _is_raster(photo):
    """Whether a photo is read part by part; what cannot be read is told when its turn comes."""
    try:
        return is_raster(photo)
    except DataError:
        return False


def _bands_of(predictor):
    """The bands that pictures of its data showed, where its photos have them: grey has not."""
    bands = predictor.bands
    return bands if bands and max(bands) < predictor.channels else None


def names_of(photos):
    """A name for the results of each photo, different for all, on every file system.

    The photo's own without its ending; where two photos are called alike, the path below the folder
    that holds all of them; where that is not enough, with the ending, and then with a number.

    >>> names_of(["a/1.jpg", "a/2.jpg"])
    ['1', '2']
    >>> names_of(["a/1.jpg", "b/1.jpg"])
    ['a/1', 'b/1']
    >>> names_of(["1.jpg", "1.png", "2.png", "1.PNG"])
    ['1.jpg', '1.png', '2.png', '1.PNG-2']
    """
    whole = [os.path.abspath(photo) for photo in photos]
    shared = os.path.commonpath([os.path.dirname(path) for path in whole])
    below = [Path(path).relative_to(shared) for path in whole]
    by_stem = [path.stem for path in below]
    by_path = [path.with_suffix("").as_posix() for path in below]
    for names in (by_stem, by_path):
        if len(set(map(folded, names))) == len(names):
            return names
    names = []
    for name in (path.as_posix() for path in below):
        taken, number, candidate = set(map(folded, names)), 1, name
        while folded(candidate) in taken:
            number += 1
            candidate = f"{name}-{number}"
        names.append(candidate)
    return names

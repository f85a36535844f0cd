"""Photos of any size through a model that finds objects: resized, put into batches, and back again.

Axes: B batch, N objects of a photo, m a mask's side in the network, H and W the photo.
"""

import dataclasses
import weakref

import numpy as np

from kseg.base.arguments import choice, integer, number, refused, share
from kseg.base.atomic import write_json
from kseg.models.contract import fixed_size, names_and_colors
from kseg.models.ensemble import members_of
from kseg.ops.fusion import fused
from kseg.ops.paste import TORCHVISION
from kseg.ops.resize import bilinear, resized_size
from kseg.prediction.batching import BUCKET, alike, filled_count
from kseg.prediction.masks import Pasted
from kseg.prediction.network import check_weights, forward, not_finite, once
from kseg.prediction.results import MASKS, Instances
from kseg.prediction.seams import Parts, found_in, merged, tiles_of
from kseg.prediction.views import check_tta, unmirrored

OPTIONS = {
    "min_score": 0.5,
    "threshold": 0.5,
    "masks": "binary",
    "detections": None,
    "overlap": None,
    "tile": None,
    "tta": None,
}
OTHER_SUFFIXES = (".geojson",)  # of a file for an answer of any size
LEAST_TILE = 128
USUAL_TILE = 1024  # of a model that says no size
FOLDER, SUFFIX = "objects", ".json"  # where `kseg predict` writes, and how the files end
HELD = 4  # batches that photos may wait for others of their size

_detectors = weakref.WeakKeyDictionary()  # model -> its networks, by their settings


def predict(model, photos, *, tile=None, tta=None, **options):
    """Yields the `Instances` of each photo `(H, W, channels)`; see `kseg.predict`."""
    if tile is None and tta is None:
        for _, instances in detect(model, enumerate(photos), **options):
            yield instances
        return
    checked_tile(model, tile)
    for photo in photos:
        if tile is None or max(photo.shape[:2]) <= tile:
            yield seen(model, photo, tta, **options)
            continue
        read = _part_of(photo)
        masks = options.pop("masks", "binary")
        drawn = "probability" if masks == "probability" else "binary"
        more = {**options, "masks": drawn, "tile": tile, "tta": tta}
        whole = from_tiles(model, photo.shape[:2], read, **more)
        options["masks"] = masks
        yield whole.in_runs() if masks == "rle" else whole


def _part_of(photo):
    return lambda rows, columns: photo[rows, columns]


def checked_tile(model, tile):
    """Raises `ValueError` unless a model can see a photo in such tiles."""
    if tile is not None:
        integer("tile", tile, low=LEAST_TILE)
    if tile is not None and any(fixed_size(model)):
        remedy = "It sees the whole photo, resized: leave tile= out."
        raise refused("tile", tile, f"None for a model of {fixed_size(model)} pixels", remedy)


def seen(model, photo, tta=None, **options):
    """The `Instances` of one photo, seen the ways that `tta` asks for."""
    _, mirrored = check_tta(tta, scales=False)
    members = members_of(model)
    if len(mirrored) == len(members) == 1:
        ((_, instances),) = detect(model, [(None, photo)], **options)
        return instances
    masks, least = options.pop("masks", "binary"), share("min_score", options.pop("min_score", 0.0))
    threshold = options.get("threshold", 0.5)
    choice("masks", masks, MASKS)
    views = []
    for axes in mirrored:
        view = np.ascontiguousarray(np.flip(photo, axes)) if axes else photo
        for member in members:
            ((_, found),) = detect(member, [(None, view)], min_score=0.0, **options)
            views.append(unmirrored(found, axes, photo.shape[:2]))
    boxes, classes, scores, small = fused(views)
    kept = (classes >= 0) & (scores >= least)
    if len(members) > 1:  # together they find more than each may
        most = options.get("detections") or getattr(model.settings, "detections", len(scores))
        kept[most:] = False
    paste = getattr(model, "paste", TORCHVISION)
    large = Pasted(
        small[kept],
        boxes[kept],
        photo.shape[:2],
        None if masks == "probability" else threshold,
        paste,
    )
    if masks == "rle":
        from kseg.data.coco_format.results import of_mask

        large = list(map(of_mask, large))
    return Instances(boxes[kept], classes[kept], scores[kept], large)


def from_tiles(model, size, read, *, tile, tta=None, progress=None, **options):
    """The `Instances` of a photo of any size, found tile by tile; see `seams.py`.

    Args:
        model: An instance model.
        size: `(H, W)` of the photo.
        read: Function of two slices, rows and columns, to that part of the photo.
        tile, tta: As of `kseg.predict`.
        progress: Called with the share of the photo that is done, after each tile.
        **options: As of `detect`; masks are drawn.
    """
    tiles, found = tiles_of(size, tile), []
    for which, place in enumerate(tiles):
        top, left, bottom, right = place[:4]
        part = read(slice(top, bottom), slice(left, right))
        found += found_in(which, place, size, seen(model, part, tta, **options))
        if progress is not None:
            progress((which + 1) / len(tiles))
    objects = merged(found, tiles)
    kind = np.float32 if options.get("masks") == "probability" else bool
    return Instances(
        np.array([each.box for each in objects], np.float32).reshape(-1, 4),
        np.array([each.class_id for each in objects], np.int32),
        np.array([each.score for each in objects], np.float32),
        Parts(
            np.array([(each.top, each.left) for each in objects], int).reshape(-1, 2),
            [each.values for each in objects],
            tuple(size),
            kind,
        ),
    )


def write_large(
    model, raster, path, *, colors, progress=None, tile=None, masks="binary", **options
):
    """Writes the objects of a photo of any size: their numbers as TIFF, or polygons as GeoJSON.

    Args:
        model: An instance model.
        raster: `kseg.data.rasters.Raster`.
        path: The file; its ending says what is written.
        colors: Not used.
        progress, tile: As of `from_tiles`. Default None: the side at which the model sees photos.
        masks: `"binary"`: the file holds what is decided.
        **options: As of `kseg.predict`.
    """
    choice("masks", masks, ("binary",))
    found = of_raster(model, raster, tile=tile, progress=progress, **options)
    if path.suffix.lower() in OTHER_SUFFIXES:
        from kseg.prediction.polygons import write_geojson

        names, _ = names_and_colors(model)
        write_geojson(path, found, names, raster.geo)
        return
    from kseg.prediction.tiled_tiff import write_strips

    write_strips(path, numbered(found, raster.size), raster.size, np.uint32, geo=raster.geo)


def of_raster(model, raster, *, tile=None, progress=None, **options):
    """The `Instances` of a `Raster`; arguments as of `write_large`, None for what is not given."""
    checked_tile(model, tile)
    tile = tile or max(max(raster.size) if any(fixed_size(model)) else _usual(model), LEAST_TILE)
    told = {name: value for name, value in options.items() if value is not None}
    least = {"min_score": OPTIONS["min_score"], **told}
    found = from_tiles(model, raster.size, raster.read, tile=tile, progress=progress, **least)
    raster.check_seen()
    return found


def _usual(model):
    resize = getattr(model, "resize", None)
    return resize[0] if resize else USUAL_TILE


def numbered(instances, size, rows=512):
    """The numbers of objects, 1 for the best, where they are: strips uint32 `(h, W)`.

    Where objects overlap, the better one is seen.
    """
    masks = instances.each_mask()
    places = [masks.part(index) for index in range(len(instances))]
    for top in range(0, size[0], rows):
        strip = np.zeros((min(rows, size[0] - top), size[1]), np.uint32)
        for index in reversed(range(len(places))):
            y, x, values = places[index]
            y = slice(*y.indices(size[0])[:2])
            first, last = max(y.start, top), min(y.stop, top + len(strip))
            if first < last:
                inside = values[first - y.start : last - y.start] != 0
                strip[first - top : last - top, x][inside] = index + 1
        yield strip


def write(instances, path, class_names, colors):
    """Writes objects as COCO's results.

    The file is a list, whose `image_id` is the file's own name and whose `category_id`, 1, 2, 3,
    ..., has its name beside it as `category`.

    Args:
        instances: `Instances` with whole masks.
        path: The file, a `pathlib.Path`; its folder is made.
        class_names: Name of each class.
        colors: Not used; objects have colours of their own.
    """
    from kseg.data.coco_format.results import results

    listed = results(
        instances.in_runs(), path.name.removesuffix(SUFFIX), range(1, len(class_names) + 1)
    )
    for each, class_id in zip(listed, instances.classes):
        each["category"] = class_names[class_id]
    write_json(path, listed)


def detect(
    model,
    photos,
    *,
    min_score=0.0,
    threshold=0.5,
    masks="binary",
    detections=None,
    overlap=None,
    batch_size=1,
):
    """Finds the objects of photos.

    Photos are resized as the model says, then those of about one size go together into a batch,
    filled up at the bottom and right.

    Args:
        model: An instance model.
        photos: Iterable of pairs: anything, and a photo `(H, W, channels)` of 0..255.
        min_score: Objects of a lower score are left out. Default 0.0.
        threshold: Probability from which on a pixel belongs to an object. Default 0.5.
        masks: `"binary"` (the default), `"probability"` or `"rle"`; see `Instances`.
        detections: Objects of a photo at most. Default None: as many as the model was built for.
        overlap: Intersection over union above which objects of a class suppress one another.
            Default None: as the model was built for.
        batch_size: Photos predicted at once. At most four times as many wait for others of their
            size. Default 1.

    Yields:
        Pairs of what came with a photo, and its `Instances`; in order if `batch_size` is 1.

    Raises:
        ValueError: an argument is out of its range, or the network's outputs are not finite.
        ImportError: `masks="rle"` and pycocotools is not installed.
    """
    share("min_score", min_score)
    share("threshold", threshold)
    choice("masks", masks, MASKS)
    integer("batch_size", batch_size)
    if detections is not None:
        integer("detections", detections)
    if overlap is not None:
        number("overlap", overlap, at_least=0, below=1)
    if len(members_of(model)) > 1:
        options = {"threshold": threshold, "masks": masks, "min_score": min_score}
        more = {"detections": detections, "overlap": overlap}
        for key, photo in photos:
            yield key, seen(model, photo, None, **options, **more)
        return
    network = _network(model, detections, overlap)
    fixed, paste = fixed_size(model), getattr(model, "paste", TORCHVISION)

    def resized(photo):
        inner = resized_size(photo.shape[:2], model.resize, within=fixed)
        return bilinear(photo, *inner)

    def padded_size(waiting):
        sides = zip(fixed, waiting[2].shape[:2])
        return tuple(own or -(-side // BUCKET) * BUCKET for own, side in sides)

    waiting = ((key, photo.shape[:2], resized(photo)) for key, photo in photos)
    for batch in alike(waiting, padded_size, batch_size, HELD * batch_size):
        found = _detect_batch(model, network, padded_size(batch[0]), batch, batch_size)
        for (key, size, small), one in zip(batch, found):
            yield key, _instances(one, size, small.shape[:2], min_score, threshold, masks, paste)


def _network(model, detections, overlap):
    """What finds at most so many `detections` of a photo, of no more `overlap`; None for the
    model's own."""
    made = _detectors.setdefault(model, {})
    once(made, "weights", lambda: check_weights(model))
    told = {"detections": detections, "overlap": overlap}
    told = {name: value for name, value in told.items() if value is not None}
    if not told:
        return getattr(model, "detector", model)
    settings = dataclasses.replace(model.settings, **told)
    return once(made, settings, lambda: model.detector_of(settings))


def _detect_batch(model, network, padded, photos, batch_size):
    """The network's detections of resized photos: a dict of arrays a photo."""
    count = filled_count(len(photos), batch_size)
    images = np.zeros((count, *padded, model.channels), np.float32)
    sizes = np.ones((count, 2), np.int32)  # of what fills up the batch: a black pixel
    for image, size, (_, _, resized) in zip(images, sizes, photos):
        height, width = size[:] = resized.shape[:2]
        image[:height, :width] = resized
    found = forward(network, {"image": images, "size": sizes})
    if not found.pop("finite", np.ones(count, bool))[: len(photos)].all():
        raise not_finite(model)
    return [{name: values[i] for name, values in found.items()} for i in range(len(photos))]


def _instances(detections, size, resized, min_score, threshold, masks, paste):
    """One photo's objects in its own pixels, from the network's."""
    from kseg.data.coco_format.results import of_mask

    kept = (detections["classes"] >= 0) & (detections["scores"] >= min_score)
    scale = np.float32(size) / np.float32(resized)
    boxes = detections["boxes"][kept] * scale[[1, 0, 1, 0]]
    small = detections["masks"][kept]
    large = Pasted(small, boxes, size, None if masks == "probability" else threshold, paste)
    if masks == "rle":
        large = list(map(of_mask, large))
    return Instances(boxes, detections["classes"][kept], detections["scores"][kept], large)

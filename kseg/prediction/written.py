"""The files of one photo: its answer, an overlay, probabilities, polygons, numbers of objects."""

import numpy as np

from kseg.base.atomic import replacing
from kseg.data.files import load_photo
from kseg.data.rasters import opened
from kseg.models.contract import part
from kseg.prediction.polygons import write_coco, write_geojson

PREVIEW = 2048  # pixels of the longest side of an overlay of a photo that is read part by part


def read_photo(predictor, plan, drawing):
    """The photo of a plan as its model takes it, `(H, W, channels)`.

    Args:
        predictor: As `kseg.load` gives it.
        plan: `kseg.prediction.files.Planned`, of a photo that is read as a whole.
        drawing: `bands` and `clip` of `kseg.prediction.files.predict_files`.

    Raises:
        DataError: it cannot be read.
    """
    return load_photo(plan.source, predictor.channels, predictor.value_range, drawing["clip"])


def answer_photo(predictor, plan, chosen, image):
    """What `kseg.predict` says of a photo; probabilities where a plan wants them written.

    Args:
        predictor, plan: As of `read_photo`.
        chosen: Options of `kseg.predict`, None for what is not given.
        image: The photo.
    """
    more = {"probabilities": True} if "probabilities" in plan.paths else {}
    return predictor.answer(image, **chosen, **more)


def write_answer(predictor, plan, chosen, drawing, image, answer):
    """Writes what a plan says of a photo that was read as a whole; it needs no network.

    Args:
        predictor, plan, chosen, drawing, image: As of `read_photo` and `answer_photo`.
        answer: What `answer_photo` gave.
    """
    from kseg.pictures.image import as_rgb, save

    names, colors, paths = predictor.class_names, predictor.colors, plan.paths
    writing, drawn = (part(f"kseg.{room}", predictor) for room in ("prediction", "pictures"))
    prediction = answer
    if "probabilities" in paths:
        _write_probabilities(answer, paths["probabilities"], names)
        decide, _, _ = writing.stored(predictor.model, **_threshold(chosen))
        prediction = decide(answer)
        prediction = prediction.astype(np.int32 if prediction.ndim == 2 else bool)
    if "overlay" in paths:
        picture = as_rgb(image, drawing["bands"], predictor.value_range)
        shown = drawn.predicted(picture, prediction, names, colors, predictor.void)
        save(shown, paths["overlay"])
    if "ids" in paths:
        numbers = np.concatenate(list(writing.numbered(prediction, image.shape[:2])))
        save(numbers.astype(np.uint16), paths["ids"])
    if "polygons" in paths:
        _write_polygons(plan, prediction, names, image.shape[:2], predictor.void)
    writing.write(prediction, paths["result"], names, colors)


def _threshold(chosen):
    return {"threshold": chosen["threshold"]} if chosen["threshold"] is not None else {}


def _write_probabilities(found, path, names):
    """float16 `(H, W, C)` as `probabilities`, beside `class_names`, as NumPy's `.npz`."""
    with replacing(path) as temporary:
        held = {"probabilities": found.astype(np.float16), "class_names": np.array(names)}
        np.savez_compressed(temporary, **held)


def _write_polygons(plan, prediction, names, size, void, geo=None):
    path = plan.paths["polygons"]
    if path.suffix == ".geojson":
        write_geojson(path, prediction, names, geo, void)
    else:
        write_coco(path, prediction, names, plan.photo.name, size, void)


def write_raster(predictor, plan, chosen, drawing, progress=None):
    """Writes what a plan says of a photo that is read part by part; arguments as of `write_answer`.

    Of an export, which takes whole photos, the photo is read as a whole. `progress` is called with
    the share that is done.
    """
    labels = hasattr(part("kseg.prediction", predictor), "stored")
    more = {"channels": predictor.channels, "value_range": predictor.value_range}
    with opened(plan.photo, **more, clip=drawing["clip"]) as raster:
        write = _write_label_raster if labels else _write_object_raster
        write(predictor, plan, chosen, drawing, raster, progress)


def _write_label_raster(predictor, plan, chosen, drawing, raster, progress):
    from kseg.prediction.large import as_strips, write_labels
    from kseg.prediction.tiled_tiff import write_strips

    paths, names, task = plan.paths, predictor.class_names, part("kseg.prediction", predictor)
    told = {name: value for name, value in chosen.items() if value is not None}
    model = getattr(predictor, "model", None)
    ways = {name: told.pop(name) for name in ("tile", "tta") if name in told}
    how = {"colors": predictor.colors, "progress": progress}
    if not predictor.in_tiles:
        whole = raster.read(slice(0, raster.size[0]), slice(0, raster.size[1]))
        found = predictor.answer(whole, **chosen)
        bands = found.shape[2] if found.ndim == 3 else None
        kind = np.uint16 if len(names) > 256 else np.uint8
        strips = (strip.astype(kind) for strip in as_strips(found))
        more = {"bands": bands, "colors": predictor.colors, "geo": raster.geo}
        write_strips(paths["result"], strips, raster.size, kind, **more)
    elif "probabilities" in paths:
        write_labels(model, raster, paths["probabilities"], probabilities=True, **how, **ways)
        decide, kind, bands = task.stored(model, **told)
        more = {"bands": bands, "colors": predictor.colors, "geo": raster.geo}
        with opened(paths["probabilities"], len(names), (0.0, 1.0)) as kept:
            strips = (decide(strip) for strip in _strips_of(kept))
            write_strips(paths["result"], strips, raster.size, kind, **more)
    else:
        write_labels(model, raster, paths["result"], **how, **ways, **told)
    if "overlay" in paths:
        _draw_labels(predictor, raster, paths, drawing["bands"])
    if "polygons" in paths:
        import tifffile

        labels = tifffile.imread(paths["result"])
        _write_polygons(plan, labels, names, raster.size, predictor.void, raster.geo)


def _strips_of(raster, rows=256):
    """A photo's strips from the top down, as they are stored."""
    height, width = raster.size
    for top in range(0, height, rows):
        yield raster.part(slice(top, min(top + rows, height)), slice(0, width))


def _draw_labels(predictor, raster, paths, bands):
    """A small overlay of a large photo: of each of both every so many pixels."""
    from kseg.pictures.image import save

    step = -(-max(raster.size) // PREVIEW)
    with opened(paths["result"], predictor.channels) as stored:
        labels = np.concatenate([strip[::step, ::step] for strip in _aligned(stored, step)])
    labels = labels[..., 0] if labels.shape[-1] == 1 else labels != 0
    drawn = part("kseg.pictures", predictor)
    picture = _picture(predictor, raster, step, bands)
    names, colors = predictor.class_names, predictor.colors
    save(drawn.predicted(picture, labels, names, colors, predictor.void), paths["overlay"])


def _aligned(raster, step, part=None):
    """A photo's strips, each from a row on that is a multiple of `step`."""
    height, width = raster.size
    rows = max(256 // step, 1) * step
    for top in range(0, height, rows):
        yield (part or raster.part)(slice(top, min(top + rows, height)), slice(0, width))


def _picture(predictor, raster, step, bands):
    from kseg.pictures.image import as_rgb

    strips = [strip[::step, ::step] for strip in _aligned(raster, step, raster.read)]
    return as_rgb(np.concatenate(strips), bands, predictor.value_range)


def _write_object_raster(predictor, plan, chosen, drawing, raster, progress):
    from kseg.pictures.image import save
    from kseg.prediction.masks import Thinned
    from kseg.prediction.tiled_tiff import write_strips

    task, paths, names = part("kseg.prediction", predictor), plan.paths, predictor.class_names
    if predictor.in_tiles:
        found = task.of_raster(predictor.model, raster, progress=progress, **chosen)
    else:
        whole = raster.read(slice(0, raster.size[0]), slice(0, raster.size[1]))
        found = predictor.answer(whole, **chosen)
    if "overlay" in paths:
        step = -(-max(raster.size) // PREVIEW)
        picture = _picture(predictor, raster, step, drawing["bands"])
        from kseg.pictures.instance import captions, objects

        told = captions(names, found.classes, found.scores)
        masks = Thinned(found.each_mask(), step)
        save(objects(picture, masks, found.boxes / step, captions=told), paths["overlay"])
    if "ids" in paths:
        strips = task.numbered(found, raster.size)
        write_strips(paths["ids"], strips, raster.size, np.uint32, geo=raster.geo)
    if "polygons" in paths:
        _write_polygons(plan, found, names, raster.size, predictor.void, raster.geo)
    write_geojson(paths["result"], found, names, raster.geo)

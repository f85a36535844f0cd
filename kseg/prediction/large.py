"""Photos of any size into files, in memory that does not grow with them.

A photo is read by its tiles (`kseg.data.rasters`), its tiles go through the network one after the
other, and what is decided is written from the top down (`tiled_tiff.py`). What tiles of labels say
together stands in `kseg.ops.fades`, what those of objects say in `seams.py`.
"""

from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.outputs import check_outputs
from kseg.data.rasters import opened
from kseg.models.contract import contract, fixed_size, names_and_colors, part

SUFFIXES = (".tif", ".tiff")


def predict_to_file(model, image, output, *, overwrite=False, **chosen):
    """Predicts one photo of any size into a file; see `output` of `kseg.predict`.

    Args:
        model: A kseg model.
        image: As of `kseg.data.rasters.opened`.
        output: Path of the file.
        overwrite: Whether it may be there already. Default False.
        **chosen: Options of the model's task.

    Returns:
        The path.
    """
    path, writing = Path(output).expanduser(), part("kseg.prediction", model)
    check_suffix(model, path)
    inputs = [image] if isinstance(image, (str, Path)) else []
    check_outputs([("output", path)], inputs, overwrite)
    own = contract(model)
    _, colors = names_and_colors(model)
    with opened(image, own.channels, own.value_range) as raster:
        write = getattr(
            writing, "write_large", write_labels
        )  # what does not label pixels has its own
        write(model, raster, path, colors=colors, **chosen)
    return path


def check_suffix(model, path):
    """Raises `ValueError` if a file of this name holds no answer of the model's task."""
    known = (*SUFFIXES, *getattr(part("kseg.prediction", model), "OTHER_SUFFIXES", ()))
    if path.suffix.lower() not in known:
        raise refused("output", str(path), f"the name of a file ending in {', '.join(known)}")


def label_strips(model, raster, decide, *, tile=None, tta=None, progress=None):
    """The decisions of a model that labels pixels, from the top down.

    Args:
        model: The model. One that is built for images of one size sees the whole photo.
        raster: `kseg.data.rasters.Raster`.
        decide: Function of probabilities `(h, w, C)` to what is kept of them.
        tile, tta: As of `kseg.predict`.
        progress: Called with the share of the photo that is done, after each tile.

    Yields:
        First row, and an array `(h, W, ...)` from there on.
    """
    from kseg.ops.fades import strips
    from kseg.prediction.semantic import checked, checked_views, overlap_of, tile_in_memory
    from kseg.prediction.views import averaged

    checked(model, None, tile)
    views, task = checked_views(model, tta), part("kseg.prediction", model)
    size = raster.size
    if any(fixed_size(model)):
        tile, overlap = max(size), 0
    else:
        tile = tile or tile_in_memory(model, size)
        overlap = overlap_of(tile)

    def probabilities(seen, scale):
        # in one piece: it is a tile already
        return task.probabilities_on_batch(model, seen[None], None, _whole(model, seen), scale)[0]

    def answer(rows, columns):
        if progress is not None:
            progress((rows.stop * size[1] + columns.stop) / ((size[0] + 1) * size[1]))
        return averaged(raster.read(rows, columns), views, probabilities)

    yield from strips(size, tile, overlap, answer, decide)
    raster.check_seen()


def _whole(model, seen):
    """The tile for which nothing is cut; None for models that take none."""
    return None if any(fixed_size(model)) else max(128, 2 * max(seen.shape[:2]))


def write_labels(
    model, raster, path, *, colors, progress=None, resize=None, tile=None, tta=None, **chosen
):
    """Writes the answer of a model that labels pixels, as a tiled BigTIFF.

    Args:
        model, raster, progress, tile, tta: As of `label_strips`.
        path: The file.
        colors: RGB of each class.
        resize: None: a photo of any size is seen as it is.
        **chosen: As of `stored` of the task.
    """
    from kseg.prediction.tiled_tiff import write_strips

    if resize is not None:
        remedy = "Leave it out, or predict without output=."
        raise refused("resize", resize, "None where the answer goes into a file", remedy)
    decide, dtype, bands = part("kseg.prediction", model).stored(model, **chosen)
    strips = label_strips(model, raster, decide, tile=tile, tta=tta, progress=progress)
    whole = (strip for _, strip in strips)
    how = {"bands": bands, "colors": colors, "geo": raster.geo}
    write_strips(path, whole, raster.size, dtype, **how)


def as_strips(array, rows=512):
    """An array that is there, as strips from the top down."""
    for top in range(0, len(array), rows):
        yield np.asarray(array[top : top + rows])

"""A photo of any size -> its class ids, or its objects, at the same size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kseg.base.types import Masks, Model, PathLike, Photo, Size, Threshold, Tta
from kseg.data.images import image_arrays
from kseg.models.contract import contract, options, part


def predict(
    model: Model,
    images: Photo | Sequence[Photo | Sequence[PathLike]],
    *,
    resize: Size | None = None,
    tile: int | None = None,
    min_score: float | None = None,
    threshold: Threshold | None = None,
    masks: Masks | None = None,
    detections: int | None = None,
    overlap: float | None = None,
    probabilities: bool = False,
    tta: Tta | None = None,
    output: PathLike | None = None,
    overwrite: bool = False,
) -> Any:  # as the model: to type checkers, one is like another
    """Predicts the class of every pixel, or finds the objects.

    Args:
        model: A kseg model, semantic, multilabel or of instances.
        images: A path of a photo, or of an array in NumPy's `.npy`; a Pillow image; or an array
            `(H, W)`, `(H, W, 1)` or `(H, W, C)`. Or a list of those, of any sizes, in which a tuple
            of paths is one photo whose bands are in these files; or a folder, for the photos in it,
            in the order of their names. Arrays are of 0..255, of any type; uint16
            is read as a PNG of 16 bits is, by its upper 8; see `kseg.data.values`. A model of
            another `value_range` takes numbers of that range as they are.
        resize: Of a model that labels pixels: `(shortest, longest)` side in pixels that a photo
            gets for the network, its aspect kept; its logits are enlarged or shrunk back. Default
            None: photos go in as they are; into a model that is built for images of one size, at
            that. An instance model says this itself.
        tile: A photo larger than so many pixels a side, 128 at least, goes through the network in
            overlapping tiles of that size. Of labels: beyond what the network sees around a pixel
            they give what the whole photo gives; one that looks at the whole photo, as DeepLabV3+
            does, decides otherwise here and there. Of objects: those that several tiles see are
            one, those that none sees in whole are put together. Default None: of labels as large as
            fit with their feature maps into 768 MiB, where the photo does not; of objects the whole
            photo. As large as the photo: never.
        min_score: Of an instance model, as what follows: objects of a lower score are left out; 0
            keeps all that the model gives. Default None: 0.5.
        threshold: Probability from which on a pixel belongs to an object. Of a multilabel model:
            that above which a pixel has a class, a number or one for each class. Default None: 0.5.
        masks: `"binary"`, a byte for each pixel of the photo and each object; `"probability"`, four
            bytes; or `"rle"`, COCO's compressed runs, which pycocotools makes one mask after the
            other. The first two are drawn when `.masks` is asked for, where 100 objects of 50
            megapixels are 5 GB; `.each_mask()` gives one after the other. Default None: binary.
        detections: Objects of a photo at most. Default None: as many as the model was built for,
            100 unless it was told otherwise.
        overlap: Intersection over union above which objects of a class suppress one another.
            Default None: as the model was built for.
        probabilities: Of a model that labels pixels: whether to return those of the classes, in
            place of ids, or of which are above the threshold. Default False.
        tta: Test-time augmentation: what to see the photo as, besides as it is: `"horizontal"` and
            `"vertical"`, mirrored, and of a model that labels pixels scales such as 0.75; each
            scale is mirrored each way. Probabilities are averaged; of objects boxes and masks are,
            and a score counts 0 where an object is not found. Default None: as it is alone.
        output: A file for the answer in place of memory, of one photo of any size: it is read part
            by part where it is a TIFF, an `.npy` or an array such as `np.memmap`, goes through the
            network in tiles, between which the answer passes smoothly, and is written as tiled
            BigTIFF, `.tif`: ids with a palette; of several classes a pixel a band each; of
            `probabilities` a band of float32 each; of objects their numbers from 1 on, or as
            polygons, `.geojson`. The place of a GeoTIFF is kept. Default None.
        overwrite: Whether the file may be there already. Default False.

    Returns:
        Of a semantic model, an int32 array `(H, W)` of class ids at the image's own size; a binary
        model (one class) gives 1 where its probability is above one half. Of a multilabel model,
        a bool array `(H, W, C)`, or float32 with `probabilities`. Of an instance model,
        `kseg.prediction.results.Instances`, with boxes and masks in the image's own pixels. For a
        list of images or a folder, a list of them. With `output`, its path. Threads may share a
        model.

    Raises:
        TypeError: the model is none, or an image is something else.
        FileNotFoundError, ValueError: an image is missing, unreadable, of a wrong shape or not of
            0..255, as floats of 0..1 are; an option is out of its range or not the model's; or the
            network's outputs are not finite.
        FileExistsError: `output` is there already.
        ImportError: `masks="rle"` and pycocotools is not installed.

    Example:

    >>> mask = kseg.predict(model, "street.jpg")
    >>> mask.shape  # the photo's own
    (48, 64)
    >>> objects = kseg.predict(mask_rcnn, "street.jpg", min_score=0.0)
    >>> objects.boxes.shape[1:], objects.masks.shape[1:]
    ((4,), (48, 64))
    """
    own = contract(model)
    given = {
        "resize": resize,
        "tile": tile,
        "min_score": min_score,
        "threshold": threshold,
        "masks": masks,
        "detections": detections,
        "overlap": overlap,
        "probabilities": probabilities,
        "tta": tta,
    }
    chosen = options("kseg.prediction", model, given)
    if output is not None:
        from kseg.prediction.large import predict_to_file

        return predict_to_file(model, images, output, overwrite=overwrite, **chosen)
    photos, several = image_arrays(images, own.channels, own.value_range)
    results = list(part("kseg.prediction", model).predict(model, photos, **chosen))
    return results if several else results[0]

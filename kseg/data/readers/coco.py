"""COCO: everyday scenes, 80 kinds of things and more; and any set annotated in its format. Lin et
al., "Microsoft COCO: Common Objects in Context", ECCV 2014; for panoptic annotations Kirillov et
al., "Panoptic Segmentation", CVPR 2019. Masks come out as pycocotools decodes them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from kseg.base.colors import class_colors
from kseg.base.optional import pycocotools_mask
from kseg.base.types import PathLike, Range
from kseg.data.coco_format.annotations import load
from kseg.data.coco_format.masks import boxes_elsewhere, oddities, to_rle, turned
from kseg.data.coco_format.panoptic import panoptic_source
from kseg.data.coco_format.photos import files_below
from kseg.data.coco_format.rle import map_of_rows, objects_of_rows
from kseg.data.coco_format.rows import (
    classes_of,
    crowds,
    row_of_map,
    row_of_objects,
    stated_by,
)
from kseg.data.coco_format.sources import box_notes, source_of
from kseg.data.decode import size_as_said
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.listing import column
from kseg.data.photos import Numbers
from kseg.data.source import Source, void_beyond


def coco(
    images: PathLike,
    annotations: PathLike,
    *,
    instances: bool = False,
    panoptic: PathLike | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads photos annotated in COCO's format: polygons, runs of either kind, or panoptic.

    Masks are turned into compressed runs once, when the set is opened, and these into pixels where
    they are needed. In a **semantic** map, class 0 is the background and crowd regions are void.
    Where objects overlap, the map shows the one of smaller area, so that the cup is not lost under
    the table; a crowd region lies below all objects. In **panoptic** sets every pixel is annotated:
    things and stuff are the classes, there is no background, and pixels of id 0 are void.

    An annotation without a single pixel, as of a polygon outside the photo, is left out of the
    samples; `Source.problems` tells of it. Photos without annotations stay, all background. A
    category `background` is the background; `__ignore__` is void, or a crowd region; the category
    0 of Roboflow, which is the supercategory of all others, is no class.

    What has one meaning only is read as it is meant: ids in quotes, whole numbers with a point,
    names with backslashes or with folders before them, polygons without their outer list or of
    pairs. All that is wrong is said in one error.

    Args:
        images: Folder of the photos, below which the annotations' `file_name`s lie.
        annotations: JSON file.
        instances: Whether samples hold objects in place of a map of labels; of a panoptic set, the
            things.
        panoptic: Folder of the PNGs of a panoptic set; by default named as `annotations`, without
            `.json`.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source`; its `image_ids` and `category_ids` are the file's own numbers, the latter with 0
        for the background (-1 if 0 is a category). `void` is 255, or 65535 where there are more
        than 255 classes.

    Raises:
        FileNotFoundError: a folder, the file, a photo or a panoptic PNG is missing.
        ValueError: the annotations are damaged; the message names the file and the annotation.
        ImportError: pycocotools is not installed and the set is not a panoptic one.

    Example:

    >>> source = kseg.data.coco("val2017", "annotations/instances_val2017.json", instances=True)
    >>> source.class_names[:2], source.category_ids[11]
    (('person', 'bicycle'), 13)
    """
    numbers, faults = Numbers(value_range, bits, bands, clip), Faults()
    annotated = load(annotations, faults)
    photos = []
    try:
        photos = _photos(annotated.images, images)
    except DataError as error:
        faults.add(error)
    if annotated.panoptic:
        faults.check()
        return panoptic_source(
            annotated, photos, instances, panoptic or os.path.splitext(annotated.path)[0], numbers
        )
    if panoptic is not None:
        raise DataError(
            "unsuitable",
            annotated.path,
            f"panoptic={str(panoptic)!r}: {annotated.path!r} holds no segments_info, so it is no "
            "panoptic set.",
            "Leave panoptic out, or give the panoptic JSON.",
        )
    return _objects(annotated, photos, instances, faults, numbers)


def _photos(listed, folder):
    """Paths of the photos by `file_name`; or, as of LVIS 0.5, by the other name in `coco_url`."""
    names = [str(image.get("file_name")) for image in listed]
    try:
        return files_below(folder, names, "images")
    except MissingData as error:
        urls = [image.get("coco_url") for image in listed]
        if not all(isinstance(url, str) and url for url in urls):
            raise
        try:
            return files_below(folder, ["/".join(url.split("/")[-2:]) for url in urls], "images")
        except MissingData:
            raise error from None


def _objects(annotated, photos, instances, faults, numbers):
    objects, problems, areas = [], {}, []
    for index, (image, listed) in enumerate(zip(annotated.images, annotated.of_image)):
        found, notes = _rles(annotated, image, listed, faults)
        objects.append(found)
        if notes:
            problems[index] = notes
        areas += [each["area"] for each in found]
    faults.check()
    categories, names, class_of = classes_of(annotated, instances)
    void = void_beyond(len(names))
    make = row_of_objects if instances else row_of_map
    rows = [make(each, class_of, annotated.roles, void) for each in objects]
    odd = oddities(annotated, areas) or crowds(annotated) or boxes_elsewhere(annotated, objects)
    notes = annotated.notes + odd
    read = numbers.photos(photos)

    if instances:
        decode = objects_of_rows(read, _size)
    else:
        decode = map_of_rows(read, _size, "uint8" if void < 256 else "int32")
    return source_of(
        annotated,
        {
            "image": column(photos),
            **{key: column(row[key] for row in rows) for key in ("rles", "classes", "crowd")},
            "size": np.array([[i["height"], i["width"]] for i in annotated.images], np.int32),
        },
        decode,
        names,
        class_colors(names),
        instances,
        void,
        categories,
        problems,
        notes,
        read,
        [row["stated"] for row in rows] if instances else None,
    )


def _size(row, photo):
    """The size that the file gives for a photo."""
    remedy = "Take both from the same release."
    return size_as_said(row, photo, "the annotation file says", remedy)


def _rles(annotated, image, listed, faults):
    """An image's annotations as dicts of runs, area, category, crowd; and what is odd in them."""
    read, objects, notes = [], [], []
    for annotation in listed:
        where = annotated.where(annotation)
        try:
            rle, strays = to_rle(annotation, image["height"], image["width"], where)
            notes += box_notes(annotation, image["height"], image["width"], where)
        except DataError as error:
            faults.add(error, where.entry)
            continue
        read.append((annotation, rle))
        if strays:
            what = f"{strays} polygons of fewer than 3 points, which are"
            what = what if strays > 1 else "a polygon of fewer than 3 points, which is"
            notes.append(("stray_points", f"{where} has {what} left out."))
    for annotation, rle in read:
        # one at a time: of more than 255 masks, pycocotools 2.0.11 cannot tell the areas on NumPy 2
        area = pycocotools_mask().area([rle])[0]
        if not area:
            notes.append(
                ("empty_instance", f"{annotated.where(annotation)} has no pixel in its photo.")
            )
            continue
        objects.append(
            {
                "counts": rle["counts"].decode("ascii"),
                "area": int(area),
                "category": annotation["category_id"],
                "crowd": bool(annotation.get("iscrowd", 0)),
                "stated": stated_by(annotation),
            }
        )
    drawn = [annotation for annotation, _ in read]
    if drawn and (odd := turned(drawn, image["height"], image["width"])):
        inside = "reaches beyond its photo, but not beyond the photo on its side."
        notes.append(("turned", f"{annotated.where(odd)} {inside}"))
    return objects, notes

"""The inverse of the readers: a `Source` written in the folder layout of an official data set.

So programs that want Pascal VOC, Cityscapes or COCO run on generated scenes where the real photos
are not at hand, and `voc(write_voc(source))` can be held against `source`. The class lists of VOC
and Cityscapes are theirs: the first class of a source becomes their first class, and so on.

Example:

>>> from kseg.data.writers.layouts import write_voc
>>> scenes = kseg.data.shapes("val", count=8)
>>> write_voc(scenes, "VOCdevkit/VOC2012", "val")
>>> kseg.data.voc("VOCdevkit", "val").class_names[:2]
('background', 'aeroplane')
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from kseg.base.arguments import refused
from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.results import of_sample
from kseg.data.files import PALETTE
from kseg.data.readers.cityscapes import CLASSES as CITYSCAPES_CLASSES
from kseg.data.readers.cityscapes import IMAGE, INSTANCE, LABEL, LABEL_IDS, THING_IDS
from kseg.data.readers.voc import CLASSES as VOC_CLASSES
from kseg.data.source import VOID
from kseg.data.writers.photos import check_colour

MOST_OBJECTS = 1000  # of a photo of Cityscapes, whose numbers are 1000 * class + object


def write_voc(source, root, split, instances=None):
    """Writes samples as Pascal VOC's `JPEGImages`, `SegmentationClass`, `ImageSets` and the rest.

    Args:
        source: Semantic `Source` of at most 21 classes. Photos are stored as JPEG, with its losses.
        root: The folder that becomes `VOC2012`.
        split: Name of the list of these samples, for example `"train"`.
        instances: Source of the same scenes' instances, for `SegmentationObject`; crowd is void. An
            object's class is what its pixels are in `source`.

    Raises:
        ValueError: the source has more classes, or is not of the task.
    """
    _check(source, "semantic", len(VOC_CLASSES), "source")
    root = Path(root).expanduser()
    for index, name in enumerate(source.ids):
        sample = source[index]
        _save(sample["image"], root / "JPEGImages" / f"{name}.jpg")
        _save(_label(source, sample), root / "SegmentationClass" / f"{name}.png", PALETTE)
        if instances is not None:
            _check(instances, "instance", len(VOC_CLASSES) - 1, "instances")
            objects = instances[index]
            count = len(objects["crowd"])
            if count >= VOID:
                expected = "at most 254 objects, which the layout numbers 1..254"
                raise refused(f"objects of {name!r}", count, expected)
            numbers = np.where(objects["crowd"], VOID, 1 + np.arange(count))
            ground = np.zeros_like(sample["label"], np.uint8)
            objects = _painted(objects["masks"], numbers, ground)
            _save(objects, root / "SegmentationObject" / f"{name}.png", PALETTE)
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{name}\n" for name in source.ids))


def write_cityscapes(source, root, split, instances=None, *, city="kseg"):
    """Writes samples as Cityscapes' `leftImg8bit` and `gtFine`: `labelIds` and `instanceIds`.

    Args:
        source: Semantic `Source` of at most 19 classes; void becomes "unlabeled".
        root: Folder to hold `leftImg8bit` and `gtFine`.
        split: `"train"`, `"val"` or `"test"`.
        instances: Instance source of the same scenes, of at most 8 classes: the first is "person".
        city: Folder and beginning of the file names, `{city}_{number}_000000`.

    Raises:
        ValueError: a source has more classes, or is not of the task.
    """
    _check(source, "semantic", len(CITYSCAPES_CLASSES), "source")
    root = Path(root).expanduser()
    stored = np.zeros(256, np.int32)  # of train ids; void stays 0, "unlabeled"
    stored[: len(CITYSCAPES_CLASSES)] = LABEL_IDS
    for index in range(len(source)):
        sample, name = source[index], f"{city}_{index:06}_000000"
        truth = root / "gtFine" / split / city
        _save(sample["image"], root / "leftImg8bit" / split / city / f"{name}{IMAGE}")
        label = stored[_label(source, sample)]
        _save(label.astype(np.uint8), truth / f"{name}{LABEL}")
        if instances is not None:
            _check(instances, "instance", len(THING_IDS), "instances")
            objects = instances[index]
            if len(objects["crowd"]) > MOST_OBJECTS:
                expected = f"at most {MOST_OBJECTS} objects, which the layout numbers 0..999"
                raise refused(f"objects of {name!r}", len(objects["crowd"]), expected)
            thing = np.array(THING_IDS)[objects["classes"]]
            numbers = np.where(objects["crowd"], thing, 1000 * thing + np.arange(len(thing)))
            objects = _painted(objects["masks"], numbers, label)
            _save(objects.astype(np.uint16), truth / f"{name}{INSTANCE}")


def write_coco(source, images, annotations):
    """Writes an instance source as photos and an annotation file in COCO's format.

    Args:
        source: Instance `Source`. Photos have its `image_ids` and categories its `category_ids`, or
            else 1, 2, 3, ...
        images: Folder for the photos, as PNG: they lose nothing.
        annotations: JSON file to write; masks are compressed runs.

    Raises:
        ValueError: the source is not one of instances.
        ImportError: pycocotools is not installed.
    """
    _check(source, "instance", None, "source")
    pycocotools_mask()  # says at once that it is missing
    image_ids = source.image_ids or range(1, len(source) + 1)
    categories = source.category_ids or range(1, source.num_classes + 1)
    listed, objects = [], []
    for index, (name, image_id) in enumerate(zip(source.ids, image_ids)):
        sample = source[index]
        height, width = sample["image"].shape[:2]
        file_name = f"{name}.png"
        _save(sample["image"], Path(images).expanduser() / file_name)
        listed.append({"id": image_id, "file_name": file_name, "height": height, "width": width})
        stated = source.annotated and source.annotated(index)
        for annotation in of_sample(sample, image_id, categories, stated):
            objects.append({"id": len(objects) + 1, **annotation})
    listed_categories = [
        {"id": int(i), "name": name} for i, name in zip(categories, source.class_names)
    ]
    annotations = Path(annotations).expanduser()
    annotations.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": listed, "categories": listed_categories, "annotations": objects}
    annotations.write_text(json.dumps(content))


def _check(source, task, most, argument):
    if source.task != task:
        raise refused(f"{argument}.task", source.task, repr(task))
    check_colour(source, argument)
    if most is not None and source.num_classes > most:
        expected = f"at most {most}, the classes of the layout"
        raise refused(f"{argument}.num_classes", source.num_classes, expected)


def _label(source, sample):
    label = sample["label"]
    return np.where(label == source.void, VOID, label).astype(np.uint8)


def _painted(masks, numbers, ground):
    """The ground with each mask's number on it; the first lies on top."""
    painted = ground.copy()
    for mask, number in zip(masks[::-1], numbers[::-1]):
        painted[mask != 0] = number
    return painted


def _save(array, path, palette=None):
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette(palette)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))

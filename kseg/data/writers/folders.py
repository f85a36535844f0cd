"""Sources of any classes in the folders of data sets, for `kseg.data.writers.convert`.

Each writer takes a folder, sources by split and a function that counts, and is exact: what cannot
be held is refused. Where a layout has a list of classes of its own, a file beside it says those of
the set, which the reader of the layout takes.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from kseg.base.arguments import refused
from kseg.base.colors import voc_colors
from kseg.base.optional import pycocotools_mask
from kseg.data.class_lists import IGNORED, LABELMAP
from kseg.data.coco_format.results import of_sample
from kseg.data.files import PALETTE
from kseg.data.readers.cityscapes import CLASSES as CITYSCAPES
from kseg.data.readers.cityscapes import (
    IMAGE,
    INSTANCE,
    LABEL,
    LABEL_IDS,
    OWN_CLASSES,
    PER_LABEL,
    THING_IDS,
)
from kseg.data.readers.voc import CLASSES as VOC
from kseg.data.source import VOID
from kseg.data.writers.outlines import outline
from kseg.data.writers.photos import (
    as_png,
    ending,
    file_names,
    label_of,
    no_crowds,
    painted,
    stored_samples,
    write_bytes,
)
from kseg.data.writers.records import write_records

GROUND = "background"


def to_records(root, sources, count):
    """`root/SPLIT` of `write_records` each."""
    for split, source in sources.items():
        write_records(source, root / split, progress=lambda done: count())


def to_folder(root, sources, count):
    """`images/SPLIT` and `masks/SPLIT`, PNGs of ids or one for each object; and `classes.txt`.

    Of several classes at a pixel, `masks/SPLIT/CLASS` of black and white PNGs.
    """
    first = next(iter(sources.values()))
    objects, several = first.task == "instance", first.task == "multilabel"
    if objects and first.num_classes != 1:
        expected = "1 with objects, which folders of masks do not tell the classes of"
        raise refused("source.num_classes", first.num_classes, expected, "Convert to coco:.")
    _check_classes(first, VOID, "folder:")
    _check_names(first, "folder:")
    names = file_names(sources, flat=True)
    for split, source in sources.items():
        for name, sample in zip(names[split], stored_samples(source)):
            photo, masks = root / "images" / split, root / "masks" / split
            write_bytes(photo / f"{name}{ending(sample['image'])}", sample["image"])
            if objects:
                no_crowds(sample, "folder:")
                (masks / name).mkdir(parents=True, exist_ok=True)
                for number, mask in enumerate(sample["masks"]):
                    _save(mask * 255, masks / name / f"{number:05}.png")
            elif several:
                for class_name, mask in _of_classes(sample, source, name):
                    _save(mask, masks / class_name / f"{name}.png")
            else:
                _save(label_of(sample, source.void), masks / f"{name}.png", PALETTE)
            count()
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in first.class_names))


def _of_classes(sample, source, name):
    """Name and mask, 0 and 255, of each class of a sample whose pixels may have several."""
    label = sample["label"]
    if (label == source.void).any():
        expected = "labels without void, which folder: cannot hold where it has a mask a class"
        raise refused("source", f"void in {name!r}", expected, "Convert to records:.")
    for class_name in source.class_names:
        if Path(class_name).name != class_name:
            expected = f"names of folders, and {class_name!r} is none"
            remedy = "Rename it, or convert to records:."
            raise refused("source.class_names", source.class_names, expected, remedy)
    yield from zip(source.class_names, np.moveaxis(label, -1, 0) * np.uint8(255))


def to_voc(root, sources, count):
    """Pascal VOC's folders; `labelmap.txt`, as CVAT has it, where the classes are not VOC's own."""
    first = next(iter(sources.values()))
    objects = first.task == "instance"
    classes = (GROUND, *first.class_names) if objects else first.class_names
    _check_classes(first, VOID - 1, "voc:")
    if classes != VOC:
        _check_names(first, "voc:")
        colors = voc_colors(len(classes))
        labels = [*zip(classes, colors), ("ignored", voc_colors(VOID + 1)[VOID])]
        lines = [
            "# label:color_rgb:parts:actions",
            *(f"{n}:{r},{g},{b}::" for n, (r, g, b) in labels),
        ]
        (root / LABELMAP).write_text("".join(f"{line}\n" for line in lines))
    names = file_names(sources, flat=True, unique=True)
    for split, source in sources.items():
        for name, sample in zip(names[split], stored_samples(source)):
            photo = root / "JPEGImages" / f"{name}{ending(sample['image'])}"
            write_bytes(photo, sample["image"])
            if objects:
                no_crowds(sample, "voc:")
                numbers = 1 + np.arange(len(sample["classes"]))
                if len(numbers) >= VOID:
                    expected = "at most 254 objects of a photo, which voc: numbers 1 to 254"
                    raise refused("source", f"{len(numbers)} in {name!r}", expected)
                label = painted(sample, sample["classes"] + 1, "voc:")
                numbered = painted(sample, numbers, "voc:")
                _save(numbered, root / "SegmentationObject" / f"{name}.png", PALETTE)
            else:
                label = label_of(sample, source.void)
            _save(label, root / "SegmentationClass" / f"{name}.png", PALETTE)
            count()
        listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("".join(f"{name}\n" for name in names[split]))


def to_cityscapes(root, sources, count):
    """Cityscapes' folders; `classes.json`, name -> label id, where the classes are not its own.

    Classes of Cityscapes' names have their own label ids, others those of the first.
    """
    first = next(iter(sources.values()))
    objects = first.task == "instance"
    ids = _label_ids(first, THING_IDS if objects else LABEL_IDS)
    if objects or first.class_names != tuple(CITYSCAPES):
        (root / OWN_CLASSES).write_text(json.dumps(dict(zip(first.class_names, ids)), indent=1))
    names = _scenes(file_names(sources, flat=True))
    stored = np.zeros(VOID + 1, np.int32)  # void is 0, "unlabeled"
    stored[: len(ids)] = ids
    for split, source in sources.items():
        for name, sample in zip(names[split], stored_samples(source)):
            city = name.partition("_")[0]
            truth = root / "gtFine" / split / city
            write_bytes(
                root / "leftImg8bit" / split / city / f"{name}{IMAGE}", as_png(sample["image"])
            )
            if objects:
                numbers = _instance_ids(sample, ids, name)
                _save(
                    painted(sample, numbers, "cityscapes:"), truth / f"{name}{INSTANCE}", deep=True
                )
                label = painted(sample, np.array(ids)[sample["classes"]], "cityscapes:")
            else:
                label = stored[label_of(sample, source.void)]
            _save(label, truth / f"{name}{LABEL}")
            count()


def _label_ids(source, own):
    """The label id of each class: by Cityscapes' names if all are, else the first there are."""
    if source.num_classes > len(own):
        expected = f"at most {len(own)}, the classes of cityscapes:"
        remedy = "Convert to coco:, voc: or records:."
        raise refused("source.num_classes", source.num_classes, expected, remedy)
    known = [CITYSCAPES.get(name, (None,))[0] for name in source.class_names]
    return known if set(known) <= {*own} else list(own[: source.num_classes])


def _scenes(names):
    """Names as Cityscapes has them, CITY_SEQUENCE_FRAME: those that are of that form stay."""
    every = [name for of in names.values() for name in of]
    if all(name.count("_") == 2 for name in every):
        return names
    number = iter(range(len(every)))
    return {split: [f"kseg_{next(number):06}_000019" for _ in of] for split, of in names.items()}


def _instance_ids(sample, ids, name):
    """Cityscapes' number of each object: 1000 times its label id and more; a crowd, that alone."""
    things = np.array(ids)[sample["classes"]]
    crowds = things[sample["crowd"]]
    if len(set(crowds.tolist())) < len(crowds) or len(things) > PER_LABEL:
        expected = "at most 1000 objects of a photo, and one crowd region of a class"
        raise refused("source", f"{len(things)} objects in {name!r}", expected, "Convert to coco:.")
    return np.where(sample["crowd"], things, PER_LABEL * things + np.arange(len(things)))


def to_coco(root, sources, count):
    """COCO's folders: objects as `annotations/instances_SPLIT.json`, maps as panoptic stuff."""
    pycocotools_mask()  # says at once that it is missing
    names = file_names(sources, flat=False)
    for split, source in sources.items():
        objects = source.task == "instance"
        categories = _category_ids(source)
        content = {"images": [], "annotations": [], "categories": []}
        for key, name, color in zip(categories, source.class_names, source.colors):
            category = {"id": key, "name": name, "supercategory": "", "color": list(color)}
            content["categories"].append(category | ({} if objects else {"isthing": 0}))
        image_ids = source.image_ids or range(1, len(source) + 1)
        rows = zip(image_ids, names[split], stored_samples(source))
        for index, (image_id, name, sample) in enumerate(rows):
            file_name = f"{name}{ending(sample['image'])}"
            write_bytes(root / split / file_name, sample["image"])
            size = sample["masks" if objects else "label"].shape[-2:]
            image = {"id": image_id, "file_name": file_name, "height": size[0], "width": size[1]}
            content["images"].append(image)
            if objects:
                stated = source.annotated and source.annotated(index)
                for each in of_sample(sample, image_id, categories, stated):
                    each["id"] = len(content["annotations"]) + 1
                    content["annotations"].append(each)
            else:
                png = f"{name}.png"
                label = label_of(sample, source.void, -1).astype(np.int32)
                _save_segments(label + 1, root / "annotations" / f"panoptic_{split}" / png)
                each = {"image_id": image_id, "file_name": png}
                each["segments_info"] = _segments(label, categories)
                content["annotations"].append(each)
            count()
        kind = "instances" if objects else "panoptic"
        file = root / "annotations" / f"{kind}_{split}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))


def _category_ids(source):
    """The source's own numbers of its classes if they ascend from 1, else 1, 2, 3, ...

    Of objects 0 is one too, as some tools count.
    """
    own = [int(key) for key in source.category_ids or ()]
    first = 0 if source.task == "instance" else 1
    ascending = own and own[0] >= first and all(a < b for a, b in zip(own, own[1:]))
    return own if ascending else list(range(1, source.num_classes + 1))


def _segments(label, categories):
    """COCO's list of the classes of a map `(H, W)`, -1 for void: one segment each, id class + 1."""
    segments = []
    for class_id in np.unique(label[label >= 0]).tolist():
        rows, columns = np.nonzero(label == class_id)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        segments.append(
            {
                "id": class_id + 1,
                "category_id": categories[class_id],
                "iscrowd": 0,
                "bbox": [int(side) for side in box],
                "area": len(rows),
            }
        )
    return segments


def _save_segments(ids, path):
    """A PNG of segment ids, R + 256 G + 256^2 B."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colors = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1)
    Image.fromarray(colors.astype(np.uint8)).save(path)


def to_yolo(root, sources, count):
    """`images/SPLIT`, `labels/SPLIT` and `data.yaml`: each object, or class of a map, a polygon."""
    import yaml

    pycocotools_mask()  # says at once that it is missing
    first = next(iter(sources.values()))
    objects = first.task == "instance"
    if not objects and first.class_names[0] != GROUND:
        expected = f"{GROUND!r}, which yolo: has without a label"
        remedy = "Convert to coco:, voc:, folder: or records:."
        raise refused("source.class_names[0]", first.class_names[0], expected, remedy)
    names = file_names(sources, flat=False)
    for split, source in sources.items():
        for name, sample in zip(names[split], stored_samples(source)):
            photo = root / "images" / split / f"{name}{ending(sample['image'])}"
            write_bytes(photo, sample["image"])
            lines = [_line(class_id, mask) for class_id, mask in _masks(sample, source, name)]
            text = root / "labels" / split / f"{name}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("".join(f"{line}\n" for line in lines))
            count()
    content = {"path": ".", **{split: f"images/{split}" for split in sources}}
    content["names"] = dict(enumerate(first.class_names[0 if objects else 1 :]))
    (root / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _masks(sample, source, name):
    """Class and mask of each line of YOLO's."""
    if source.task == "instance":
        no_crowds(sample, "yolo:")
        yield from zip(sample["classes"].tolist(), sample["masks"])
        return
    label = sample["label"]
    if (label == source.void).any():
        expected = "labels without void, which yolo: cannot hold"
        raise refused("source", f"void in {name!r}", expected, "Convert to coco: or voc:.")
    for class_id in np.unique(label[label > 0]).tolist():
        yield class_id - 1, label == class_id


def _line(class_id, mask):
    """A mask as a line of YOLO's, by which pycocotools makes the same mask."""
    corners = outline(mask)
    height, width = mask.shape
    tool = pycocotools_mask()
    (runs,) = tool.frPyObjects([corners.ravel().tolist()], height, width)
    if not np.array_equal(tool.decode(runs), np.asarray(mask != 0, np.uint8)):
        raise ValueError("A mask cannot be written as a polygon of YOLO's: convert to coco:.")
    shares = corners / [width, height]
    return " ".join([str(class_id), *(repr(each) for each in shares.ravel().tolist())])


def _check_classes(source, most, what):
    """Raises `ValueError` for more classes than a layout has ids for."""
    if source.num_classes > most:
        expected = f"at most {most}, the ids of {what}"
        remedy = "Convert to coco: or records:."
        raise refused("source.num_classes", source.num_classes, expected, remedy)


def _check_names(source, what):
    """Raises `ValueError` for names that a list of them does not hold."""
    for name in source.class_names:
        odd = name.lower() in IGNORED or name != name.strip() or not name or name[0] == "#"
        if odd or "\n" in name:
            expected = f"names that a line of {what} holds, and {name!r} is read as something else"
            remedy = "Rename it, or convert to coco: or records:."
            raise refused("source.class_names", source.class_names, expected, remedy)


def _save(array, path, palette=None, deep=False):
    """A PNG of ids: of 8 bits, or of 16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array.astype(np.uint16 if deep else np.uint8))
    if palette is not None:
        image.putpalette(palette)
    image.save(path)


WRITERS = {
    "coco": to_coco,
    "voc": to_voc,
    "cityscapes": to_cityscapes,
    "yolo": to_yolo,
    "folder": to_folder,
    "records": to_records,
}

"""CVAT's "Segmentation mask 1.1": Pascal VOC's folders with classes of one's own in `labelmap.txt`
(https://docs.cvat.ai/docs/manual/advanced/formats/format-smask). Datumaro writes the same. Its XML
is read by `cvat_xml.py`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from kseg.base.colors import class_colors
from kseg.base.tensorflow import tensorflow
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import LABELMAP, class_list
from kseg.data.color_masks import decode_colors
from kseg.data.decode import decode_mask
from kseg.data.errors import DataError, MissingData, require
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS, column, complete
from kseg.data.pairs import no_split_there
from kseg.data.photos import Numbers
from kseg.data.readers.cvat_xml import from_xml, xml_files
from kseg.data.readers.splits import not_drawn, part
from kseg.data.relabel import relabel
from kseg.data.sample import classes_under, masks_of
from kseg.data.source import VOID, Source
from kseg.data.texts import text_of

PHOTO_FOLDERS = ("JPEGImages", "images", "Images")
LISTS = ("ImageSets", "Segmentation")
GROUND = "background"


def cvat(
    root: PathLike,
    split: str | None = None,
    *,
    instances: bool = False,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads an export of CVAT: "Segmentation mask 1.1", or "CVAT for images 1.1".

    Masks are colours of `labelmap.txt`, or numbers of its lines. In XML files there are polygons,
    masks, boxes and ellipses, drawn by their `z_order`; among objects, those of one label and one
    group are one, and lines, points and skeletons, which have no area, are left out. A label
    `ignore` or `void` is no class, and void.

    Args:
        root: Folder that holds `labelmap.txt`, `ImageSets/Segmentation`, `SegmentationClass` and
            `JPEGImages`; or below which `annotations.xml` lies, with `images` beside it.
        split: A list in `ImageSets/Segmentation`, or a subset of the XML file; where there is none
            of "train", as in `default.txt`, `"train"` or `"val"` for a fixed random part; None for
            all photos.
        instances: Whether samples hold objects, as of `SegmentationObject`, in place of labels.
        val_fraction: Share of `"val"` of a random part; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with the classes in the order of `labelmap.txt`, or of the XML file's labels after
        a background, void = 255; of instances without the background.

    Raises:
        FileNotFoundError: a folder, a list, a photo or a mask is missing.
        ValueError: `labelmap.txt` or the XML file is damaged, or is of a video.
        ImportError: pycocotools, which draws shapes, is not installed.

    Example:

    >>> kseg.data.convert(kseg.data.shapes("val", count=2), "voc:exported")  # writes the same
    PosixPath('exported')
    >>> kseg.data.cvat("exported", "train").class_names[:2]
    ('background', 'disk')
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = Path(root).expanduser()
    if not (root / LABELMAP).is_file():
        if root.is_dir() and xml_files(root):
            return from_xml(
                root, split, instances=instances, val_fraction=val_fraction, numbers=numbers
            )
        message = f"root={str(root)!r} holds no {LABELMAP}, and no XML file of CVAT."
        remedy = "Export as Segmentation mask 1.1 or CVAT for images 1.1, and give that folder."
        raise MissingData("missing", root, message, remedy)
    labels = class_list(root)
    if labels is None or labels.palette is None:
        message = f"{str(root / LABELMAP)!r} has no colours: expected name:r,g,b:parts:actions."
        raise DataError("malformed", root / LABELMAP, message, "Export it again.")
    names = _names_of_split(root, split, val_fraction)
    faults = Faults()

    def found(find, *where):
        """What `find` gives for each name; None where it does not find it."""
        paths = []
        for name in names:
            try:
                paths.append(find(root, *where, name))
            except DataError as error:
                faults.add(error, repr(name))
                paths.append(None)
        return paths

    columns = {"image": found(_photo), "label": found(_mask, "SegmentationClass")}
    if instances:
        columns["instances"] = found(_mask, "SegmentationObject")
    whole = complete(*columns.values())
    if not whole:
        faults.check()
    names = [names[i] for i in whole]
    columns = {key: [paths[i] for i in whole] for key, paths in columns.items()}
    first = 0
    if instances:
        first = int(labels.class_names[0] == GROUND)
    label_of = labels_by(labels, columns["label"][0])
    if instances:
        decode = decode_objects(label_of, numbers_of(columns["instances"][0]), first)
    else:
        decode = decode_labels(label_of)
    photos = numbers.photos(columns["image"])
    class_names = labels.class_names[first:]
    colors = labels.palette[first:]
    source = Source(
        name=f"{root.resolve().name}{f'/{split}' if split else ''}",
        columns={key: column(paths) for key, paths in columns.items()},
        decode=photos.beside(decode),
        class_names=class_names,
        colors=colors if len(set(colors)) == len(colors) else class_colors(class_names),
        ids=tuple(names),
        task="instance" if instances else "semantic",
        **photos.said,
    )
    faults.check(rest=source)
    return source


def _names_of_split(root, split, val_fraction):
    """The names of a split's photos, as the lists have them."""
    folder = root.joinpath(*LISTS)
    lists = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if not lists:
        message = f"{str(folder)!r} holds no list of photos."
        raise MissingData("missing", folder, message, "Unpack the whole archive.")
    if split in lists:
        chosen = _listed(lists[split])
    elif split is not None and "train" in lists:
        raise no_split_there(root, split, lists)
    else:
        chosen = sorted({name for path in lists.values() for name in _listed(path)})
        if split is not None:
            share = 0.2 if val_fraction is None else val_fraction
            return [chosen[i] for i in part(chosen, split, share)]
    not_drawn(val_fraction)
    return chosen


def _listed(path):
    """The names in a list; of two words, as `2007_000032 1`, the first."""
    lines = [line.strip() for line in text_of(path).splitlines() if line.strip()]
    if not lines:
        message = f"{str(path)!r} is empty: expected one photo a line."
        raise DataError("malformed", path, message)
    return list(dict.fromkeys(line.strip('"') for line in lines))


def _photo(root, name):
    for folder in PHOTO_FOLDERS:
        for ending in PHOTOS:
            for each in (ending, ending.upper()):
                path = os.path.join(root, folder, name + each)
                if os.path.isfile(path):
                    return path
    path = root / PHOTO_FOLDERS[0]
    raise MissingData(
        "unpaired",
        path / name,
        f"{str(path)!r} holds no photo {name!r}, which a list in ImageSets/Segmentation names.",
        f"Export with images, or copy the photos into {str(path)!r}.",
    )


def _mask(root, folder, name):
    path = root / folder / f"{name}.png"
    if not os.path.isfile(path):  # of a name that is too long for a file, `is_file` raises
        message = f"{str(path)!r} does not exist, though a list in ImageSets/Segmentation names it."
        raise MissingData("unpaired", path, message, "Unpack the whole archive.")
    return str(path)


def labels_by(labels, mask):
    """The function from a mask's path, a tensor, to labels, by what the first mask is."""
    if mode_of(mask) not in ("1", "L", "I", "I;16"):
        packed = [(r << 16) + (g << 8) + b for r, g, b in labels.palette]
        void = [(r << 16) + (g << 8) + b for r, g, b in labels.void_colors or ()]
        return lambda path: relabel(decode_colors(path), packed, void, VOID, path)
    values = labels.values or range(len(labels.class_names))
    void = [*(labels.void_values or ()), VOID]
    return lambda path: relabel(decode_mask(path), values, void, VOID, path)


def numbers_of(mask):
    """How a map of objects numbers them: by its colours, or by its own numbers.

    Returns:
        The function from a path, a tensor, to the map; and the number of no object but 0: Pascal
        VOC's border.
    """
    if mode_of(mask) in ("RGB", "RGBA"):
        return decode_colors, (224 << 16) + (224 << 8) + 192
    return lambda path: decode_mask(path, wide=True), VOID if mode_of(mask) == "P" else 0


def mode_of(mask):
    """How a file holds its pixels, as Pillow calls it; whoever reads it says what is wrong."""
    try:
        with Image.open(mask) as image:
            return image.mode
    except OSError:
        return "RGB"


def decode_labels(label_of):
    """The decode function of labels, by a function as of `labels_by`, without the photo."""
    return lambda row: {"label": label_of(row["label"])}


def decode_objects(label_of, numbers, first):
    """The decode function of objects, of the class that most of their pixels have in the map.

    Args:
        label_of: As of `labels_by`.
        numbers: As of `numbers_of`.
        first: Class id of the first of the objects' classes in the map.
    """
    numbers_of, border = numbers

    def decode(row):
        tf = tensorflow()
        label = label_of(row["label"])
        objects = numbers_of(row["instances"])
        same = tf.reduce_all(tf.shape(objects) == tf.shape(label))
        require(
            same,
            "size_mismatch",
            row["instances"],
            tf.strings.join(["it and '", row["label"], "' differ in size."]),
            "Take both from the same export.",
        )
        keys = tf.sort(tf.unique(tf.reshape(objects, [-1])).y)
        keys = tf.boolean_mask(keys, (keys != 0) & (keys != border))
        classes = classes_under(objects, label, keys) - first
        void = tf.equal(classes, VOID - first)
        require(
            tf.reduce_all(classes >= 0),
            "malformed",
            row["instances"],
            tf.strings.join(["an object has no class in '", row["label"], "'."]),
            "Take both from the same export.",
        )
        return {
            "masks": masks_of(objects, keys),
            "classes": tf.where(void, 0, classes),
            "crowd": void,
        }

    return decode

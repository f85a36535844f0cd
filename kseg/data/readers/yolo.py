"""YOLO: a text file of polygons a photo, a YAML file of names, as Ultralytics reads them, and as
Roboflow, CVAT and Label Studio write them (https://docs.ultralytics.com/datasets/segment)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kseg.base.arguments import name_list
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import class_list
from kseg.data.drawn import Drawing, Shape, drawn_source, header_size, polygon_of
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS, stem
from kseg.data.pairs import ALIASES, files_below, is_split, means, no_split_there
from kseg.data.photos import Numbers
from kseg.data.readers.splits import not_drawn, part
from kseg.data.source import Source
from kseg.data.texts import text_of

IMAGES, LABELS = "images", "labels"  # folders: what Ultralytics exchanges in a photo's path
KEYS = re.compile(r"names|^nc\s*:", re.MULTILINE)  # of a YAML file, either tells it
POSE = "kpt_shape"  # of a YAML file whose lines are boxes and points
BEYOND = 0.01  # share of a side by which a point may lie beyond the photo: rounding


def yolo(
    root: PathLike,
    split: str | None = "train",
    *,
    class_names: Sequence[str] | None = None,
    instances: bool = False,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads polygons in YOLO's format.

    A photo `.../images/.../a.jpg` has its objects in `.../labels/.../a.txt`: a line each, the
    number of the class and the corners x1 y1 x2 y2 ..., as shares of width and height. A photo
    without such a file has no object. Lines of four numbers are boxes without a mask, which are
    left out and counted. In a map, class 0 is the background, and smaller objects lie on top.

    Args:
        root: The folder with `data.yaml`, or another YAML file itself. Without one: `images/SPLIT`
            and `labels/SPLIT`, or `SPLIT/images` and `SPLIT/labels`, or no splits.
        split: `"train"` (the default), `"val"` or `"test"`; None for all photos.
        class_names: Name of each class by number; None for those of the YAML file, or of
            `classes.txt`.
        instances: Whether samples hold objects in place of a map of labels.
        val_fraction: Share of `"val"` where the set has no split of its own, or names the same
            photos for both; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with void = 255.

    Raises:
        FileNotFoundError: a folder, the names or a photo is missing.
        ValueError: a file of labels or the YAML file is damaged, or holds boxes alone.
        ImportError: pycocotools is not installed.

    Example:

    >>> kseg.data.convert({"val": kseg.data.shapes("val", count=2)}, "yolo:scenes")
    PosixPath('scenes')
    >>> kseg.data.yolo("scenes", "val", instances=True).class_names[:2]
    ('disk', 'ring')
    """
    numbers = Numbers(value_range, bits, bands, clip)
    root = Path(root).expanduser()
    file = yaml_file(root)
    content = _yaml(file) if file else {}
    root = file.parent if file else root
    if POSE in content:
        message = f"{str(file)!r} has {POSE}: these are boxes and key points, as for poses."
        remedy = "Export the set for segmentation, with polygons."
        raise DataError("unsuitable", file, message, remedy)
    names = _names(content, file, root, class_names)
    photos = photos_of(root, content, split, val_fraction)
    faults = Faults()
    drawings = [each for photo in photos if (each := _drawing(photo, names, faults))]
    faults.check()
    boxes = sum(kind == "box" for drawing in drawings for kind, _ in drawing.problems)
    if boxes and not any(drawing.shapes for drawing in drawings):
        raise DataError(
            "unsuitable",
            root,
            f"{str(root)!r}: all {boxes} lines of its labels are boxes, of 4 numbers after the "
            "class, as for detection: expected polygons, of 6 or more.",
            "Export the set for segmentation, with polygons.",
        )
    name = f"{root.resolve().name}{f'/{split}' if split else ''}"
    return drawn_source(name, drawings, names, instances=instances, by_area=True, numbers=numbers)


def yaml_file(root):
    """The YAML file that a path is, or that the folder holds; None if there is none."""
    if root.suffix in (".yaml", ".yml"):
        if not root.is_file():
            message = f"root={str(root)!r} does not exist: expected a YAML file."
            raise MissingData("missing", root, message)
        return root
    if not root.is_dir():
        message = f"root={str(root)!r} does not exist: expected a folder, or a YAML file."
        raise MissingData("missing", root, message)
    found = [root / name for name in ("data.yaml", "data.yml", "dataset.yaml")]
    found += sorted(each for each in root.glob("*.y*ml") if each not in found)
    return next((each for each in found if each.is_file() and KEYS.search(text_of(each))), None)


def _yaml(file):
    """The content of the YAML file, a dict."""
    import yaml

    try:
        content = yaml.safe_load(text_of(file))
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        message = f"{str(file)!r} is no YAML ({where})."
        raise DataError("malformed", file, message, "Correct it, or export it again.") from None
    if not isinstance(content, dict):
        message = f"{str(file)!r} holds a {type(content).__name__}: expected names: and train:."
        raise DataError("malformed", file, message, "Correct it, or export it again.")
    return content


def _names(content, file, root, given):
    """Names of the classes, by number."""
    if given is not None:
        return name_list("class_names", given)
    names, count = content.get("names"), content.get("nc")
    if names is None and isinstance(count, int) and count > 0:
        names = [f"class_{index}" for index in range(count)]  # as Ultralytics calls them
    if isinstance(names, dict) and all(str(key).isdecimal() for key in names):
        names = {int(key): name for key, name in names.items()}  # some write '0': cell
        if sorted(names) != list(range(len(names))):
            numbers = ", ".join(map(str, sorted(names)[:8]))
            message = f"{str(file)!r}: names has the numbers {numbers}; expected 0, 1, 2, ..."
            raise DataError("malformed", file, message, "Number the classes from 0 without a gap.")
        names = [names[key] for key in sorted(names)]
    if isinstance(names, list) and names:
        return tuple(map(str, names))
    if names is not None:
        message = f"{str(file)!r}: names={names!r:.60}: expected a list of names."
        raise DataError("malformed", file, message, "Correct it, or export it again.")
    listed = class_list(root, root / LABELS)
    if listed is None:
        message = f"{str(root)!r} holds no data.yaml with names, nor classes.txt."
        remedy = "Write the class names there, or give class_names=('cell', 'nucleus', ...)."
        raise MissingData("missing", root, message, remedy)
    return listed.class_names


def photos_of(root, content, split, val_fraction=None):
    """Paths of the photos of a split.

    Args:
        root: The folder.
        content: Of the YAML file, `{}` without one.
        split: The name; None for all.
        val_fraction: As of `yolo`.
    """
    keys = {name: key for key, of in ALIASES.items() for name in of}
    given = {keys.get(key, key): value for key, value in content.items() if value and key in keys}
    base = root / str(content.get("path") or "")
    base = base if base.is_dir() else root
    if given:
        # as of coco128.yaml: nothing is held out there, so that a part is here
        same = split in ("train", "val") and given.get("train") == given.get("val")
        drawn = split is not None and (same or set(given) == {"train"})
        if split is None or not drawn and split in given:
            not_drawn(val_fraction)
        if split is None:
            return sorted({p for each in given for p in _listed(root, base, given[each])})
        if not drawn and split in given:
            return _listed(root, base, given[split])
        if not drawn:
            raise no_split_there(root, split, given)
        photos = _listed(root, base, given["train"])  # of which a part is held out
    else:
        photos = _below(root)
        names = [_split_folder(photo, root, split) for photo in photos]
        if any(names) and split is not None:
            chosen = [photo for photo, name in zip(photos, names) if means(name, split)]
            if not chosen:
                raise no_split_there(root, split, names)
            not_drawn(val_fraction)
            return chosen
        if split is None:
            not_drawn(val_fraction)
            return photos
    share = 0.2 if val_fraction is None else val_fraction
    return [photos[i] for i in part(list(map(stem, photos)), split, share)]


def _listed(root, base, entries):
    """The photos of an entry of the YAML file: a folder, a list of photos, or several of those."""
    photos = []
    for entry in entries if isinstance(entries, list) else [entries]:
        # Roboflow writes ../train/images of a folder beside the file; Ultralytics reads it so too
        way = str(entry).replace("\\", "/")
        place = _place((base, root), (way, way.removeprefix("../")), os.path.exists)
        if place is None:
            message = f"{str(Path(base) / way)!r} does not exist: the YAML file names it."
            raise MissingData("missing", Path(base) / way, message, "Correct its path there.")
        photos += _below(place) if place.is_dir() else _of_list(place, base, root)
    return photos


def _of_list(file, base, root):
    """The photos that a text file names, a path a line."""
    lines = [line.strip() for line in text_of(file).splitlines() if line.strip()]
    photos, faults = [], Faults()
    for line in lines:
        way = line.replace("\\", "/")
        # CVAT writes data/images/... of what lies in images/
        ways = (way, way.removeprefix("data/"))
        place = _place((base, root, file.parent), ways, os.path.isfile)
        if place is None:
            message = f"{str(file)!r} names {line!r}, and there is no such photo."
            remedy = "Correct the list, or add the photo."
            faults.add(MissingData("unpaired", file, message, remedy), repr(line))
        photos.append(str(place))
    faults.check()
    return photos


def _place(folders, ways, is_there):
    """The first of these paths that is there; None where none is.

    A whole path of another machine is found by its end, without the folders that are not here.

    Args:
        folders: In which to look, one after the other.
        ways: Paths from there, or whole ones, with `/`.
        is_there: Function of a path.
    """
    places = [Path(folder) / way for way in ways for folder in folders]
    parts = re.split("/+", ways[0])
    if not parts[0] or parts[0].endswith(":"):  # /content/set/images, C:/set/images
        ends = ["/".join(parts[dropped:]) for dropped in range(1, len(parts))]
        places += [Path(folder) / end for end in ends if end for folder in folders]
    return next((each for each in places if is_there(each)), None)


def _below(folder):
    """Photos below a folder; of one that holds the whole set, those in folders named images."""
    found = [file for file in files_below(folder) if file.lower().endswith(PHOTOS)]
    inner = [file for file in found if IMAGES in file.split("/")[:-1]]
    found = inner or found
    if not found:
        message = f"{str(folder)!r} holds no photo ending in {', '.join(PHOTOS)}."
        raise MissingData("missing", folder, message, "Check the path.")
    return [os.path.join(folder, file) for file in found]


def _split_folder(photo, root, split):
    """The folder of a split that a photo lies in; None if there is none."""
    folders = Path(photo).relative_to(root).parts[:-1]
    return next((name for name in folders if is_split(name, split)), None)


def label_file(photo):
    """The file of a photo's objects: `images` becomes `labels`, or it lies beside the photo."""
    folder, name = os.path.split(photo)
    text = f"{os.path.splitext(name)[0]}.txt"
    pieces = folder.split(os.sep)
    if IMAGES in pieces:
        last = len(pieces) - 1 - pieces[::-1].index(IMAGES)
        return os.path.join(os.sep.join([*pieces[:last], LABELS, *pieces[last + 1 :]]), text)
    return os.path.join(folder, text)


def _drawing(photo, names, faults):
    """What a photo's file says, None without photo; what is wrong is kept among the faults."""
    if not os.path.isfile(photo):
        message = f"{photo!r} does not exist: expected a photo."
        faults.add(MissingData("missing", photo, message), repr(photo))
        return None
    drawing, file = Drawing(photo, header_size(photo), []), label_file(photo)
    if not os.path.isfile(file):
        return drawing
    for number, line in enumerate(text_of(Path(file)).splitlines(), 1):
        values = line.split()
        if not values:
            continue
        try:
            shape = _shape(values, names, drawing.size)
        except ValueError as error:
            message = f"{file!r}, line {number}: {error}."
            remedy = "Correct the line, or export the labels again."
            place = f"{file!r}, line {number}"
            faults.add(DataError("malformed", file, message, remedy), place)
            continue
        if shape is None:
            what = f"line {number} of {file!r} is a box without a mask, which is left out."
            drawing.problems.append(("box", what))
        else:
            drawing.shapes.append(shape)
    return drawing


def _shape(values, names, size):
    """The `Shape` of a line's words; None for a box."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        raise ValueError(f"{' '.join(values)!r:.60} are no numbers") from None
    class_id, *corners = numbers
    if class_id not in range(len(names)):
        raise ValueError(
            f"class {values[0]}; expected one of the {len(names)} names, 0 to {len(names) - 1}"
        )
    if len(corners) == 4:
        return None
    corners = np.array(corners)
    if len(corners) and not (-BEYOND <= corners.min() and corners.max() <= 1 + BEYOND):
        far = corners[np.argmax(np.abs(corners - 0.5))]
        raise ValueError(f"the coordinate {far:g}; expected shares of width and height, 0 to 1")
    height, width = size
    scale = np.resize([width, height], len(corners))
    polygon = polygon_of(corners * scale)
    if polygon is None:
        raise ValueError(f"{len(corners)} coordinates; expected 3 points or more")
    return Shape(names[int(class_id)], (polygon,))

"""CVAT's "CVAT for images 1.1": shapes and masks in one XML file beside the photos
(https://docs.cvat.ai/docs/manual/advanced/xml_format)."""

import dataclasses
import math
import os
import re
from xml.etree import ElementTree

import numpy as np

from kseg.data.class_lists import IGNORED
from kseg.data.coco_format.annotations import MOST_PIXELS
from kseg.data.coco_format.categories import role_of
from kseg.data.drawn import (
    FARTHEST,
    Drawing,
    Shape,
    drawn_source,
    ellipse,
    header_size,
    polygon_of,
    rectangle,
)
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS, likewise
from kseg.data.pairs import files_below
from kseg.data.readers.splits import chosen_of_split

START = 4096  # bytes of a file, among which its first element is
AREALESS = ("polyline", "points", "cuboid", "skeleton", "tag")
WITH_AREA = ("polygon", "box", "ellipse", "mask")


@dataclasses.dataclass
class _Listed:
    """What the files of a set say: its labels, in their order, and its photos.

    Args:
        colors: Label -> RGB, or None where it has none.
        drawings: A `Drawing` for each photo.
        places: Of each, its path below the root, of which folders tell the split.
        below: Folder -> name of a file below it -> its paths, of folders that were looked through.
    """

    colors: dict = dataclasses.field(default_factory=dict)
    drawings: list = dataclasses.field(default_factory=list)
    places: list = dataclasses.field(default_factory=list)
    below: dict = dataclasses.field(default_factory=dict)


def xml_files(root):
    """The files of CVAT's below a folder, as paths from there."""
    return [f for f in files_below(root) if f.lower().endswith(".xml") and _is_cvat(root, f)]


def _is_cvat(root, file):
    """Whether the first element of a file is CVAT's; Pascal VOC's boxes have `annotation`."""
    try:
        with open(os.path.join(root, file), "rb") as stream:
            return bool(re.search(rb"<annotations[\s>]", stream.read(START)))
    except OSError:
        return False


def from_xml(root, split, *, instances, val_fraction, numbers):
    """The `Source` of the XML files below a folder; arguments are those of `kseg.data.cvat`."""
    listed, faults = _Listed(), Faults()
    for file in xml_files(root):
        _read(root, file, listed, instances, faults)
    faults.check()
    names, colors = _classes(listed)
    if not names:
        message = f"{str(root)!r} has no label of shapes with an area, and none is drawn."
        raise DataError("unsuitable", root, message, "Draw polygons, boxes or masks in CVAT.")
    chosen = chosen_of_split(root, listed.places, split, val_fraction)
    return drawn_source(
        f"{root.resolve().name}{f'/{split}' if split else ''}",
        [listed.drawings[i] for i in chosen],
        names,
        instances=instances,
        by_area=False,
        numbers=numbers,
        colors=colors,
    )


def _classes(listed):
    """The labels that are classes, and their colours; None where they are not all different."""
    drawn = {shape.label for drawing in listed.drawings for shape in drawing.shapes}
    names = [*listed.colors, *sorted(drawn - listed.colors.keys())]
    names = tuple(name for name in names if role_of(name) is None)
    colors = tuple(listed.colors.get(name) for name in names)
    return names, colors if len({*colors, None, (0, 0, 0)}) == len(colors) + 2 else None


def _read(root, file, listed, instances, faults):
    """Adds what a file says; element by element, for files may have hundreds of megabytes."""
    path, photos, tracks = root / file, 0, 0
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == "labels":
                listed.colors |= _labels(element)
            elif element.tag == "image":
                photos += 1
                try:
                    _add(root, file, element, listed, instances)
                except DataError as error:
                    faults.add(error, repr(element.get("name")))
            elif element.tag == "track":
                tracks += 1
            if element.tag in ("image", "track"):
                element.clear()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        message = f"{str(path)!r} is no XML ({error})."
        faults.add(DataError("malformed", path, message, "Export it again."))
        return
    if tracks:
        message = f"{str(path)!r} holds {tracks} tracks of a video, which are not read."
        remedy = "Export as CVAT for images 1.1, which has each frame's shapes."
        faults.add(DataError("unsuitable", path, message, remedy))
    elif not photos:
        message = f"{str(path)!r} lists no photo."
        faults.add(DataError("malformed", path, message, "Export it again."))


def _labels(element):
    """Label -> colour of what can have an area; parts of skeletons have a parent."""
    found = {}
    for label in element.iter("label"):
        name, kind = label.findtext("name"), label.findtext("type")
        if name and kind not in AREALESS and not label.findtext("parent"):
            color = re.fullmatch("#([0-9a-fA-F]{6})", label.findtext("color") or "")
            found[_label(name)] = tuple(bytes.fromhex(color[1])) if color else None
    return found


def _label(name):
    return "__ignore__" if name.lower() in IGNORED else name


def _add(root, file, image, listed, instances):
    """Adds the photo of an `image` element, and what is drawn on it."""
    path, name, subset = root / file, image.get("name"), image.get("subset")
    if not name:
        raise _malformed(path, "an image has no name")
    name = name.replace("\\", "/")
    photo = _photo(path.parent, name, subset) or _anywhere(path.parent, name, listed.below)
    if photo is None:
        message = f"{str(path)!r} lists {name!r}, which is not in {str(path.parent / 'images')!r}."
        remedy = "Export with images, or copy it there."
        raise MissingData("unpaired", path, message, remedy)
    size = tuple(image.get(key, "") for key in ("height", "width"))
    if all(side.isdecimal() and 0 < int(side) < FARTHEST for side in size):
        size = tuple(map(int, size))
    else:
        size = header_size(photo)
    drawing = Drawing(photo, size, *_shapes(path, name, image, instances))
    parts = [os.path.dirname(file), subset if subset != "default" else "", name]
    drawing.name = os.path.splitext("/".join(filter(None, parts[1:])))[0]
    listed.drawings.append(drawing)
    listed.places.append("/".join(filter(None, parts)))


def _photo(folder, name, subset):
    """The path of a photo, as CVAT, or whoever copied it, laid it; None if there is none.

    Frames of a video have no ending in the file.
    """
    folders = [
        folder / "images" / (subset or ""),
        folder / "images",
        folder,
        folder.parent / "images",
    ]
    if subset:
        folders.append(folder / subset)
    ways = [each / part for each in folders for part in (name, os.path.basename(name))]
    endings = ("", *PHOTOS, ".PNG")
    for way in ways:
        for ending in endings if not way.suffix else ("",):
            if os.path.isfile(f"{way}{ending}"):
                return os.path.normpath(f"{way}{ending}")
    return None


def _anywhere(folder, name, below):
    """The path of the one photo of this name below a folder; None if there is none, or two are."""
    if folder not in below:
        below[folder] = {}
        for file in files_below(folder):
            if file.lower().endswith(PHOTOS):
                below[folder].setdefault(os.path.basename(file), []).append(file)
    found = below[folder].get(os.path.basename(name), [])
    return os.path.join(folder, found[0]) if len(found) == 1 else None


def _shapes(path, name, image, instances):
    """What is drawn on a photo, from the back to the front; and what is odd."""
    drawn, problems, without = [], [], []
    for number, element in enumerate(image):
        where = f"{element.tag} {number} of {name!r}"
        label = element.get("label")
        if element.tag in AREALESS:
            without += [f"{element.tag} {number}"] if element.tag != "tag" else []
        elif element.tag in WITH_AREA:
            try:
                if not label:
                    raise ValueError("it has no label")
                shape = _shape(element, _label(label))
                order = int(element.get("z_order") or 0)
            except (TypeError, ValueError) as error:
                raise _malformed(path, f"{where}: {error}") from None
            if shape is None:
                problems.append(("empty_instance", f"{path}: {where} has too few points."))
            else:
                drawn.append((order, element.get("group_id"), shape))
    if without:
        what = f"{path}: {without[0]} of {name!r} has no area.{likewise(without[1:])}"
        problems.append(("empty_instance", what))
    drawn.sort(key=lambda each: each[0])
    return _grouped(drawn) if instances else [shape for *_, shape in drawn], problems


def _grouped(drawn):
    """Shapes of which those of one label and one group are one, as in CVAT's own exports."""
    shapes, places = [], {}
    for _, group, shape in drawn:
        key = (shape.label, group)
        if group in (None, "", "0") or key not in places:
            places[key] = len(shapes)
            shapes.append(shape)
        else:
            first = shapes[places[key]]
            shapes[places[key]] = dataclasses.replace(first, others=(*first.others, shape))
    return shapes


def _shape(element, label):
    """The `Shape` of an element; None if it has too few points."""
    if element.tag == "mask":
        return _mask(element, label)
    if element.tag == "polygon":
        pairs = (pair.split(",") for pair in (element.get("points") or "").split(";") if pair)
        polygon = polygon_of([[float(x), float(y)] for x, y in pairs])
        return None if polygon is None else Shape(label, (polygon,))
    turned = math.radians(float(element.get("rotation") or 0))
    if element.tag == "ellipse":
        x, y, rx, ry = (_number(element, key) for key in ("cx", "cy", "rx", "ry"))
        return Shape(label, (polygon_of(ellipse(x, y, rx, ry, turned)),))
    x1, y1, x2, y2 = (_number(element, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    corners = np.reshape(rectangle(x1, y1, x2, y2), (4, 2)) - ((x1 + x2) / 2, (y1 + y2) / 2)
    across, down = math.cos(turned), math.sin(turned)
    corners = corners @ [[across, down], [-down, across]] + ((x1 + x2) / 2, (y1 + y2) / 2)
    return Shape(label, (polygon_of(corners),), is_box=True)


def _mask(element, label):
    """A mask: runs along its rows, beginning with zeros, within a box."""
    left, top, width, height = (
        int(_number(element, key)) for key in ("left", "top", "width", "height")
    )
    runs = [int(run) for run in (element.get("rle") or "").split(",") if run.strip()]
    if not runs:
        return None
    if not (0 < width < FARTHEST and 0 < height < FARTHEST and width * height < MOST_PIXELS):
        raise ValueError(f"width={width}, height={height}: expected those of its mask")
    if min(runs) < 0 or sum(runs) != width * height:
        expected = f"{width} x {height} = {width * height}, its width and height"
        raise ValueError(f"rle of {sum(runs)} pixels; expected {expected}")
    values = np.arange(len(runs)) % 2 == 1
    return Shape(label, mask=np.repeat(values, runs).reshape(height, width), corner=(left, top))


def _number(element, key):
    """A number of pixels that an element has as an attribute."""
    value = element.get(key)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{key}={value!r:.60}: expected a number") from None
    if not abs(number) < FARTHEST:
        raise ValueError(f"{key}={value!r:.60}: expected a number of pixels")
    return number


def _malformed(path, what):
    message = f"{str(path)!r}: {what}."
    return DataError("malformed", path, message, "Correct it in CVAT, and export again.")

"""COCO's annotation files, read and looked over: whatever is wrong is named with its annotation.

The format is that of Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, for
instances, and of Kirillov et al., "Panoptic Segmentation", CVPR 2019. Files of other tools and of
one's own come in this format too, with every mistake one can make, and pycocotools, which turns
polygons and runs into masks, crashes on some of them: nothing reaches it unchecked. What has one
meaning only is read: ids in quotes, whole numbers with a point, names with backslashes.
"""

import dataclasses
import json
import os
import re
from pathlib import Path

from kseg.data.coco_format.categories import roles_of
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.texts import text_in

MOST_PIXELS = 2**29  # of a photo; TensorFlow decodes no larger ones


SLACK = 1  # pixels by which a box may reach beyond its photo: rounding, or counting from 1


WHOLE = re.compile(r"\s*([-+]?\d{1,18})(?:\.0*)?\s*")  # a whole number in quotes


# What to do about a field that is missing, or is something else
REMEDIES = {
    "segmentation": "A file of boxes alone has nothing to segment: export polygons or masks, or "
    'give "segmentation": [] to leave an annotation out.',
    "image_id": 'Give the "id" of one of the images.',
    "category_id": 'Give the "id" of one of the categories, a whole number.',
    "file_name": "Give the photo's name below the folder of the photos.",
    "height": "Give the height of the photo in pixels, a whole number.",
    "width": "Give the width of the photo in pixels, a whole number.",
    "name": "Give each category a name, in quotes.",
    "size": "Give the height and width of the photo: the runs fill it, column by column.",
    "counts": "Export the mask again, as polygons or runs.",
    "segments_info": "Each annotation of a panoptic file has it: export the file again.",
    "isthing": "Give 1 for things, that are counted, and 0 for stuff.",
    "bbox": "Remove it: boxes are taken from the masks.",
}


@dataclasses.dataclass(frozen=True)
class Place:
    """A place in an annotation file, as errors name it."""

    path: str
    entry: str = ""

    def __str__(self):
        return f"{self.path}: {self.entry}" if self.entry else self.path

    def within(self, part):
        """A place inside this one."""
        return Place(self.path, f"{self.entry}{part}")

    def malformed(self, message, remedy="Correct it, or export the file again."):
        """The error on what is wrong here."""
        return DataError("malformed", self.path, f"{self}: {message}", remedy)


@dataclasses.dataclass(frozen=True)
class Annotations:
    """What a file holds: the images in its order, the categories in the order of their ids.

    `of_image` has a list of annotations for each image; `panoptic` tells the two formats apart.
    `roles` are of the categories that are no class of objects, by their ids; see
    `kseg.data.coco_format.categories`. `notes` are what the file is odd in, `(kind, message)`.
    """

    path: str
    images: list
    categories: list
    of_image: list
    panoptic: bool
    roles: dict
    notes: list

    def where(self, annotation):
        return Place(self.path, f"annotation {annotation.get('id', '(without id)')!r}")


def load(path, faults=None):
    """Reads an annotation file, with every id looked up.

    Args:
        path: The file.
        faults: `Faults` for what is wrong with single entries, which are then left out; None to
            raise it.

    Raises:
        MissingData: there is no such file.
        DataError: it is not JSON, or not in COCO's format.
    """
    path = str(Path(path).expanduser())
    content = _json(path)
    if not isinstance(content, dict):
        raise DataError(
            "malformed",
            path,
            f"annotations={path!r} holds a {type(content).__name__}, as files of results do: "
            'expected an object with the keys "images", "annotations" and "categories".',
            "Give the file of the annotations.",
        )
    images, annotations, categories = (
        _entries(content, key, path) for key in ("images", "annotations", "categories")
    )
    if not images or not categories:
        raise Place(path).malformed(
            "expected at least one image and one category.", "Export the whole set."
        )
    found = Faults() if faults is None else faults
    position, unsound = _positions(images, path, found)
    names = _category_names(categories, path, found)
    panoptic = bool(annotations) and "segments_info" in annotations[0]
    loaded = Annotations(
        path=path,
        images=images,
        categories=sorted(
            (each for each in categories if type(each.get("id")) is int),
            key=lambda each: each["id"],
        ),
        of_image=[[] for _ in images],
        panoptic=panoptic,
        roles={},
        notes=[],
    )
    for annotation in annotations:
        where = loaded.where(annotation)
        try:
            place = _of_image(annotation, position, where)
            for part in (
                field(annotation, "segments_info", list, where) if panoptic else [annotation]
            ):
                _check_category(part, names, where)
        except DataError as error:
            found.add(error, where.entry)
            continue
        loaded.of_image[place].append(annotation)
    for place in unsound:
        loaded.of_image[place].clear()
    if not panoptic:
        used = {each["category_id"] for listed in loaded.of_image for each in listed}
        loaded.roles.update(roles_of(loaded.categories, used, loaded.notes))
    _check_names(loaded, found)
    if faults is None:
        found.check()
    return loaded


def _of_image(annotation, position, where):
    """The place of an annotation's image in the list."""
    image = field(annotation, "image_id", (int, str), where)
    for key in (image, _as_text(image)):
        if key in position:
            return position[key]
    raise where.malformed(
        f'image_id={image!r} is not among the file\'s "images".', REMEDIES["image_id"]
    )


def _check_category(part, names, where):
    """Raises unless an annotation, or a segment of one, is of a category and well marked."""
    if not isinstance(part, dict):
        raise where.malformed(f"segments_info holds {part!r:.60}; expected objects.")
    category = field(part, "category_id", int, where)
    if category not in names:
        raise where.malformed(
            f'category_id={category} is not among the file\'s "categories".',
            REMEDIES["category_id"],
        )
    crowd = part.get("iscrowd", 0)
    if crowd in ("0", "1"):
        crowd = part["iscrowd"] = int(crowd)
    if crowd not in (0, 1):
        raise where.malformed(
            f"iscrowd={crowd!r:.60}: expected 0 or 1.", "Give 0, or leave it out."
        )


def _positions(images, path, faults):
    """The place in the list of each image id, and of the id as text where no other has that.

    Returns:
        Image id -> place, and the places of the images in which something is wrong.
    """
    positions, by_text, unsound = {}, {}, []
    for position, image in enumerate(images):
        where = Place(path, f"image {image.get('id')!r}")
        try:
            key = field(image, "id", (int, str), where)
            if key in positions:
                raise where.malformed("two images have this id; expected one each.")
            positions[key] = position
            by_text.setdefault(_as_text(key), []).append(position)
            if "file_name" not in image and isinstance(image.get("coco_url"), str):  # as LVIS
                image["file_name"] = "/".join(image["coco_url"].split("/")[-2:])
            if not field(image, "file_name", str, where):
                message = "file_name is empty; expected the photo's name."
                raise where.malformed(message, REMEDIES["file_name"])
            height, width = (field(image, side, int, where) for side in ("height", "width"))
            if min(height, width) < 1 or height * width >= MOST_PIXELS:
                raise where.malformed(
                    f"height={height}, width={width}: expected pixels, >= 1 and fewer than "
                    f"{MOST_PIXELS} in all."
                )
        except DataError as error:
            faults.add(error, where.entry)
            unsound.append(position)
    alone = {text: places[0] for text, places in by_text.items() if len(places) == 1}
    return alone | positions, unsound


def _as_text(number):
    """A number, also one in quotes, as text that is the same for both; a name as it is."""
    whole = WHOLE.fullmatch(number) if isinstance(number, str) else None
    return str(int(whole[1])) if whole else str(number)


def _category_names(categories, path, faults):
    """The name of each category id."""
    names = {}
    for category in categories:
        where = Place(path, f"category {category.get('id')!r}")
        try:
            if field(category, "id", int, where) in names:
                message = "two categories have this id; expected one each."
                raise where.malformed(message, "Number the categories 1, 2, 3, ...")
            names[category["id"]] = None  # there, whatever its name is
            names[category["id"]] = field(category, "name", str, where)
        except DataError as error:
            faults.add(error, where.entry)
    return names


def _check_names(loaded, faults):
    """There are classes, and of each name one: others could not be told apart in any table."""
    of_name = {}
    for category in loaded.categories:
        name = category.get("name")
        if category["id"] not in loaded.roles and isinstance(name, str):
            of_name.setdefault(name, {})[category["id"]] = None
    if len(loaded.roles) == len(loaded.categories):
        listed = ", ".join(repr(each.get("name")) for each in loaded.categories)
        message = f"no category is a class of objects: {listed}."
        faults.add(Place(loaded.path).malformed(message, "Name them by what they show."))
    for name, ids in of_name.items():
        if len(ids) > 1:
            where = Place(loaded.path, f"categories {', '.join(map(str, ids))}")
            message = f"all are named {name!r}; expected a name each."
            remedy = "Rename them, or give their annotations one category_id if they are one."
            faults.add(where.malformed(message, remedy), where.entry)


def _json(path):
    if not os.path.isfile(path):
        message = f"annotations={path!r} does not exist: expected a JSON file."
        raise MissingData("missing", path, message)
    with open(path, "rb") as file:
        content = file.read()
        try:
            try:
                return json.loads(content)
            except UnicodeDecodeError:
                return json.loads(text_in(content, path))
        except DataError:
            raise
        except (ValueError, RecursionError) as error:
            message = f"annotations={path!r} is not JSON ({error})."
            raise DataError("malformed", path, message, "Export or download it again.") from error


def _entries(content, key, path):
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        what = f"is {entries!r:.60}" if key in content else "is missing"
        remedy = "Export the set in COCO's format for instance segmentation."
        raise Place(path).malformed(f'"{key}" {what}; expected a list of objects.', remedy)
    return entries


def field(entry, key, kinds, where):
    """`entry[key]`, if it is of one of these types; a `DataError` about the `Place` if not.

    A whole number is an int however it is written: 40, 40.0, "40".
    """
    value = entry.get(key)
    several = kinds if isinstance(kinds, tuple) else (kinds,)
    if int in several:
        value = as_whole(value, quoted=str not in several)
        if type(value) is int:
            entry[key] = value
    if isinstance(value, kinds) and not isinstance(value, bool):
        return value
    what = f"{key}={value!r:.60}" if key in entry else f"{key!r} is missing"
    message = f"{what}; expected {' or '.join(kind.__name__ for kind in several)}."
    raise where.malformed(message, REMEDIES.get(key, "Correct it, or export the file again."))


def as_whole(value, quoted=True):
    """A whole number as an int, as tables write it with a point and some tools in quotes.

    >>> as_whole(40.0), as_whole("40"), as_whole("4e1"), as_whole(1.5)
    (40, 40, '4e1', 1.5)
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if quoted and isinstance(value, str) and (whole := WHOLE.fullmatch(value)):
        return int(whole[1])
    return value


def beyond(box, height, width, where):
    """By how many pixels a box reaches beyond its photo, if by more than `SLACK`; else 0.

    Args:
        box: COCO's `[x, y, width, height]`; None or empty if there is none.
        height, width: Of the photo.
        where: The annotation's `Place`, for the error.
    """
    if box is None or box == []:
        return 0
    numbers = isinstance(box, list) and len(box) == 4
    if not numbers or not all(isinstance(b, (int, float)) and abs(b) < 2**31 for b in box):
        message = f"bbox={box!r:.60}; expected [x, y, width, height]."
        raise where.malformed(message, REMEDIES["bbox"])
    x, y, w, h = box
    most = max(-x, -y, x + w - width, y + h - height)
    return most if most > SLACK else 0

"""Run-lengths in a table, as sets of Kaggle have them: `ImageId,EncodedPixels`; see
`run_tables`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np

from kseg.base.arguments import choice, name_list, refused
from kseg.base.optional import pycocotools_mask
from kseg.base.shown import counted
from kseg.base.types import PathLike, Range
from kseg.data.class_lists import class_list
from kseg.data.coco_format.annotations import MOST_PIXELS
from kseg.data.coco_format.categories import role_of
from kseg.data.drawn import Drawing, Shape, class_names_of, drawn_source, header_size
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import Faults
from kseg.data.listing import PHOTOS, same_name, shortened, stem
from kseg.data.pairs import files_below, is_split, means, no_split_there
from kseg.data.photos import Numbers
from kseg.data.readers.run_masks import (
    ORDERS,
    coco_rle,
    starts_and_lengths,
    turns_between_lines,
)
from kseg.data.readers.run_tables import read_table, tables_of
from kseg.data.readers.splits import chosen_of_split, not_drawn
from kseg.data.source import Source

OBJECT = "object"  # the one class of a table without a column of classes
RUNS, MASKS = 8, 40  # of which at least, and of at most how many, tell in which order they are
TIMES = 2  # fewer turns between lines, which tell that the other order is meant
OF_MASKS = ("masks", "mask", "labels", "annotations")  # folders whose pictures are no photos


def run_lengths(
    root: PathLike,
    split: str | None = None,
    *,
    order: str | None = None,
    class_names: Sequence[str] | None = None,
    instances: bool = False,
    multilabel: bool = False,
    val_fraction: float | None = None,
    value_range: Range | None = None,
    bits: int | None = None,
    bands: Sequence[int] | None = None,
    clip: bool = False,
) -> Source:
    """Reads masks that a CSV file holds as run-lengths, beside the photos: sets of Kaggle.

    A row is an object, or all pixels of a class, of a photo. Its photo lies anywhere below the
    table's folder, under the name in the table, with or without an ending. A photo whose rows hold
    no runs has no object; one that is not in the table is left out. In a map, class 0 is the
    background, and smaller objects lie on top.

    Args:
        root: The table, or the folder with one, or with one for each split: `train.csv`, `val.csv`.
        split: A table, or a folder below, of this name, or one of the lists `root/train.txt`,
            `root/val.txt`; else `"train"` or `"val"` for a fixed random part; None for all. If all
            photos are in one folder, as Kaggle's `train`, it is divided at random.
        order: How pixels are counted: `"columns"`, down each column and then the next, or
            `"rows"`. None for what sets with such columns do: columns, but of Carvana
            (`img,rle_mask`), Sartorius (`annotation,cell_type`) and UW-Madison
            (`id,class,segmentation`) rows. Where photos are not square, the wrong one is refused.
        class_names: Name of each class, if the table numbers them in the order of the numbers,
            from 1, or from 0 if that is one; None for those of `classes.txt`, or for what is there.
        instances: Whether samples hold objects, one a row, in place of a map of labels.
        multilabel: Whether a pixel may have several classes; there is no background then.
        val_fraction: Share of `"val"` of a random part; None for 0.2.
        value_range, bits, bands, clip: Of the photos' numbers, as of `kseg.data.folder`.

    Returns:
        `Source` with void = 255.

    Raises:
        FileNotFoundError: the table or a photo is missing.
        ValueError: the table is damaged, its runs do not fit the photos, or there are several.
        ImportError: pycocotools is not installed.

    Example:

    >>> kseg.data.run_lengths("ships/train.csv", "train", instances=True).class_names
    ('object',)
    """
    if order is not None:
        choice("order", order, ORDERS)
    if instances and multilabel:
        expected = "False with instances=True, whose masks may overlap anyway"
        raise refused("multilabel", multilabel, expected, "Leave it out.")
    numbers = Numbers(value_range, bits, bands, clip)
    tables = [read_table(file) for file in tables_of(root)]
    root = tables[0].file.parent
    listed = class_list(root) if class_names is None else None
    given = listed.class_names if listed else class_names
    given = given if given is None else name_list("class_names", given)
    labels = {row.label for table in tables for row in table.rows}
    label_of = _labels(labels, given)
    photos = _photos_below(root)
    below = {os.path.join(root, file) for files in photos.values() for file in files}
    faults, drawings, of_table, notes = Faults(), [], [], []
    for table in tables:
        chosen, read, own = order or table.order, [], []
        for rows in _grouped(table):
            try:
                photo = _photo(table, rows[0], root, photos)
                own.append(_drawing(table, rows, photo, label_of, chosen, read))
            except DataError as error:
                faults.add(error, f"{rows[0].photo!r}")
        try:
            notes += _check_order(table, chosen, order, read)
        except DataError as error:
            faults.add(error, str(table.file))
        notes += _notes(table, below, own, instances)
        drawings += own
        of_table += [table.file.stem] * len(own)
    faults.check()
    if not drawings:
        message = f"{str(tables[0].file)!r} has no row: expected one a photo."
        raise MissingData("missing", tables[0].file, message, "Take the original file.")
    if multilabel:
        _check_no_roles(drawings)
    elif not instances:
        for drawing in drawings:
            _overlaps(drawing)
    names = _class_names(drawings, given, listed, label_of, labels)
    places = [os.path.relpath(drawing.photo, root).replace(os.sep, "/") for drawing in drawings]
    kept = _of_split(root, split, tables, of_table, places, val_fraction)
    return drawn_source(
        f"{root.resolve().name}{f'/{split}' if split else ''}",
        [drawings[i] for i in kept],
        names,
        instances=instances,
        multilabel=multilabel,
        by_area=True,
        numbers=numbers,
        notes=tuple(notes),
    )


def _labels(labels, given):
    """Function from a class as the table has it to its name."""
    names = {label for label in labels if label}
    if not names:
        one = [name for name in given or () if role_of(name) is None]
        if len(one) > 1:
            expected = "one name: the table has no column of classes"
            raise refused("class_names", given, expected)
        return lambda label: one[0] if one else OBJECT
    if given is None or names <= {*given} or not all(name.isdecimal() for name in names):
        return lambda label: label
    first = 0 if role_of(given[0]) == "background" or "0" in names else 1
    by_number = {str(first + place): name for place, name in enumerate(given)}
    return lambda label: by_number.get(str(int(label)), label) if label else label


def _class_names(drawings, given, listed, label_of, labels):
    """Names of the classes: also of those that the table names and has no pixel of."""
    if given is None:
        names = {label_of(label) for label in labels} - {""} or {label_of("")}
        if all(name.isdecimal() for name in names):
            given = sorted(names, key=int)
        else:
            given = sorted(names)
    return class_names_of(drawings, given, str(listed.file) if listed else "class_names")


def _photos_below(root):
    """Name -> paths of photos below a folder: whole from there, without folders, without ending."""
    found = {}
    for file in files_below(root):
        if file.lower().endswith(PHOTOS):
            short = os.path.splitext(file)[0], os.path.basename(file), stem(file)
            for name in {same_name(name) for name in (file, *short)}:
                found.setdefault(name, []).append(file)
    return found


def _photo(table, row, root, photos):
    """The path of a row's photo.

    Raises:
        MissingData: there is none.
        DataError: there are several.
    """
    name = same_name(row.photo.replace("\\", "/").removeprefix("./"))
    ways = photos.get(name) or photos.get(os.path.basename(name), [])
    ways = [way for way in ways if not {*way.lower().split("/")[:-1]} & {*OF_MASKS}] or ways
    if len(ways) == 1:
        return os.path.join(root, ways[0])
    if not ways:
        message = f"{str(table.file)!r}, line {row.line}: there is no photo {row.photo!r} below "
        message += f"{str(root)!r}."
        remedy = "Lay the photos below the table's folder, or remove such rows."
        raise MissingData("unpaired", table.file, message, remedy)
    both = " and ".join(map(repr, ways[:2]))
    message = f"{str(table.file)!r}, line {row.line}: {row.photo!r} may be {both}."
    raise DataError("malformed", table.file, message, "Move those elsewhere that are not meant.")


def _grouped(table):
    """Lists of the rows of each photo."""
    found = {}
    for row in table.rows:
        found.setdefault(same_name(row.photo), []).append(row)
    return found.values()


def _drawing(table, rows, photo, label_of, order, read):
    """The `Drawing` of a photo's rows.

    Args:
        table: The `Table`.
        rows, photo: Those of the photo, and its path.
        label_of: Function to the name of a class.
        order: That of the runs.
        read: List, to which the runs that tell the order are added, with the photo's size.

    Raises:
        DataError: the rows are damaged, or do not fit the photo.
    """
    height, width = size = header_size(photo)
    drawing = Drawing(photo, size, [])
    if not 0 < height * width < MOST_PIXELS:  # whoever reads the photo says why
        return drawing
    for row in rows:
        where = f"{str(table.file)!r}, line {row.line}"
        if row.size not in (None, size):
            message = f"{where}: the table is for a photo of {row.size} pixels, and {photo!r} is "
            message += f"of {size} (height, width)."
            remedy = "Take both from the same place: runs fit photos of one size alone."
            raise DataError("size_mismatch", table.file, message, remedy)
        try:
            starts, lengths = starts_and_lengths(row.runs)
            if not len(starts):
                continue
            if last := max(starts[-1] + lengths[-1] - height * width, 0):
                raise ValueError(f"its runs end {last} pixels beyond the {height} x {width} photo")
            if not (label := label_of(row.label)):
                raise ValueError("it has runs, and no class")
        except ValueError as error:
            message = f"{where}, {row.photo!r}: {error}."
            remedy = "Correct the row, or take photo and table from the same place."
            raise DataError("malformed", table.file, message, remedy) from None
        if len(read) < MASKS and len(starts) >= RUNS and height != width:
            read.append((starts, lengths, height, width))
        drawing.shapes.append(Shape(label, rle=coco_rle(starts, lengths, height, width, order)))
    return drawing


def _check_order(table, chosen, given, read):
    """What is odd about the order of a table's runs: a list of `(kind, message)`.

    Raises:
        DataError: objects are torn apart as they are read, and whole in the other order.
    """
    other = ORDERS[1 - ORDERS.index(chosen)]
    turns = sum((np.array(turns_between_lines(*each)) for each in read), np.zeros(2, int))
    here, there = turns[ORDERS.index(chosen)], turns[ORDERS.index(other)]
    if given is None and here > TIMES * there:
        message = f"{str(table.file)!r} counts pixels in another order: read by {chosen}, its "
        message += f"objects are torn apart, and by {other} they are whole."
        remedy = f"Give order={other!r}; or order={chosen!r} if they are stripes."
        raise DataError("unsuitable", table.file, message, remedy)
    if given is None and not table.known and not read:
        message = f"{str(table.file)!r}: pixels are counted down the columns, as Kaggle does; "
        return [("run_order", message + "nothing in the table tells whether that is so.")]
    return []


def _check_no_roles(drawings):
    """Raises `DataError` for what is no class where a pixel may have several."""
    odd = [(s.label, d.photo) for d in drawings for s in d.shapes if role_of(s.label)]
    if odd:
        label, photo = odd[0]
        message = f"{photo!r} is labelled {label!r}, which is no class: expected classes alone."
        raise DataError(
            "unsuitable", photo, message, "Remove such rows, or leave out multilabel=True."
        )


def _overlaps(drawing):
    """Adds to a drawing's problems how many pixels have several classes."""
    mask, of_class = pycocotools_mask(), {}
    for shape in drawing.shapes:
        of_class.setdefault(shape.label, []).append(shape.rle)
    if len(of_class) < 2:
        return
    merged = [mask.merge(rles) for rles in of_class.values()]
    over = int(mask.area(merged).astype(np.int64).sum()) - int(mask.area(mask.merge(merged)))
    if over:
        what = f"{over} pixels of {drawing.photo!r} have several classes."
        drawing.problems.append(("overlapping_classes", what))


def _notes(table, photos, drawings, instances):
    """What is odd about a table as a whole: a list of `(kind, message)`."""
    notes, own = [], {drawing.photo for drawing in drawings}
    folders = {os.path.dirname(photo) for photo in own}
    others = [p for p in photos - own if os.path.dirname(p) in folders]
    if others:
        message = f"{str(table.file)!r} has no row of {counted(len(others), 'photo')} beside "
        notes.append(("not_listed", f"{message}those that it has: {shortened(sorted(others))}."))
    counts = Counter((d.photo, shape.label) for d in drawings for shape in d.shapes)
    if instances and len(counts) > 1 and max(counts.values()) == 1:
        message = f"{str(table.file)!r} has no photo with two rows of a class, so that rows may "
        notes.append(("row_a_class", message + "hold all of a class, and are read as one object."))
    return notes


def _of_split(root, split, tables, of_table, places, val_fraction):
    """Positions of the photos of a split: by table, or as `chosen_of_split` has it."""
    if len(tables) > 1 and split is not None:
        not_drawn(val_fraction)
        chosen = [place for place, table in enumerate(of_table) if means(table, split)]
        if not chosen:
            files = [table.file.name for table in tables]
            raise no_split_there(root, split, of_table, files)
        return chosen
    folders = {next(filter(is_split, place.split("/")[:-1]), None) for place in places}
    if len(folders) == 1:  # where those with masks are; those of the others have none
        places = list(map(os.path.basename, places))
    return chosen_of_split(root, places, split, val_fraction)

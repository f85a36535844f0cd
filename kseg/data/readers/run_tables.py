"""Tables of run-lengths, as sets of Kaggle have them: a CSV file, a row an object or a class.

Columns are told by their names, whatever their case and order:

photo     ImageId, image_id, id, img, Image, filename, ...; with the class behind its last `_` in
          ImageId_ClassId and Image_Label
runs      EncodedPixels, rle, rle_mask, segmentation, annotation: pairs of a start, counted from 1,
          and a length; nothing, or -1, where there is no object
class     ClassId, class, label, category, cell_type, ...; or none
size      Height and Width, or img_height and img_width; or none
"""

import csv
import io
import re
import sys
from pathlib import Path
from typing import NamedTuple

from kseg.base.arguments import refused
from kseg.data.errors import DataError, MissingData
from kseg.data.pairs import is_split
from kseg.data.readers.run_masks import EMPTY, ORDERS
from kseg.data.texts import text_of

BOTH = ("imageid_classid", "image_label", "image_id_class_id", "id_class")
PHOTO = (*("imageid", "image_id", "image", "img", "id", "filename", "file_name", "image_name"),)
RUNS = ("encodedpixels", "encodedpixel", "rle_mask", "rle", "segmentation", "annotation")
CLASS = (*("classid", "class_id", "class", "label", "category", "category_id", "cell_type"),)
SIZES = (("height", "width"), ("img_height", "img_width"), ("image_height", "image_width"))
RUN = re.compile(r"\d+(\s+\d+)+")
# Pixels are counted down the columns, by Kaggle's rule, but in these; by some of their columns
ALONG_ROWS = ({"img", "rle_mask"}, {"annotation", "cell_type"}, {"id", "class", "segmentation"})
PARTED = ",;\t"


class Row(NamedTuple):
    """A row of a table: `size` is a height and width, or None; `label` is "" without a class."""

    photo: str
    label: str
    runs: str
    size: tuple[int, int] | None
    line: int


class Table(NamedTuple):
    """What a table holds, and the order in which sets with such columns count pixels."""

    file: Path
    rows: list[Row]
    order: str
    known: bool


def tables_of(root):
    """The tables of a set, by name: `root` itself, or those in it.

    Of several, each must be of a split by its name, as `train.csv`. Those of submissions, which
    hold what is no mask, are left out.

    Raises:
        MissingData: there is none.
        ValueError: there are several.
    """
    root = Path(root).expanduser()
    if root.is_file():
        return [root]
    found = found_tables(root)
    if not found:
        message = f"{str(root)!r} holds no CSV file of run-lengths (ImageId,EncodedPixels)."
        raise MissingData("missing", root, message, "Give the folder of the table, or the table.")
    if len(found) > 1 and not all(is_split(file.stem) for file in found):
        ways = " or ".join(repr(str(file)) for file in found)
        expected = f"a folder with one table of run-lengths, or one for each split; here are {ways}"
        raise refused("root", str(root), expected, "Give one of these files in place of it.")
    return found


def found_tables(root):
    """The CSV files of run-lengths in a folder."""
    files = sorted(Path(root).glob("*.csv"))
    return [file for file in files if "submission" not in file.name.lower() and is_table(file)]


def is_table(file):
    """Whether a CSV file is a table of run-lengths: by its columns, and its first runs."""
    try:
        with open(file, encoding="utf-8-sig", errors="replace", newline="") as stream:
            start = stream.read(1 << 16)
    except OSError:
        return False
    lines = start.splitlines()
    try:
        heads, parted = _heads(lines[0] if lines else "")
        place = _column(heads, RUNS)
        if place is None or _column(heads, (*BOTH, *PHOTO)) is None:
            return False
        with _long_cells():
            cells = [row[place] for row in csv.reader(lines[1:], delimiter=parted) if row[place:]]
    except csv.Error:
        return False
    said = [cell.strip() for cell in cells if cell.strip().lower() not in EMPTY]
    return not said or bool(RUN.match(said[0]))


def read_table(file):
    """The `Table` in a CSV file.

    Raises:
        DataError: it is no table of run-lengths.
    """
    text = text_of(file)
    heads, parted = _heads(text.split("\n", 1)[0].strip())
    runs, label = _column(heads, RUNS), _column(heads, CLASS)
    photo, both = _column(heads, PHOTO), _column(heads, BOTH)
    photo = both if photo is None else photo
    if photo is None or runs is None:
        message = f"{str(file)!r} has the columns {', '.join(heads)}: expected one of photos, as "
        message += "ImageId, and one of their runs, as EncodedPixels."
        raise DataError("malformed", file, message, "Name the columns so in its first line.")
    sides = next(((heads.index(h), heads.index(w)) for h, w in SIZES if {h, w} <= {*heads}), None)
    rows = []
    with _long_cells():
        try:
            for line, cells in enumerate(csv.reader(io.StringIO(text), delimiter=parted), 1):
                if line == 1 or not any(cells):
                    continue
                if len(cells) != len(heads):
                    message = f"{str(file)!r}, line {line}: {len(cells)} cells, and {len(heads)} "
                    message += "columns in the first line."
                    raise DataError("malformed", file, message, "Export the table again.")
                name, own = cells[photo].strip(), cells[label].strip() if label is not None else ""
                if both == photo:
                    name, _, own = name.rpartition("_")
                size = _size([cells[side] for side in sides]) if sides else None
                rows.append(Row(name, plain(own), cells[runs].strip(), size, line))
        except csv.Error as error:
            message = f"{str(file)!r} is no table ({error})."
            raise DataError("malformed", file, message, "Export it again as CSV.") from None
    along = any(each <= {*heads} for each in ALONG_ROWS)
    known = along or any(head.startswith("encodedpixel") for head in heads)
    known |= {"id", "rle_mask"} <= {*heads}
    return Table(Path(file), rows, ORDERS[along], known)


def plain(label):
    """A class as it is written, and 1 for 1.0, as pandas writes it beside empty cells."""
    return label[:-2] if re.fullmatch(r"\d+\.0", label) else label


def _heads(line):
    """The columns' names in small letters, and what parts them."""
    parted = max(PARTED, key=line.count)
    names = next(csv.reader([line], delimiter=parted), [])
    return [name.strip().lower() for name in names], parted


def _column(heads, names):
    return next((heads.index(name) for name in names if name in heads), None)


def _size(cells):
    try:
        height, width = (int(float(cell)) for cell in cells)
    except (OverflowError, ValueError):
        return None
    return (height, width) if min(height, width) > 0 else None


class _long_cells:
    """Within, cells of CSV files may be long: of a slide they hold millions of characters."""

    def __enter__(self):
        self.before = csv.field_size_limit(sys.maxsize)

    def __exit__(self, *error):
        csv.field_size_limit(self.before)

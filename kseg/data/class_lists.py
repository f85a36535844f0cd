"""What a data set says of its classes in a file beside the photos: names, mask values, colours.

classes.txt, class_names.txt, labels.txt, codes.txt, obj.names   a name a line, by its number;
                    labelme's `__ignore__` before them is -1, no label; `1: road` says
                    the mask value of each
labelmap.txt        `name:r,g,b:parts:actions`, of CVAT
label_colors.txt    `r g b name`, of CamVid and Datumaro
*.csv               columns name, r, g, b (class_dict.csv); or pixel value, class (Roboflow)
dataset_meta.json   label_map and segmentation_colors, of Datumaro
objectInfo150.txt   of ADE20K
"""

import csv
import dataclasses
import json
import re
from pathlib import Path

from kseg.data.errors import DataError
from kseg.data.texts import text_of

LISTS = ("classes.txt", "class_names.txt", "labels.txt", "codes.txt", "obj.names", "names.txt")
LABELMAP = "labelmap.txt"
TABLES = (
    "class_dict.csv",
    "class_dict_seg.csv",
    "label_class_dict.csv",
    "labelmap.csv",
    "_classes.csv",
    "classes.csv",
)
COLORS = "label_colors.txt"
META = "dataset_meta.json"
IGNORED = ("__ignore__", "ignore", "void", "unlabeled", "unlabelled", "ignored")
NUMBERED = re.compile(r"(\d{1,5})(\s*[:=;,.)]\s*|\s+)(\S.*)")  # a mask value and a name
EXAMPLE = "class_names=('background', 'cell', ...)"


@dataclasses.dataclass(frozen=True)
class ClassList:
    """What a file says of the classes of a set.

    Args:
        file: The file.
        class_names: Name of each class.
        values: The mask value of each; None for 0, 1, 2, ...
        palette: RGB of each in masks of colours; None where the file has no colours.
        void_values: Values of pixels without a label; None where it says nothing of them.
        void_colors: The same, of masks of colours.
    """

    file: Path
    class_names: tuple[str, ...]
    values: tuple[int, ...] | None = None
    palette: tuple[tuple[int, int, int], ...] | None = None
    void_values: tuple[int, ...] | None = None
    void_colors: tuple[tuple[int, int, int], ...] | None = None

    def __post_init__(self):
        names = self.class_names
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise malformed(
                self.file, f"has two classes {twice[0]!r}", "a name of its own for each"
            )


def class_list(*folders):
    """The `ClassList` of the first of these folders that has a file of classes; None if none has.

    Raises:
        DataError: the file does not hold what its name says.
    """
    for folder in map(Path, folders):
        for names, read in (
            (LISTS, _names),
            ((LABELMAP,), _labelmap),
            (TABLES, _table),
            ((META,), _meta),
            ((COLORS,), _colors),
            (("objectInfo150.txt",), _ade20k),
        ):
            for name in names:
                if (folder / name).is_file():
                    found = read(folder / name)
                    if found is not None:
                        return found
    return None


def listed_names(path):
    """The lines of a text file that hold something, without what is around them."""
    return [line.strip() for line in text_of(Path(path)).splitlines() if line.strip()]


def _names(file):
    names = listed_names(file)
    if not names:
        raise malformed(file, "holds no name", "one class name a line")
    names, values = _numbered(_parted(names))
    if names[0] == "__ignore__":  # labelme counts it as -1, which is 255 in 8 bits
        return ClassList(file, tuple(names[1:]))
    return _kept(file, names, values)


def _parted(names):
    """Names that stand in one line between commas, as those of several lines."""
    parts = [name.strip() for name in names[0].split(",")]
    return parts if len(names) == 1 and all(parts) else names


def _numbered(names):
    """Names, and the mask value of each: lines as `0: sky`, `1: road` say it themselves.

    Of `0 sky`, `1 road` too, but not of other numbers with no sign behind them: of `1 euro`, `2
    euro` they are the name.
    """
    lines = [NUMBERED.fullmatch(name) for name in names]
    counted = list(range(len(names)))
    if not all(lines):
        return names, counted
    values = [int(line[1]) for line in lines]
    signs = all("\t" in line[2] or line[2].strip() for line in lines)
    if values != counted and not (signs and sorted({*values}) == values):
        return names, counted
    return [line[3] for line in lines], values


def _labelmap(file):
    names, colors = [], []
    for line in listed_names(file):
        if line.startswith("#"):
            continue
        name, *rest = line.rsplit(":", 3) if line.count(":") >= 3 else line.split(":")
        color = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", rest[0] if rest else "")
        if not color:
            if not names and ":" not in line:
                return None  # a list of names, as TensorFlow's tools write it under this name
            raise malformed(file, f"holds {line!r}", "name:r,g,b:parts:actions")
        names.append(name)
        colors.append(tuple(map(int, color.groups())))
    if not names:
        raise malformed(file, "holds no class", "name:r,g,b:parts:actions, one a line")
    return _kept(file, names, range(len(names)), colors)


def _colors(file):
    names, colors = [], []
    for line in listed_names(file):
        if line.startswith("#"):
            continue
        color = re.fullmatch(r"(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(.+)", line)
        if not color or max(map(int, color.groups()[:3])) > 255:
            raise malformed(file, f"holds {line!r:.60}", "red green blue name, one class a line")
        names.append(color[4].strip())
        colors.append(tuple(map(int, color.groups()[:3])))
    if not names:
        raise malformed(file, "holds no class", "red green blue name, one class a line")
    return _kept(file, names, range(len(names)), colors)


def _kept(file, names, values, colors=None):
    """Names with the mask value and, maybe, the colour of each; those of `IGNORED` are void."""
    void = [i for i, name in enumerate(names) if name.lower() in IGNORED]
    kept = [i for i in range(len(names)) if i not in void]
    if colors and len({colors[i] for i in kept}) < len(kept):
        raise malformed(file, "has one colour for two classes", "a colour for each class")
    own = tuple(values[i] for i in kept)
    return ClassList(
        file,
        tuple(names[i] for i in kept),
        values=None if own == tuple(range(len(kept))) else own,
        palette=tuple(colors[i] for i in kept) if colors else None,
        void_values=tuple(values[i] for i in void) or None,
        void_colors=tuple(colors[i] for i in void) or None if colors else None,
    )


def _table(file):
    lines = text_of(file).splitlines()
    parted = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","  # of Excel in Europe
    rows = list(csv.reader(lines, skipinitialspace=True, delimiter=parted))
    heads = [head.strip().lower() for head in rows[0]] if rows else []
    rows = [row for row in rows[1:] if any(row)]
    try:
        if {"name", "r", "g", "b"} <= {*heads} or {"class", "r", "g", "b"} <= {*heads}:
            name = heads.index("name" if "name" in heads else "class")
            places = [heads.index(each) for each in "rgb"]
            colors = [tuple(int(row[at]) for at in places) for row in rows]
            return _kept(file, [row[name].strip() for row in rows], range(len(rows)), colors)
        if heads == ["pixel value", "class"]:
            return _kept(file, [name.strip() for _, name in rows], [int(v) for v, _ in rows])
    except (IndexError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise malformed(file, f"has a row that is none ({error})", "numbers in each") from None
    return None  # a table of something else


def _meta(file):
    try:
        content = json.loads(text_of(file))
        label_map = {int(value): str(name) for value, name in content["label_map"].items()}
        colors = [tuple(map(int, color)) for color in content.get("segmentation_colors", [])]
    except DataError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise malformed(file, f"cannot be read ({error!r})", "a label_map") from None
    values = sorted(label_map)
    names = [label_map[value] for value in values]
    return _kept(file, names, values, colors if len(colors) == len(names) else None)


def _ade20k(file):
    names = {}
    for line in listed_names(file)[1:]:
        columns = line.split("\t")
        if not columns[0].strip().isdecimal():
            raise malformed(file, f"holds {line!r:.60}", "Idx, Ratio, Train, Val, Stuff, Name")
        names[int(columns[0])] = columns[-1].strip().split(",")[0]
    values = tuple(sorted(names))
    return ClassList(file, tuple(names[value] for value in values), values, None, (0,))


def malformed(file, what, expected):
    """The error on a file of classes."""
    message = f"{str(file)!r} {what}: expected {expected}."
    return DataError("malformed", file, message, f"Correct it, or give {EXAMPLE}.")

"""Images in groups, by folder, by a pattern of their names or by a table: scenes, patients."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.shown import counted
from kseg.data.texts import text_of

FOLDER = "folder"
NAMES = ("name", "image", "id", "file", "file_name", "filename")  # headings of a table's images
MOST_SHOWN = 3


def groups_of(group, source):
    """The group of each sample.

    Args:
        group: As of `kseg.evaluate`.
        source: A `Source`.

    Returns:
        List of names, one for each sample in order.

    Raises:
        FileNotFoundError: the table does not exist.
        ValueError: a sample has no group, or `group` is none of what it may be.
    """
    if getattr(source, "ids", None) is None:
        remedy = "Score a Source, as kseg.data.folder gives one."
        raise refused("group", group, "None for a data set without names", remedy)
    if group == FOLDER:
        return _by_folder(group, source)
    if isinstance(group, Mapping):
        return _looked_up(group, dict(group), source)
    if callable(group):
        return [str(group(name)) for name in source.ids]
    if isinstance(group, os.PathLike) or (isinstance(group, str) and group.endswith(".csv")):
        return _looked_up(group, _table(group), source)
    if isinstance(group, str):
        return _by_pattern(group, source)
    expected = "'folder', a pattern with one group in parentheses, or the path of a .csv file"
    raise refused("group", group, expected)


def _by_folder(group, source):
    """The folder of each photo, below the one that holds all; of names where there is no file."""
    paths = photo_paths(source) or source.ids
    names = folders_of(source)
    if names is None:
        remedy = "Group by names, as with group='([a-z]+)_', or by a .csv file."
        raise refused(
            "group", group, f"photos in several folders, and all are in one: {_few(paths)}", remedy
        )
    return names


def folders_of(source):
    """The folder of each photo, as `_by_folder` names it; None where all are in one."""
    folders = [os.path.dirname(path) for path in photo_paths(source) or source.ids]
    shared = os.path.commonpath(folders) if all(folders) else ""
    names = [os.path.relpath(each, shared) if shared else each for each in folders]
    return None if len(set(names)) == 1 else [Path(name).as_posix() for name in names]


def photo_paths(source):
    """Path of each photo, or None where they are no files."""
    rows = source.columns.get("image", np.zeros(0))
    files = rows.dtype == object and all(isinstance(row, str) for row in rows)
    return [row.split("\n")[0] for row in rows] if files else None


def _by_pattern(group, source):
    """What the pattern's one pair of parentheses finds in each name."""
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise refused("group", group, f"a pattern ({error})") from None
    if pattern.groups != 1:
        expected = "a pattern with one group in parentheses, 'folder', or the path of a .csv file"
        raise refused("group", group, expected, "As in group='^([a-z]+)_'.")
    found = [pattern.search(name) for name in source.ids]
    without = [name for name, match in zip(source.ids, found) if not (match and match[1])]
    if without:
        expected = f"a pattern that is found in every name, and in {_missing(without)} it is not"
        raise refused("group", group, expected)
    return [match[1] for match in found]


def _table(path):
    """A CSV file with a line of headings: name of an image -> its group."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"group={str(path)!r}: expected a .csv file, with a line of headings, then a line for "
            "each image: its name, its group."
        )
    rows = [row for row in csv.reader(text_of(path).splitlines()) if row]
    headings = [each.strip().lower() for each in rows[0]] if rows else []
    if len(headings) < 2:
        raise refused("group", str(path), "a line of headings, as image,group, and two columns")
    image = next((headings.index(name) for name in NAMES if name in headings), 0)
    other = headings.index("group") if "group" in headings else int(image == 0)
    short = [row for row in rows if len(row) <= max(image, other)]
    if short:
        expected = (
            f"{max(image, other) + 1} columns in each line, and one is {','.join(short[0])!r}"
        )
        raise refused("group", str(path), expected)
    return {row[image].strip(): row[other].strip() for row in rows[1:]}


def _looked_up(group, table, source):
    """The group of each sample, by its name, or by that of its file."""
    paths = photo_paths(source) or [""] * len(source)
    found = []
    for name, path in zip(source.ids, paths):
        file = os.path.basename(path)
        also = (file, os.path.splitext(file)[0], os.path.basename(name), path)
        found.append(next((table[each] for each in (name, *also) if each in table), None))
    without = [name for name, own in zip(source.ids, found) if own is None]
    if without:
        shown = str(group) if isinstance(group, os.PathLike) else group
        shown = shown if isinstance(shown, str) else f"{len(table)} names"
        raise refused("group", shown, f"a group for every image, and {_missing(without)} has none")
    return [str(own) for own in found]


def _missing(names):
    return f"{counted(len(names), 'name')}, as {_few(names)},"


def _few(names):
    return ", ".join(map(repr, names[:MOST_SHOWN]))


def members(groups):
    """Names of the groups in order, and which images are of each: float64 `(G, N)`.

    >>> members(["a", "b", "a"])
    (['a', 'b'], array([[1., 0., 1.], [0., 1., 0.]]))
    """
    names = sorted(set(groups))
    return names, np.array([[float(each == name) for each in groups] for name in names])


def group_scores(tally, groups, score):
    """What `kseg.evaluate` says of groups.

    Args:
        tally: Of all images.
        groups: The group of each, in the order of the source.
        score: Key of the number that says which is worst.

    Returns:
        dict of `"groups"`, `"mean_of_groups"` and `"worst_group"`.
    """
    names, weights = members(groups)
    scores = tally.scores(weights)
    found = {
        name: {
            "images": int(weights[i].sum()),
            **{key: float(values[i]) for key, values in scores.items()},
        }
        for i, name in enumerate(names)
    }
    defined = {key: values[~np.isnan(values)] for key, values in scores.items()}
    means = {
        key: float(values.mean()) if len(values) else np.nan for key, values in defined.items()
    }
    order = np.argsort(scores[score])  # NaN comes last
    return {"groups": found, "mean_of_groups": means, "worst_group": names[order[0]]}

"""What `kseg.robustness` returns: a dict of numbers that shows itself as tables, and as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from kseg.base.atomic import replacing
from kseg.base.types import PathLike
from kseg.evaluation.scores import Scores
from kseg.evaluation.table import Table


class Robustness(Scores):
    """Scores under every condition: equal to a plain dict of the same numbers.

    Args:
        numbers, summary, tables, notes: As of `kseg.evaluation.scores.Scores`.

    Example:

    >>> val = kseg.data.shapes("val", count=2)
    >>> model = kseg.build_unet(val.num_classes, width=2, depth=2)
    >>> found = kseg.robustness(model, val, corruptions=["fog"], severities=[3], scales=[])
    >>> found.write_csv("robustness.csv")
    >>> found["score"], found["images"]
    ('mean_iou', 2)
    """

    def write_csv(self, path: PathLike) -> None:
        """Writes a row for each condition, scene and photo that was scored.

        Args:
            path: The CSV file, which appears whole or not at all.
        """
        path = Path(path).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("group", "name", "amount", self["score"]))
            writer.writerows(_rows(self))


def _rows(numbers):
    yield "clean", "", "", numbers["clean"]
    for name, row in numbers["corruptions"].items():
        for severity, value in row["severities"].items():
            yield "corruption", name, severity, value
    for group in ("scales", "exposures"):
        for factor, value in numbers[group].items():
            yield group.removesuffix("s"), "", factor, value
    for name, row in numbers["scenes"].items():
        yield "scene", name, row["images"], row["score"]
    for each in numbers["worst"]:
        yield "photo", each["id"], each["condition"], each["score"]


def mean(values):
    """The mean of the numbers that are some; NaN where there are none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def tables(numbers, title):
    """The numbers as a list of `Table`: corruptions, sweeps, scenes, classes."""
    return [
        each
        for each in (
            _corruptions(numbers, title),
            _sweep(numbers, "scales", "scale"),
            _sweep(numbers, "exposures", "exposure"),
            _scenes(numbers),
            _classes(numbers),
        )
        if each.rows
    ]


def _corruptions(numbers, title):
    rows = numbers["corruptions"]
    severities = list(dict.fromkeys(key for row in rows.values() for key in row["severities"]))
    listed = [
        (name, *(_shown(row["severities"][key]) for key in severities), _shown(row["mean"]))
        for name, row in sorted(rows.items(), key=lambda item: _order(item[1]["mean"]))
    ]
    means = (mean(row["severities"][key] for row in _common(rows)) for key in severities)
    total = ("mean of the fifteen", *map(_shown, means), _shown(numbers["mean_corrupted"]))
    headings = ("corruption, worst first", *(f"severity {key}" for key in severities), "mean")
    return Table(headings, listed, total if _common(rows) else None, title)


def _common(rows):
    return [row for row in rows.values() if row["common"]]


def _sweep(numbers, group, word):
    rows = [("1", _shown(numbers["clean"]))] if numbers[group] else []
    rows += [(key, _shown(value)) for key, value in numbers[group].items()]
    return Table((word, numbers["score"]), sorted(rows, key=lambda row: float(row[0])))


def _scenes(numbers):
    rows = sorted(numbers["scenes"].items(), key=lambda item: _order(item[1]["score"]))
    listed = [(name, str(row["images"]), _shown(row["score"])) for name, row in rows]
    total = ("all", str(numbers["images"]), _shown(numbers["clean"]))
    return Table(("scene, worst first", "photos", numbers["score"]), listed, total)


def _classes(numbers):
    listed = [
        (name, _shown(row["clean"]), _shown(row["corrupted"]))
        for name, row in numbers["classes"].items()
    ]
    total = ("mean", _shown(numbers["clean"]), _shown(numbers["mean_corrupted"]))
    return Table(("class", "clean", "under corruption"), listed, total)


def _shown(value):
    return f"{value:.3f}"


def _order(value):
    """NaN comes last."""
    return np.inf if np.isnan(value) else value

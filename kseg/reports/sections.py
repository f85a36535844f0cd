"""What the page of a run says, section by section: dicts that its template takes."""

import datetime
import importlib.metadata
import math
import platform

import numpy as np

from kseg.checks.check import check
from kseg.data.spec import DataSpec
from kseg.pictures import svg
from kseg.pictures.chart import words
from kseg.reports.places import Places

MATRIX = 20  # classes of the confusion matrix on the page, those that are confused most
CHECKED = 100  # samples of a split that are looked at for faults
SCORE_BINS = 10
NOTED = 6  # pairs of classes that are named as confused
LETTERS = "AB"
NONE = "—"  # of a setting that is not set


def head(subjects, source, places):
    """Title, a line, and whose numbers stand where."""
    first = subjects[0]
    names = [subject.name for subject in subjects]
    title = f"{names[0]} beside {names[1]}" if len(names) > 1 else names[0]
    classes = len(first.run.class_names)
    line = f"{first.task.capitalize()} model of {classes} class{'es' if classes != 1 else ''}"
    if source is not None:
        line += f", scored on {first.numbers['images']:,} photos of {places(source.name)}"
    return {
        "title": title,
        "line": line,
        "runs": [{"letter": LETTERS[i], "name": name} for i, name in enumerate(names)],
        "score": first.about.SCORE,
    }


def scores(subjects):
    """The tiles, the rows of classes and the confusion matrices."""
    scored = [subject for subject in subjects if subject.numbers]
    if len(scored) < len(subjects) or not scored:
        return {"tiles": [], "classes": None, "matrices": [], "groups": [], "confused": []}
    about, numbers = scored[0].about, [subject.numbers for subject in scored]
    return {
        "tiles": _tiles(about, numbers),
        "classes": _classes(scored, numbers),
        "matrices": [_matrix(s) for s in scored if "confusion" in s.numbers],
        "groups": _groups(scored),
    }


def _tiles(about, numbers):
    tiles = []
    for key, name in about.TILES:
        if all(key in each for each in numbers):
            values = [each[key] for each in numbers]
            better = None
            if len(values) > 1 and values[0] != values[1]:
                better = (values[1] > values[0]) != key.endswith("error")
            tiles.append({"name": name, "values": list(map(shown, values)), "better": better})
    return tiles


def _classes(subjects, numbers):
    about, first = subjects[0].about, numbers[0]
    columns = [(key, name) for key, name in about.COLUMNS if _has(first, key)]
    rows = []
    for (name, row), color in zip(first["classes"].items(), subjects[0].run.colors):
        each = [one["classes"][name] for one in numbers]
        rows.append(
            {
                "name": name,
                "color": color,
                "bars": [0 if math.isnan(one[about.BAR]) else one[about.BAR] for one in each],
                "cells": [[shown(one[key]) for one in each] for key, _ in columns],
                "count": f"{row[about.COUNT]:,}",
            }
        )
    return {"columns": [name for _, name in columns], "rows": rows, "count": about.COUNT}


def _has(numbers, key):
    return all(key in row for row in numbers["classes"].values())


def _matrix(subject):
    """A confusion matrix as shares of its rows; of many classes those that are confused most."""
    names = list(subject.run.class_names)
    rows, columns, counts = subject.about.confusion(names, subject.numbers)
    square = len(rows) == len(columns)
    wrong = counts * (1 - np.eye(len(rows), dtype=int)) if square else counts[:, 1:3]
    confused = [
        subject.about.confused(rows[i], columns[j], int(wrong[i, j]), int(counts[i].sum()))
        for i, j in (
            np.unravel_index(place, wrong.shape)
            for place in np.argsort(-wrong, axis=None, kind="stable")[:NOTED]
        )
        if square and wrong[i, j]
    ]
    kept = np.arange(len(rows))
    if len(rows) > MATRIX:
        by = wrong.sum(1) + (wrong.sum(0) if square else 0)
        kept = np.sort(np.argsort(-by, kind="stable")[:MATRIX])
    part = counts[np.ix_(kept, kept)] if square else counts[kept]
    total = np.maximum(1, counts[kept].sum(1, keepdims=True))
    return {
        "rows": [rows[i] for i in kept],
        "columns": [columns[i] for i in kept] if square else columns,
        "cells": [
            [(f"{n:,}", n / of[0]) for n in row] for row, of in zip(part.tolist(), total.tolist())
        ],
        "square": square,
        "left_out": len(rows) - len(kept),
        "confused": confused,
        "unit": subject.about.COUNT,
    }


def _groups(subjects):
    by_name = [subject.numbers.get("groups", {}) for subject in subjects]
    if len(by_name[0]) < 2:
        return []
    key = subjects[0].about.KEY
    rows = [
        (name, row["images"], [of[name][key] for of in by_name]) for name, row in by_name[0].items()
    ]
    rows.sort(key=lambda row: row[2][-1])
    return [
        {"name": name, "photos": n, "values": list(map(shown, v)), "bars": v} for name, n, v in rows
    ]


def charts(subjects):
    """Curves, borders, calibration, sizes, and photos by their score; each `<svg>` or empty."""
    seen = [subject.seen for subject in subjects if subject.seen]
    result = {
        "curves": _curves(subjects),
        "borders": "",
        "near": [],
        "calibration": "",
        "sizes": [],
    }
    result["photos"] = _by_score(subjects) if seen else ""
    if not seen:
        return result
    if seen[0].borders is not None:
        bands = [each.borders.rows() for each in seen]
        groups = [
            (rows[0][0], [row[1] for row in rows], [f"{row[2]:.0%} of all wrong" for row in rows])
            for rows in zip(*bands)
        ]
        label = "Share of pixels that are wrong, by distance to a true border"
        result["borders"] = svg.columns(groups, label, "pixels to the nearest border", None, True)
        result["near"] = [f"{each.borders.near():.0%}" for each in seen]
    bins = [s.seen.calibration(s.numbers) for s in subjects if s.seen]
    if any(c == c for each in bins for c, *_ in each):
        result["calibration"] = svg.reliability(bins, "Confidence against how often it was right")
    result["sizes"] = _sizes([each.sizes() for each in seen])
    return result


def _curves(subjects):
    histories = [subject.run.history() for subject in subjects]
    names = dict.fromkeys(name for rows in histories for row in rows for name in row)
    score = subjects[0].model and _watched(subjects[0])
    made = []
    for title, wanted in (("Loss", ("loss", "val_loss")), (words(score), (score, f"val_{score}"))):
        series = []
        for number, rows in enumerate(histories):
            for name in wanted:
                points = [(row["epoch"], row[name]) for row in rows if name in row]
                if name in names and points:
                    letter = f"{LETTERS[number]} " if len(subjects) > 1 else ""
                    dash = " dash" if not name.startswith("val_") and len(wanted) > 1 else ""
                    style = f"{svg.STYLES[number]}{dash}"
                    series.append((f"{letter}{words(name)}", points, style))
        high = 1.0 if title != "Loss" else None
        drawn = svg.lines(series, f"{title} by epoch", high=high)
        if drawn:
            keys = [(name, style) for name, _, style in series]
            made.append({"title": title[:1].upper() + title[1:], "svg": drawn, "keys": keys})
    return made


def _watched(subject):
    from kseg.models.contract import contract

    return contract(subject.model).score


def _by_score(subjects):
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    scores = [[each.score for each in s.images if each.score == each.score] for s in subjects]
    counts = [np.histogram(each, edges)[0] for each in scores]
    groups = [
        (f"{low:.1f}", [float(each[i]) for each in counts], None)
        for i, low in enumerate(edges[:-1])
    ]
    about = subjects[0].about.SCORE
    return svg.columns(groups, f"Photos by their {about}", f"{about}, from ... on")


def _sizes(runs):
    if not runs or not any(n for *_, n in runs[0]):
        return []
    made = []
    for column, title in ((1, "Objects found, by size"), (2, "Mask IoU of those found, by size")):
        groups = [
            (rows[0][0], [row[column] for row in rows], [f"{row[3]:,} objects" for row in rows])
            for rows in zip(*runs)
            if rows[0][3]
        ]
        axis = "square root of the area, in pixels"
        made.append({"title": title, "svg": svg.columns(groups, title, axis, 1.0, True)})
    return made


def findings(subject, source, given, places):
    """What `kseg.check` finds in a part of the data, or None where there are none at hand."""
    if source is None:
        return None
    sources = [source]
    if not given:
        spec = DataSpec.from_json(subject.run.data).for_task(subject.task)
        sources = [
            opened for split in ("train", "val") for opened in [_opened(spec, split)] if opened
        ]
    found = check(*sources, limit=CHECKED, duplicates=False)
    places = Places(sources, places.folders)
    return {
        "read": sum(each.read for each in found.sources),
        "names": [places(each.name) for each in found.sources],
        "rows": [
            {
                "severity": each.severity,
                "kind": each.kind,
                "source": places(each.source),
                "message": places(each.message),
                "remedy": places(each.remedy),
                "files": len(each.files),
            }
            for each in found.findings
        ],
    }


def _opened(spec, split):
    try:
        return spec.open(split)
    except (ValueError, OSError):  # the set has no such split, or it is broken: the check says how
        return None


def told(subjects, source, split, limit, given, places):
    """Protocol, settings and versions: lists of rows, the first cell what it is."""
    first = subjects[0]
    protocol = [("How", first.about.PROTOCOL)]
    if source is not None:
        own = (first.run.data or {}).get("spec", "")
        data = source.name if given else f"{own}, split {split}"
        protocol += [
            ("Data", places(data)),
            (
                "Photos",
                f"{first.numbers['images']:,} of {len(source):,}"
                + (", evenly spread" if limit and limit < len(source) else ""),
            ),
            ("Void", f"id {source.void}, {', '.join(source.class_names[:30])}"),
        ]
        protocol[-1:] = [("Classes", ", ".join(source.class_names)), ("Void", f"id {source.void}")]
    protocol.append(("Model", "best.keras of the run, or its last checkpoint before there is one"))
    protocol.append(("Written", f"{datetime.datetime.now():%Y-%m-%d}"))
    return {
        "protocol": protocol,
        "settings": settings_of(subjects, places),
        "versions": _versions(subjects),
    }


def settings_of(subjects, places):
    """Rows of settings, what differs first: name, a value for each run, whether they differ."""
    each = [subject.told.get("settings") or {} for subject in subjects]
    data = [subject.told.get("data") or {} for subject in subjects]
    rows = [("data", [places(one.get("spec", "given in Python")) for one in data])]
    names = dict.fromkeys(name for one in each for name in one)
    rows += [(name, [places(_plain(one.get(name))) for one in each]) for name in names]
    rows = [(name, values, len(set(values)) > 1) for name, values in rows]
    return sorted(rows, key=lambda row: not row[2])  # what differs first


def _plain(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_plain(each)}" for key, each in value.items()) or NONE
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return NONE if value is None else str(value)


def _versions(subjects):
    import keras

    from kseg.base.version import __version__

    backend = keras.backend.backend()
    here = f"kseg {__version__}, Keras {keras.__version__} on {backend} {_version(backend)}"
    here += f", Python {platform.python_version()}, NumPy {np.__version__}"
    return {"trained": versions_of([subject.told for subject in subjects]), "here": here}


def versions_of(told):
    """Rows of what runs were trained with: name, and the versions, of what their files say."""
    return [
        (name, list(dict.fromkeys(str(each.get(key, "unknown")) for each in told)))
        for key, name in (("kseg", "kseg"), ("keras", "Keras"), ("backend", "backend"))
    ]


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def shown(value):
    """A score in three digits; a dash where there is none.

    >>> shown(0.12345), shown(float("nan"))
    ('0.123', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"

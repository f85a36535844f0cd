"""What a model contradicts in the labels of a set: a list that is sorted, shown and written."""

from __future__ import annotations

import csv
import dataclasses
from typing import Any

from kseg.base.arguments import refused
from kseg.base.atomic import replacing, write_json
from kseg.base.shown import card, counted, line
from kseg.base.types import PathLike

COLUMNS = ("score", "kind", "file", "source", "sample", "given", "expected", "box", "pixels")


@dataclasses.dataclass(frozen=True)
class Doubt:
    """One place whose label a model contradicts.

    Args:
        score: How much, 0..1: how sure the model is, times how much the place looks like a region
            or object of its own, times how seldom it contradicts such labels elsewhere.
        kind: `"region"`; of objects `"not labelled"`, `"nothing there"`, `"outline"`,
            `"several in one"` or `"class"`.
        file: Path of the photo, or the sample's id where it is no file.
        source: Name of the source.
        index: Position of the sample in its source.
        sample: Id of the sample.
        given: What it is labelled as.
        expected: What the model expects.
        box: x1, y1, x2, y2 in pixels of the photo, x2 and y2 exclusive.
        pixels: How many there are.
    """

    score: float
    kind: str
    file: str
    source: str
    index: int
    sample: str
    given: str
    expected: str
    box: tuple[int, int, int, int]
    pixels: int

    def to_dict(self) -> dict[str, Any]:
        """Its fields, ready for JSON."""
        return {**{name: getattr(self, name) for name in COLUMNS}, "box": list(self.box)}


@dataclasses.dataclass(frozen=True)
class Doubts:
    """What `kseg.check_labels` gives: the most doubtful labels, the most doubtful first.

    Args:
        rows: A `Doubt` each.
        found: How many there were; `rows` may be fewer.
        samples: How many samples were looked at.
        pairs: Of labels of pixels: `(given, expected)` -> how many pixels are surely contradicted.
        model: That contradicts; of folds all of them as one.
        sources: In which.
        note: What is to be known beside it; empty for nothing.
        judges: `kseg.doubts.judges.Judges`, which say who judged a sample; None: the model did.

    Example:

    >>> doubts = kseg.check_labels(model, kseg.data.camvid("CamVid", split="val"))
    >>> doubts.samples > 0, len(doubts) <= doubts.found
    (True, True)
    """

    rows: tuple[Doubt, ...]
    found: int
    samples: int
    pairs: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    model: Any = dataclasses.field(default=None, repr=False)
    sources: tuple = ()
    note: str = ""
    judges: Any = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return line(self, self.summary())

    def summary(self) -> str:
        """How many there are, in words."""
        return f"{counted(self.found, 'doubtful place')} in {counted(self.samples, 'sample')}"

    def _repr_html_(self) -> str:
        headings = ["score", "kind", "sample", "given", "expected", "box"]
        rows = [
            (f"{each.score:.3f}", each.kind, each.sample, each.given, each.expected)
            + (", ".join(map(str, each.box)),)
            for each in self.rows
        ]
        return card(self.summary(), headings=headings, rows=rows)

    def judge(self, sample: str) -> Any:
        """The model that judged a sample of this id: of folds one that has not learned from it."""
        return self.model if self.judges is None else self.judges.of(sample)

    def to_dict(self) -> dict[str, Any]:
        """All of it in lists, dicts, strings and numbers, ready for JSON."""
        pairs = [
            {"given": given, "expected": expected, "pixels": pixels}
            for (given, expected), pixels in self.pairs.items()
        ]
        return {
            "samples": self.samples,
            "found": self.found,
            "doubts": [each.to_dict() for each in self.rows],
            "pixels": pairs,
        }

    def write(self, path: PathLike) -> None:
        """Writes the list for the tool that labels: `.json`, or a table as `.csv`.

        Args:
            path: The file; its ending decides. It appears whole or not at all.

        Raises:
            ValueError: the ending is another.
        """
        path = check_list("path", path)
        if path.suffix.lower() == ".json":
            write_json(path, self.to_dict())
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*COLUMNS[:-2], "x1", "y1", "x2", "y2", "pixels"])
            for each in self.rows:
                row = each.to_dict()
                row["score"] = f"{each.score:.4f}"
                writer.writerow([*(row[name] for name in COLUMNS[:-2]), *each.box, each.pixels])


def check_list(name, path):
    """The path of a list as a `Path`, or `ValueError` for one that is neither JSON nor CSV."""
    from kseg.base.arguments import path as checked

    path = checked(name, path, "a file, .json or .csv")
    if path.suffix.lower() not in (".json", ".csv"):
        raise refused(name, str(path), "a file that ends in .json or .csv")
    return path

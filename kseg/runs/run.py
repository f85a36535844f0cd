"""The run folder: what a training leaves behind and everything later starts from.

    RUN/
      run.json          classes, colours, settings, versions
      settings.toml     the settings once more, for `kseg fit --settings`
      history.csv       one row an epoch
      last.keras        the model and all that training needs to go on, at the last checkpoint
      previous.keras    the checkpoint before it
      best.keras        the model at its best validation score: mean IoU, or mask AP
      validation.png    photo, truth, prediction, error
      curve.png         loss and score by epoch
      evaluation.json   scores of the best model (these three by `kseg fit` alone)
      report.html       all of it as a page (by `kseg report`)
      card.md           what is to be known of the model (by `kseg card`)

Every file is written beside its place and then moved there, so a run that is killed at any moment
leaves whole files.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from kseg.base import arguments
from kseg.base.arguments import choice, name_list
from kseg.base.atomic import Unwritten, moved, replacing
from kseg.base.types import Model, PathLike
from kseg.base.words import say
from kseg.models.saving import Damaged, check_whole, load_model
from kseg.runs import noted

VERSION = 1  # of run.json
CHECKPOINTS = ("last", "previous")
# what later commands start from
KEPT = (
    "run.json",
    "settings.toml",
    "history.csv",
    *(f"{name}.keras" for name in (*CHECKPOINTS, "best")),
)
SHOWN = (
    "evaluation.json",
    "validation.png",
    "curve.png",
    "report.html",
    "card.md",
)  # what they write anew


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder opened for reading.

    Args:
        path: The folder.
        class_names: Name of each class.
        colors: RGB of each class, 0..255.
        void: Label id that is neither trained on nor scored.
        settings: The settings of the training, as a dict.
        data: How the training data were named, as a dict for `kseg.cli`, or None.
        begun: Of what it was begun with: `"samples"`, how many there were; `"names"`, a hash of
            theirs; `"own"`, whether the model keeps its user's compilation. Empty where that is
            not known.
    """

    path: Path
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    void: int
    settings: dict
    data: dict | None = None
    begun: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "class_names", name_list("class_names", self.class_names))

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @classmethod
    def open(cls, path: PathLike) -> Run:
        """Reads `run.json` of a run folder.

        Raises:
            TypeError: `path` is no path.
            FileNotFoundError: there is no such folder, or it holds no run.
            ValueError: `run.json` is damaged, or written by a later kseg.
        """
        path = arguments.path("path", path, "a run folder")
        file = path / "run.json"
        if not file.is_file():
            raise FileNotFoundError(
                f"{str(path)!r} is no run folder: it holds no run.json. "
                "Give the folder that `kseg fit --run` wrote."
            )
        return noted.read(file, VERSION, lambda shared, _: cls(path, **shared))

    def say_if_of_others(self) -> None:
        """Says it if another kseg, Keras or backend has trained the run so far."""
        was, now = noted.written_by(self.path / "run.json"), noted.writer()
        others = [f"{name} {was[name]}, not {now[name]}" for name in now if was[name] != now[name]]
        if others:
            say(f"trained so far by {', '.join(others)}: it goes on, but not to the bit")

    def files(self) -> list[Path]:
        """Paths of what a run is gone on from and predicted with, be they there or not."""
        return [self.path / name for name in KEPT]

    def clear(self) -> None:
        """Removes the files of the run that the folder holds, and no others."""
        for name in (*KEPT, *SHOWN):
            (self.path / name).unlink(missing_ok=True)

    def write(self) -> None:
        """Writes `run.json`, and the folder if need be."""
        fields = dataclasses.asdict(self)
        del fields["path"]
        noted.write(self.path / "run.json", VERSION, fields)

    def is_trained(self) -> bool:
        """Whether there is a model to go on from: a checkpoint."""
        names = ("best", *CHECKPOINTS)
        return any((self.path / f"{name}.keras").is_file() for name in names)

    def discard(self) -> None:
        """Takes back a run of which nothing was kept, so that its folder is free again."""
        if not self.is_trained():
            for name in ("run.json", "settings.toml", "history.csv"):
                (self.path / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # there is something else in it, or it is in use
                self.path.rmdir()

    def load_model(self, which: Literal["best", "last"] | None = None) -> Model:
        """Loads `best.keras`, or `last.keras` where there is no best yet.

        Args:
            which: `"best"`, `"last"`, or None for the better of those that exist.

        Raises:
            ValueError: `which` is something else, or the file is damaged.
            FileNotFoundError: the run was stopped before its first checkpoint.
        """
        return load_model(self.model_file(which))

    def model_file(self, which: Literal["best", "last"] | None = None) -> Path:
        """Path of the model that `load_model` loads, whose argument and errors it has."""
        choice("which", which, (None, "best", "last"))
        names = [which] if which else ["best", "last"]
        for name in names:
            file = self.path / f"{name}.keras" if name == "best" else self.checkpoint()
            if file is not None and file.is_file():
                return file
        raise self.untrained(names)

    def checkpoint(self) -> Path | None:
        """The last checkpoint that is whole; a damaged one is named. None before the first.

        Raises:
            ValueError: there are some, and all are damaged.
        """
        damaged = []
        for name in CHECKPOINTS:
            file = self.path / f"{name}.keras"
            if not file.is_file():
                continue
            try:
                check_whole(file)
            except Damaged as error:
                damaged.append(str(error))
                continue
            for each in damaged:
                say(f"{each} Going on from the one before it, {str(file)!r}.")
            return file
        if damaged:
            remedy = "Begin a new run in its place (overwrite=True)."
            if (self.path / "best.keras").is_file():
                remedy += " The best model so far is in best.keras."
            raise ValueError(f"{' '.join(damaged)} {remedy}")
        return None

    def sweep(self) -> None:
        """Removes what a process that was killed left half-written."""
        for pattern in (".next*.keras", ".*.tmp.*"):
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)

    def untrained(self, names: Sequence[str] = ("last",)) -> FileNotFoundError:
        """The error where a model is asked for that there is none of."""
        return FileNotFoundError(
            f"{str(self.path)!r} holds no {' or '.join(f'{n}.keras' for n in names)}: the run was "
            "stopped before its first checkpoint. Start it again, in the same folder if you like: "
            "kseg.fit without resume=True, `kseg fit` without --resume."
        )

    def write_checkpoint(self, save: Callable[[Path], None]) -> None:
        """Writes `last.keras`; the one before it becomes `previous.keras`.

        There is a whole one at every moment: the old one moves only when the new one is written.

        Args:
            save: Function that writes the file that it is given.
        """
        last, previous = (self.path / f"{name}.keras" for name in CHECKPOINTS)
        fresh = self.path / ".next.keras"
        try:
            save(fresh)
            if last.is_file():
                with moved(previous):
                    os.replace(last, previous)
            with moved(last):
                os.replace(fresh, last)
        except Unwritten as error:
            error.path = str(last)
            raise
        finally:
            fresh.unlink(missing_ok=True)

    def history(self) -> list[dict[str, float]]:
        """The rows of `history.csv` as a list of dicts of numbers; empty before the first epoch."""
        file = self.path / "history.csv"
        if not file.is_file():
            return []
        with file.open(newline="") as stream:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]

    def best(self) -> dict[str, float]:
        """The best value of each score of the validation, by the column's name; empty without.

        NaN, of an epoch in which there was nothing to score, is no value.
        """
        columns = {}
        for row in self.history():
            for name, value in row.items():
                if name.startswith("val_") and not math.isnan(value):
                    columns.setdefault(name, []).append(value)
        return {name: max(values) for name, values in columns.items()}

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Writes `history.csv` anew from a list of dicts."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with replacing(self.path / "history.csv") as temporary:
            with temporary.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, columns)
                writer.writeheader()
                writer.writerows(rows)

"""The folder of a cross-validated training: a run for each fold, and which samples are of which.

FOLDS/
  folds.json        samples of each fold by name, groups; and what run.json holds
  settings.toml     the settings of all
  model.keras       what each begins from, where a model was given
  fold-1, fold-2    the runs: each learns from all samples but its own fold's
  evaluation.json   scores of each, of those that it has not learned from; mean and spread
"""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

from kseg.base import arguments
from kseg.base.arguments import name_list, refused
from kseg.base.types import Model, PathLike
from kseg.models.saving import load_model
from kseg.runs import noted
from kseg.runs.run import KEPT, Run

FILE, MODEL, SCORES = "folds.json", "model.keras", "evaluation.json"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Folds:
    """A folder of folds opened for reading.

    Args:
        path: The folder.
        class_names, colors, void, settings, data, begun: As of `kseg.Run`.
        folds: Names of the samples of each fold, which its run does not learn from.
        group: What kept samples together, in words; None for each by itself.
    """

    path: Path
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    void: int
    settings: dict
    data: dict | None = None
    begun: dict = dataclasses.field(default_factory=dict)
    folds: tuple[tuple[str, ...], ...] = ()
    group: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "class_names", name_list("class_names", self.class_names))

    @classmethod
    def open(cls, path: PathLike) -> Folds:
        """Reads `folds.json`.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, or of a later kseg.
        """
        path = arguments.path("path", path, "a folder of folds")
        file = path / FILE
        if not file.is_file():
            expected = f"a folder that `kseg fit --folds` wrote, with {FILE}"
            raise refused("path", str(path), expected, error=FileNotFoundError)

        def made(shared, content):
            folds = tuple(map(tuple, content["folds"]))
            return cls(path, **shared, folds=folds, group=content["group"])

        return noted.read(file, VERSION, made)

    def write(self) -> None:
        """Writes `folds.json`, and the folder if need be."""
        fields = dataclasses.asdict(self)
        del fields["path"]
        noted.write(self.path / FILE, VERSION, fields)

    def paths(self) -> list[Path]:
        """Folders of the runs, be they there or not."""
        return [self.path / f"fold-{number}" for number in range(1, len(self.folds) + 1)]

    def files(self) -> list[Path]:
        """Paths of what it is gone on from and predicted with, be they there or not."""
        own = [self.path / name for name in (FILE, MODEL)]
        return [*own, *(file for path in self.paths() for file in map(path.joinpath, KEPT))]

    def members(self) -> list[Model]:
        """The best model of each run.

        Raises:
            FileNotFoundError: one of them is not trained yet.
        """
        for path in self.paths():
            if not ((path / "run.json").is_file() and Run.open(path).is_trained()):
                raise FileNotFoundError(
                    f"{str(path)!r} has no model yet: go on with the training of its folder, "
                    f"`kseg fit --resume --run {self.path}`, or give the runs that there are."
                )
        return [load_model(Run.open(path).model_file(), compile=False) for path in self.paths()]

    def load_model(self) -> Model:
        """The ensemble of the best models of all runs; errors as of `members`."""
        from kseg.models.ensemble import ensemble

        return ensemble(self.members())

    def fold_of(self, name: str) -> int | None:
        """Number of the fold, from 1 on, that a sample is of; None if it is of none."""
        found = (i for i, names in enumerate(self._sets, 1) if name in names)
        return next(found, None)

    @functools.cached_property
    def _sets(self) -> list[set[str]]:
        return [set(names) for names in self.folds]

    def history(self) -> list[dict[str, float]]:
        """Nothing: each run has its own."""
        return []

    def scores(self) -> dict[str, Any] | None:
        """What `evaluation.json` holds; None before the training is over."""
        file = self.path / SCORES
        return json.loads(file.read_text()) if file.is_file() else None

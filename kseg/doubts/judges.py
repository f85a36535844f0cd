"""Which model judges a sample: of folds, the one that has not learned from it."""

import os

from kseg.models.ensemble import ensemble
from kseg.runs.folds import Folds


class Judges:
    """The models that contradict labels.

    Args:
        model: A model, which judges all; `kseg.runs.folds.Folds`, or the path of their folder.

    Attributes:
        model: One that answers for all of them.
    """

    def __init__(self, model):
        if isinstance(model, (str, os.PathLike)):
            model = Folds.open(model)
        self.folds = model if isinstance(model, Folds) else None
        self.members = self.folds.members() if self.folds else []
        self.model = ensemble(self.members) if self.folds else model

    def of(self, name):
        """The model that judges a sample: of one that is of no fold, all of them together."""
        number = self.folds.fold_of(name) if self.folds else None
        return self.model if number is None else self.members[number - 1]

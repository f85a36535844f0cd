"""The number to watch: by which the best model is kept, and training stops early."""

import math

from kseg.base.arguments import refused
from kseg.base.words import say
from kseg.training.named import nearest

LESS = ("loss", "error", "hd95", "asd", "objectness", "rpn_box", "classifier", "box", "mask")


class Watch:
    """Which column of the history is watched, and which of two of its values is better.

    Args:
        settings: `Settings`.
        score: Key of the task's own score.
        has_val: Whether there is something to validate on; else there is no own score.
    """

    def __init__(self, settings, score, has_val):
        self.column = settings.monitor or f"val_{score}"
        self.mode = settings.mode or ("min" if self._is_less(self.column) else "max")
        self.patience = settings.patience
        if settings.patience is not None and not has_val and self.column.startswith("val_"):
            expected = "None without val, where nothing is scored"
            raise refused("patience", settings.patience, expected, "Give val, or leave it out.")

    @staticmethod
    def _is_less(column):
        name = column.removeprefix("val_").partition(".")[0]
        return any(name == each or each in ("loss", "error") and each in name for each in LESS) or (
            name in ("mean_hd95", "mean_asd")
        )

    def check(self, settings, learning, source, known, has_val):
        """Raises `ValueError` if there will be no such column.

        Args:
            settings, has_val: As of the class.
            learning: The module of `kseg.training` for the model's task.
            source: What is learned from.
            known: Whether kseg has compiled the model, so that its columns are known.
        """
        if settings.monitor is None or (not known and not self.column.startswith("val_")):
            return
        names = [*learning.TRAINED] + [f"val_{each}" for each in learning.VALIDATED] * has_val
        key, dot, class_name = self.column.partition(".")
        if has_val and dot and key.startswith("val_") and class_name in source.class_names:
            return
        if self.column not in names:
            expected = "a column of the history" + " with val" * has_val
            remedy = nearest(self.column, names)
            if has_val:
                remedy += " Of a class: as 'val_iou.NAME'."
            raise refused("monitor", settings.monitor, expected, remedy)

    def value(self, scores):
        """The watched number among the scores of a validation, if it is of one class; else None."""
        key, dot, class_name = self.column.removeprefix("val_").partition(".")
        if not dot or not self.column.startswith("val_"):
            return None
        scored = scores["classes"][class_name]
        if key not in scored:
            raise refused("monitor", self.column, "a score of a class", nearest(key, scored))
        return scored[key]

    def say_if_nothing(self, row, before):
        """Says it, once, where a validation had nothing to score of what is watched."""
        if math.isnan(row.get(self.column, 0)) and not any(self.column in each for each in before):
            say(
                f"warning: {self.column} is NaN, for nothing of it is in the validation set: it is "
                "no best, and counts as no better"
            )

    def better(self, new, old):
        """Whether a value is better than another; old is None where there was none."""
        if new is None or math.isnan(new):
            return False
        return old is None or (new > old if self.mode == "max" else new < old)

    def best(self, rows):
        """The best value in rows of the history; None where there is none."""
        best = None
        for row in rows:
            if self.better(row.get(self.column), best):
                best = row[self.column]
        return best

    def has_waited(self, rows, since=0):
        """Whether so many values in a row were no better that training stops.

        Args:
            rows: The history.
            since: Rows that are too old to be counted, though none before was better.
        """
        best, waited = None, 0
        for place, row in enumerate(rows):
            if self.column not in row:
                continue
            if self.better(row[self.column], best):
                best, waited = row[self.column], 0
            elif place >= since:
                waited += 1
        return self.patience is not None and waited >= self.patience

"""What `kseg.evaluate` returns: a dict of numbers that shows itself as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kseg.base.shown import card, line
from kseg.evaluation.table import Table


class Scores(dict[str, Any]):
    """Scores: equal to a plain dict of the same numbers, and written as JSON like one.

    Args:
        numbers: The scores.
        summary: A few words on what comes first.
        tables: They as `Table`s, for a notebook.
        notes: What is to be said beside those, line by line.

    Example:

    >>> scores = Scores({"mean_iou": 0.5}, "mean IoU 0.500 of val", [])
    >>> scores, scores == {"mean_iou": 0.5}, json.dumps(scores)
    (<Scores: mean IoU 0.500 of val>, True, '{"mean_iou": 0.5}')
    """

    def __init__(
        self,
        numbers: Mapping[str, Any],
        summary: str,
        tables: Sequence[Table],
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(numbers)
        self.summary, self.tables, self.notes = summary, tables, notes

    def __repr__(self) -> str:
        return line(self, self.summary)

    def _repr_html_(self) -> str:
        cards = [_card(table) for table in self.tables]
        return "".join([*cards, card(self.summary, lines=self.notes)])


def _card(table):
    rows = [*table.rows, *([table.total] if table.total else [])]
    return card(table.title, headings=table.headings, rows=rows)

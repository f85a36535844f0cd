"""Scores as rows of text, for a terminal or a page."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Table:
    """One table.

    Args:
        headings: Of its columns; the first is that of the names.
        rows: Tuples of text, as many as there are headings.
        total: A last row, set apart; None for none.
        title: Over it; empty for none.
    """

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    total: tuple[str, ...] | None = None
    title: str = ""

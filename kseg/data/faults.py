"""What a reader finds wrong with a set, collected: one look at its files tells all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kseg.data.errors import DataError
from kseg.data.listing import shortened

if TYPE_CHECKING:
    from kseg.data.source import Source

MOST_FAULTS, MOST_PLACES = 8, 10  # that one message tells of


class ManyFaults(DataError):
    """A `DataError` of several kinds of fault at once; `faults` are they."""

    def __init__(self, faults: Sequence[DataError]) -> None:
        first, more = faults[0], len(faults) - MOST_FAULTS
        told = [str(fault) for fault in faults[:MOST_FAULTS]]
        told += [f"And {more} more kinds of fault."] if more > 0 else []
        super().__init__(first.kind, first.subject, " ".join(told))
        self._faults = tuple(faults)

    @property
    def faults(self) -> tuple[DataError, ...]:
        return self._faults


class Faults:
    """Errors that are kept until everything has been looked at.

    Those of one kind and one remedy are one: the first is told, of the others the places.

    Example:

    >>> from kseg.data.errors import DataError
    >>> faults = Faults()
    >>> for name in ("dog 1", "dog 2", "dog 3"):
    ...     faults.add(DataError("malformed", "a.txt", f"a.txt: {name} has no legs."), name)
    >>> faults.check()
    Traceback (most recent call last):
    kseg.data.errors.DataError: a.txt: dog 1 has no legs. Likewise dog 2, dog 3.
    """

    def __init__(self) -> None:
        self._kinds = {}  # (kind, remedy) -> the first error, the places of the others

    def add(self, error: DataError, place: str = "") -> None:
        """Keeps an error.

        Args:
            error: A `DataError`.
            place: Where it is, in words, as `"annotation 7"`.
        """
        for each in error.faults:
            key = each.kind, each.remedy
            if key not in self._kinds:
                self._kinds[key] = each, {}
            else:
                self._kinds[key][1][place] = None

    def check(self, rest: Source | None = None) -> None:
        """Raises one `DataError` of all that was kept, if there is anything.

        Args:
            rest: The samples that nothing is wrong with, for whoever looks on; None for none.
        """
        told = []
        for first, places in self._kinds.values():
            if places:
                message = f"{first.message} Likewise {shortened(list(places), MOST_PLACES)}."
                first = type(first)(first.kind, first.subject, message, first.remedy)
            told.append(first)
        if told:
            error = told[0] if len(told) == 1 else ManyFaults(told)
            error.rest = rest
            raise error

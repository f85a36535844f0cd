"""What the photos of a set are put under, each a `Source` made of the set's own."""

import dataclasses
from collections.abc import Callable

from kseg.base.arguments import choice, integer, number, refused
from kseg.data.transforms.corrupt.corrupt import (
    CORRUPTIONS,
    FUNCTIONS,
    SEVERITIES,
    corrupted,
    exposed,
    rescaled,
)

CLEAN = "clean"
SCALES, EXPOSURES = (0.5, 0.75, 1.5, 2.0), (0.25, 0.5, 2.0, 4.0)
OF_BYTES = "jpeg_compression"  # of which there is none for other photos


@dataclasses.dataclass(frozen=True)
class Condition:
    """One thing that photos are put under.

    Args:
        group: `"clean"`, `"corruptions"`, `"scales"` or `"exposures"`.
        name: Of the corruption; else that of the group.
        amount: The severity, or the factor.
        make: Function of a `Source` and a seed to that of the changed photos.
    """

    group: str
    name: str
    amount: float
    make: Callable

    @property
    def key(self):
        """What it is called in files and messages: `"fog 3"`."""
        return self.name if self.group == CLEAN else f"{self.name} {self.amount:g}"


def conditions(source, corruptions, severities, scales, exposures):
    """All that a source is put under, the clean photos first.

    Args:
        source: The `Source`.
        corruptions: Names; None for the fifteen, rain and night, but JPEG of photos that no JPEG
            holds.
        severities, scales, exposures: Numbers.

    Returns:
        List of `Condition`.

    Raises:
        ValueError: one of them is none.
    """
    found = [Condition(CLEAN, CLEAN, 1, lambda source, seed: source)]
    if corruptions is None:
        no_jpeg = source.value_range is not None or source.channels not in (None, 1, 3)
        corruptions = [name for name in FUNCTIONS if not (no_jpeg and name == OF_BYTES)]
    corruptions = _several("corruptions", corruptions)
    for severity in (severities := _several("severities", severities)):
        integer("severities", severity, high=len(SEVERITIES))
    for name in corruptions:
        choice("corruptions", name, tuple(FUNCTIONS))
        corrupted(source, name)  # refuses what the photos cannot bear
        found += [
            Condition("corruptions", name, severity, _corruption(name, severity))
            for severity in severities
        ]
    for group, word, factors, make in (
        ("scales", "scale", scales, rescaled),
        ("exposures", "exposure", exposures, exposed),
    ):
        for factor in _several(group, factors):
            number(group, factor, above=0, at_most=16)
            found.append(Condition(group, word, factor, _by_factor(make, factor)))
    return found


def is_common(condition):
    """Whether a condition is one of the fifteen, of which the mean is spoken of."""
    return condition.name in CORRUPTIONS


def _several(name, values):
    """A tuple without doubles; a string is no list of names."""
    try:
        if isinstance(values, str):
            raise TypeError
        return tuple(dict.fromkeys(values))
    except TypeError:
        remedy = f"For one write [{values!r}]."
        raise refused(name, values, "a list", remedy, error=TypeError) from None


def _corruption(name, severity):
    return lambda source, seed: corrupted(source, name, severity, seed=seed)


def _by_factor(make, factor):
    return lambda source, seed: make(source, factor)


def made(source, key, seed):
    """A source under the condition of this `Condition.key`."""
    if key == CLEAN:
        return source
    name, _, amount = key.rpartition(" ")
    if name in FUNCTIONS:
        return corrupted(source, name, int(amount), seed=seed)
    return {"scale": rescaled, "exposure": exposed}[name](source, float(amount))

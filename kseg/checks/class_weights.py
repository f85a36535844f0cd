"""Class weights of a loss, from the pixels that a source has of each class."""

from __future__ import annotations

from kseg.base.arguments import refused, share
from kseg.checks.check import check_samples
from kseg.checks.statistics import class_weights
from kseg.data.errors import DataError
from kseg.data.source import LABELLED, Source


def class_weights_from(
    source: Source, balance: float = 0.5, *, limit: int | None = None
) -> list[float] | None:
    """`frequency ** -balance` of each class, scaled so that the mean over labelled pixels is 1.

    Args:
        source: A semantic or multilabel `Source`, usually the training split.
        balance: 0 for no weighting, 0.5 for the square root of the inverse frequency, 1 for the
            inverse frequency, with which all classes weigh the same in total. Defaults to 0.5.
        limit: At most this many samples are read, evenly spread over the source. Defaults to None:
            all, so that the pixels are counted exactly; each photo is read and decoded once.

    Returns:
        List of floats, one per class, for `class_weight` of any loss; 0 for a class that the
        source never shows. None if `balance` is 0.

    Raises:
        TypeError: `source` is no `Source`.
        ValueError: It holds instances, no labelled pixel, or a sample that cannot be trained on
            (the message names the file); `balance` lies outside [0, 1]; or `limit` is so small
            that no sample read shows some class, which would then never be learnt.

    Example:

    >>> train = kseg.data.shapes("train", count=50)
    >>> loss = kseg.CrossEntropyLoss(class_weight=kseg.class_weights_from(train))
    """
    if not isinstance(source, Source):
        raise TypeError(
            "source: expected a kseg Source, as kseg.data.folder and the other readers return, not "
            f"a {type(source).__name__}."
        )
    if source.task not in LABELLED:
        remedy = "The pixels of instances overlap and leave out the background."
        raise refused("source.task", source.task, " or ".join(map(repr, LABELLED)), remedy)
    share("balance", balance)
    pixels = check_samples(source, limit)
    if not pixels.any():
        message = f"source={source.name!r} has no labelled pixel: every mask is void."
        raise DataError("unsuitable", source.name, message, "Draw the masks.")
    missing = [name for name, count in zip(source.class_names, pixels) if not count]
    if missing and limit is not None and limit < len(source):
        expected = f"samples that show every class; these show no {', '.join(map(repr, missing))}"
        remedy = "It would get the weight 0. Raise the limit, or leave it out."
        raise refused("limit", limit, expected, remedy)
    return class_weights(pixels, balance)

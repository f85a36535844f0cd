"""Two models on the same images: `kseg.compare`."""

from __future__ import annotations

from collections.abc import Callable

from kseg.base.arguments import integer, number, refused
from kseg.base.types import Dataset, Model, PathLike, Size, Threshold, Tta
from kseg.data.source import Source
from kseg.evaluation.evaluate import CONFIDENCE, counted_of, path_of
from kseg.evaluation.protocol import lines, protocol
from kseg.evaluation.resampling import paired
from kseg.evaluation.scores import Scores
from kseg.evaluation.table import Table, between, heading
from kseg.evaluation.tally import Tally
from kseg.models.contract import scored_contract, task_of
from kseg.prediction.predictor import Predictor

RESAMPLES = 1000


def compare(
    first: Model | Predictor | PathLike,
    second: Model | Predictor | PathLike,
    source: Source | Dataset,
    *,
    batch_size: int | None = None,
    progress: Callable[[int], object] | None = None,
    resize: Size | None = None,
    tile: int | None = None,
    tta: Tta | None = None,
    boundary: bool = False,
    surface: bool = False,
    threshold: Threshold | None = None,
    detections: int | None = None,
    overlap: float | None = None,
    min_score: float | None = None,
    max_detections: int | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Scores:
    """Scores two models on the same images, and says whether their difference may be chance.

    The images are drawn anew, with replacement, for both models together: the interval is where the
    difference of their scores then lies. The p-value is of a paired permutation test: were the two
    alike, their answers to an image could be swapped; p is the share of random swaps after which
    the scores differ at least as much. Frames of one video, or slices of one patient, are no
    independent images: what is said of them is surer than it should be.

    Args:
        first, second: Models of one task and of the same classes, as of `kseg.evaluate`.
        source: As of `kseg.evaluate`.
        batch_size: As of `kseg.evaluate`, as all that follows but for the last two.
        progress: Optional function called with the number of photos done, of both models.
        resize, tile: Of models that label pixels. Default to None.
        tta: As of `kseg.evaluate`. Defaults to None.
        boundary, surface: Of semantic models: whether to score contours, and distances, too.
            Default to False.
        threshold: Of multilabel models. Defaults to None: 0.5.
        detections, overlap, min_score, max_detections: Of instance models. Default to None.
        resamples: How many times images are drawn, and answers swapped. Defaults to 1000.
        confidence: Share of the draws within the interval. Defaults to 0.95.

    Returns:
        dict of `"images"`; `"differences"`, score -> dict of `"first"`, `"second"`, `"difference"`
        (second - first), `"interval"` (`[low, high]`) and `"p"`; `"better"`, `"worse"` and
        `"equal"`, the numbers of images on which the second is so by the score that counts, mean
        IoU or mask AP; and `"protocol"`, a list of those of the two. It is a
        `kseg.evaluation.scores.Scores`.

    Raises:
        TypeError: a model or `source` is something else.
        ValueError: the models are of two tasks; or as of `kseg.evaluate`.

    Example:

    >>> val, larger = kseg.data.shapes("val", count=4), kseg.build_unet(6, width=4, depth=1)
    >>> found = kseg.compare("runs/mine", larger, val, resamples=200)
    >>> sorted(found["differences"]["mean_iou"])
    ['difference', 'first', 'interval', 'p', 'second']
    """
    integer("resamples", resamples)
    number("confidence", confidence, above=0, below=1)
    given = {
        "resize": resize,
        "tile": tile,
        "tta": tta,
        "boundary": boundary,
        "surface": surface,
        "threshold": threshold,
        "detections": detections,
        "overlap": overlap,
        "min_score": min_score,
        "max_detections": max_detections,
    }
    tallies, protocols = [], []
    for name, model in (("first", first), ("second", second)):
        path, done = path_of(model), sum(map(len, tallies))
        step = progress and (lambda count, done=done: progress(done + count))
        model, data, chosen, size, tally = counted_of(model, source, given, batch_size, step)
        if not isinstance(tally, Tally):
            expected = "one of a task that keeps something of single images"
            raise refused(name, model, expected)
        if protocols and task_of(model) != protocols[0]["task"]:
            expected = f"one of the task of first, {protocols[0]['task']!r}"
            raise refused(name, model, expected)
        more = {"resamples": resamples, "confidence": confidence}
        about = {"path": path, "images": len(tally), "batch_size": size, "more": more}
        tallies.append(tally)
        protocols.append(protocol(model, data, chosen, **about))
    return _result(*tallies, protocols, data, scored_contract(model).score, resamples, confidence)


def _result(first, second, protocols, source, score, resamples, confidence):
    differences = paired(first, second, resamples, confidence)
    each = [tally.per_image(source.ids) for tally in (first, second)]
    signs = [b[score] - a[score] for a, b in zip(*each)]
    counts = {
        "better": sum(sign > 0 for sign in signs),
        "worse": sum(sign < 0 for sign in signs),
        "equal": sum(not (sign > 0 or sign < 0) for sign in signs),
    }
    numbers = {"images": len(first), "differences": differences, **counts, "protocol": protocols}
    own = differences[score]
    summary = (
        f"{heading(score)} {own['difference']:+.3f}, {between(own['interval'])}, "
        f"p {own['p']:.3f}, of {source.name}"
    )
    notes = [
        f"the second is better on {counts['better']} of {len(first)} images, worse on "
        f"{counts['worse']}, by {heading(score)}",
        *dict.fromkeys(line for each in protocols for line in lines(each)),  # each once
    ]
    return Scores(numbers, summary, [_table(source, numbers, confidence)], notes)


def _table(source, numbers, confidence):
    rows = [
        (
            heading(name),
            f"{row['first']:.3f}",
            f"{row['second']:.3f}",
            f"{row['difference']:+.3f}",
            between(row["interval"]),
            f"{row['p']:.3f}",
        )
        for name, row in numbers["differences"].items()
    ]
    headings = ("", "first", "second", "difference", f"{100 * confidence:g} % interval", "p")
    return Table(headings, rows, title=f"{source.name}: {numbers['images']} images")

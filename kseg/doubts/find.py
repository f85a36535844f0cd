"""`kseg.check_labels`: through a set with a model, and what it contradicts, in constant memory."""

from __future__ import annotations

import collections
import heapq
import itertools
from collections.abc import Callable

from kseg.base.arguments import integer, refused
from kseg.base.types import Model, PathLike
from kseg.checks.check import named_apart
from kseg.data.bad_files import file_of, naming_bad_files
from kseg.data.images import image_array
from kseg.data.sample import WEIGHT, samples
from kseg.data.source import Source, check_is_source, spread
from kseg.doubts.doubts import Doubt, Doubts
from kseg.doubts.judges import Judges
from kseg.evaluation.batches import unweighted_void
from kseg.models.contract import check_source, contract, part
from kseg.prediction.network import check_weights
from kseg.runs.folds import Folds

KEPT = 4  # times as many as are asked for, until it is known how seldom each is


def check_labels(
    model: Model | Folds | PathLike,
    *sources: Source,
    most: int = 1000,
    limit: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Doubts:
    """Ranks the labels of a set by how much a model contradicts them: those to look at first.

    Of labels of pixels, pixels that are connected and contradicted alike make a region. Its score
    is the mean of the probability of what the model expects less that of what is labelled; less for
    slivers along borders and specks, which are seldom slips; and less for what is contradicted so
    in many photos, for what a model confuses everywhere says nothing of a label.
    Of objects, those that nothing was found at, what was found and is not labelled, outlines and
    classes that differ, and several in one are scored by how sure the model is.

    A model that has learned from the very labels contradicts fewer of them: one of another part of
    the data, or stopped early, sees more. Of a training with folds (`kseg.fit(folds=5)`) each
    sample is judged by the model that has not learned from it. Photos are taken one by one, and the
    list is cut: memory does not grow with the set.

    Args:
        model: A kseg model, semantic, multilabel or of instances; or the folder of a training with
            folds. Samples that are of no fold are judged by all of them together.
        *sources: One `Source` of its task and classes, or several.
        most: Length of the list. Default 1000.
        limit: Samples of each source to look at, evenly spread; None for all.
        progress: Function of the number of samples done and of all, called after each.

    Returns:
        `kseg.doubts.doubts.Doubts`: `.rows`, the most doubtful first, and `.write(path)`.

    Raises:
        TypeError: the model is none, or a source is none.
        ValueError: an argument is out of its range, the source's task or classes are not the
            model's, or a file cannot be read.
        ImportError: the model is one of instances and pycocotools is not installed.

    Example:

    >>> doubts = kseg.check_labels(model, kseg.data.camvid("CamVid", split="val"), most=20)
    >>> doubts.write("doubts.csv")  # file, class given, class expected, box, score

    Source: labels ranked by the margin of the probabilities, as in Northcutt et al., "Confident
    Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021.
    """
    judges = Judges(model)
    model = judges.model
    own = contract(model)
    if not sources:
        raise refused("sources", sources, "a Source of the model's task")
    integer("most", most)
    if limit is not None:
        integer("limit", limit)
    for source in sources:
        check_is_source("sources", source)
        check_source(model, source)
    check_weights(model)
    sources = tuple(named_apart(sources))
    chosen = [spread(len(source), limit or len(source)) for source in sources]
    total, done = sum(map(len, chosen)), itertools.count(1)
    rows, found, pairs = [], 0, collections.Counter()
    for source, indices in zip(sources, chosen):
        seen, heap = part("kseg.doubts", model).Looking(source), Heap(KEPT * most)
        for index, sample in _samples(source, indices):
            judge = judges.of(source.ids[index])
            for row in seen.look(sample, _predicted(judge, own, sample["image"])):
                heap.push(row, index)
            if progress:
                progress(next(done), total)
        found += heap.count
        rows += _doubts(source, seen, heap)
        pairs.update(seen.pairs())
    rows.sort(key=lambda each: -each.score)
    pairs = dict(pairs.most_common())
    return Doubts(tuple(rows[:most]), found, total, pairs, model, sources, judges=judges)


class Heap:
    """The rows of the highest scores, so many of them.

    Args:
        most: How many.
    """

    def __init__(self, most):
        self.most, self.rows, self.count = most, [], 0

    def push(self, row, index):
        """Adds what was found in a sample: kind, key, box, pixels and score."""
        *what, score = row
        self.count += 1
        entry = (score, -self.count, (*what, index))  # of equal ones the first stays
        add = heapq.heappush if len(self.rows) < self.most else heapq.heappushpop
        add(self.rows, entry)

    def falling(self):
        """Score and what was found, the highest score first."""
        return [(score, what) for score, _, what in sorted(self.rows, reverse=True)]


def _samples(source, indices):
    """Yields positions and their samples; pixels of weight 0 are void."""
    looked = source if len(indices) == len(source) else source.subset(indices)
    with naming_bad_files(looked):
        for index, sample in zip(indices, samples(looked)):
            if WEIGHT in sample:
                sample["label"] = unweighted_void(sample, source.void)
            yield index, sample


def _predicted(model, own, image):
    image = image_array(image, own.channels, value_range=own.value_range)
    return part("kseg.doubts", model).predict(model, image)


def _doubts(source, seen, heap):
    """What was kept of a source as `Doubt`s, now that it is known how seldom each is."""
    rows = []
    for score, (kind, key, box, pixels, index) in heap.falling():
        given, expected = seen.words(key)
        file = file_of(source, "image", index) or source.ids[index]
        rows.append(
            Doubt(
                score * float(seen.rarity(key)),
                kind,
                file,
                source.name,
                int(index),
                source.ids[index],
                given,
                expected,
                tuple(map(int, box)),
                int(pixels),
            )
        )
    return rows

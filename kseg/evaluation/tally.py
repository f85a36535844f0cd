"""What is kept of each image while a source is scored: the numbers that every score follows from.

Scores are of sums over images, so those of some images, or of images drawn several times, are the
same sums with a weight for each image. Groups, intervals and tests of two models (`groups.py`,
`resampling.py`) ask for nothing else.

Axes: N images, R rows of weights, C classes.
"""

import numpy as np


class Tally:
    """What was counted of each image, of any task.

    Attributes:
        positions: Position in the source of each image, in the order in which they were counted.
    """

    def __init__(self):
        self.positions = []

    def __len__(self):
        return len(self.positions)

    def report(self):
        """The dict of `kseg.evaluate`."""
        raise NotImplementedError

    def scores(self, weights):
        """The scores over all classes of weighted images.

        Args:
            weights: How often each image counts, `(R, N)`, images in the order of the source.

        Returns:
            dict of float64 `(R,)`; NaN where there is nothing to score.
        """
        raise NotImplementedError

    def of_image(self, row):
        """The scores of one image alone, a dict: row is its place in the order of counting."""
        raise NotImplementedError

    def joined(self, other):
        """One of the images of both, this one's first: to test two models against each other."""
        raise NotImplementedError

    def kept(self, positions):
        """What `take` takes of another process, as `pickle` can.

        Args:
            positions: Of the images that it has counted, in the whole source.
        """
        raise NotImplementedError

    def take(self, kept):
        """Adds the images that another process has counted."""
        raise NotImplementedError

    def order(self):
        """Rows in the order of the source: batches of one size come out of order."""
        return np.argsort(self.positions, kind="stable")

    def per_image(self, names):
        """The scores of each image in the order of the source: a list of dicts.

        Args:
            names: That of each sample of the source, or None for positions as text.
        """
        return [
            {"name": names[position] if names else str(position), **self.of_image(row)}
            for row in self.order()
            for position in [self.positions[row]]
        ]


class LabelTally(Tally):
    """Of labels: pixels of each class that are true, predicted and both; and columns beside them.

    Args:
        class_names: Name of each class.
        columns: Of `columns.py`.
        report: Function that gives the dict of `kseg.evaluate` but for the columns.
        unit: Key of the number of pixels, or of labels, that were scored.
        confusion: The counts of all images, which `report` reads.
    """

    def __init__(self, class_names, columns, report, unit, confusion):
        super().__init__()
        self.class_names, self.columns, self._report, self.unit = class_names, columns, report, unit
        self.confusion = confusion
        self.parts, self.totals = [], []  # (3, C) and (2,) of each image

    def add(self, position, parts, right, total):
        """Adds an image.

        Args:
            position: In the source.
            parts: What `kseg.metrics.confusion.parts` gives of it.
            right, total: Pixels, or labels, that are right, and that were scored.
        """
        self.positions.append(position)
        self.parts.append(np.stack(parts))
        self.totals.append((right, total))

    def report(self):
        report = self._report()
        for column in self.columns:
            column.add_to(report)
        return report

    def scores(self, weights):
        order = self.order()
        weights = np.asarray(weights, "float64")
        parts = weighted(weights, np.array(self.parts)[order])
        right, total = weighted(weights, np.array(self.totals)[order]).T
        found = _overall(parts, right, total)
        for column in self.columns:
            found |= column.scores(weights, order)
        return found

    def of_image(self, row):
        parts, (right, total) = self.parts[row], self.totals[row]
        found = {name: float(value) for name, value in _overall(parts, right, total).items()}
        for column in self.columns:
            alone = np.eye(1, len(self), row)
            found |= {name: float(v[0]) for name, v in column.scores(alone, slice(None)).items()}
        tp, truth, predicted = parts
        union = truth + predicted - tp
        iou = {name: float(tp[i] / union[i]) for i, name in enumerate(self.class_names) if union[i]}
        return {self.unit: int(total), **found, "iou": iou}

    def kept(self, positions):
        return [positions[each] for each in self.positions], self.parts, self.totals, self.confusion

    def take(self, kept):
        positions, parts, totals, confusion = kept
        self.positions += positions
        self.parts += parts
        self.totals += totals
        self.confusion += confusion

    def joined(self, other):
        orders = self.order(), other.order()
        columns = [a.joined(b, orders) for a, b in zip(self.columns, other.columns)]
        confusion = self.confusion + other.confusion
        both = LabelTally(self.class_names, columns, self._report, self.unit, confusion)
        for tally, order in zip((self, other), orders):
            both.parts += [tally.parts[row] for row in order]
            both.totals += [tally.totals[row] for row in order]
        both.positions = list(range(len(both.parts)))
        return both


OVERALL = ("mean_iou", "mean_dice", "mean_accuracy", "pixel_accuracy", "frequency_weighted_iou")


def _overall(parts, right, total):
    from kseg.metrics.confusion import scores_of_parts

    values = scores_of_parts(*np.moveaxis(parts, -2, 0), right, total)
    return {name: values[name] for name in OVERALL}


def weighted(weights, numbers):
    """Sums over images: weights `(R, N)` and numbers `(N, ...)` -> float64 `(R, ...)`.

    Exact for counts up to 2**53.
    """
    flat = numbers.reshape(len(numbers), -1).astype("float64")
    return (weights @ flat).reshape(-1, *numbers.shape[1:])

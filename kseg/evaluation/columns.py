"""What can be scored of labels beyond the confusion matrix: contours, distances, calibration.

Each has `update(labels, predicted, confidence)`, of a batch `(B, H, W)`, `add_to(report)`, and
`scores(weights, order)`, those of weighted images as `kseg.evaluation.tally.Tally.scores` gives
them, from what it keeps of each image.
"""

import numpy as np

from kseg.evaluation.tally import weighted
from kseg.metrics.base import divide, mean_of_defined


class BoundaryColumns:
    """Scores of contours, from counts."""

    def __init__(self, source, classes):
        from kseg.metrics import BoundaryF1, BoundaryIoU

        options = {"class_names": source.class_names, "ignore_class": source.void}
        self.metrics = [metric(classes, **options) for metric in (BoundaryIoU, BoundaryF1)]
        self.counts = [[] for _ in self.metrics]  # of each image int64 (rows, C)

    def update(self, labels, predicted, confidence):
        import keras

        for pair in zip(labels, predicted):
            pair = [each[None] for each in pair]
            for metric, counts in zip(self.metrics, self.counts):
                counted = keras.ops.convert_to_numpy(metric.counts_of(*pair))
                counts.append(counted.astype(np.int64))

    def by_class(self, weights, order):
        """The score of each class by name, `(R, C)`."""
        values = {}
        for metric, counts in zip(self.metrics, self.counts):
            sums = weighted(weights, np.array(counts)[order])
            values[metric.name] = metric.scores_of(np.moveaxis(sums, 1, 0))
        return values

    def scores(self, weights, order):
        by_class = self.by_class(weights, order)
        return {f"mean_{name}": mean_of_defined(values) for name, values in by_class.items()}

    def add_to(self, report):
        every = np.ones((1, len(self.counts[0])))
        for name, (values,) in self.by_class(every, slice(None)).items():
            add_column(report, name, values.tolist())

    def joined(self, other, orders):
        """One of the images of both, each in its order."""
        both = object.__new__(BoundaryColumns)
        both.metrics = self.metrics
        both.counts = [joined(pair, orders) for pair in zip(self.counts, other.counts)]
        return both


class SurfaceColumns:
    """Distances of contours, averaged over photos."""

    NAMES = ("hd95", "asd")

    def __init__(self, source, classes):
        self.options = classes, source.void
        self.values = []  # of each image float64 (3, C): hd95, asd, whether it was missed

    def update(self, labels, predicted, confidence):
        from kseg.metrics.surface import surface_distances

        for truth, prediction in zip(labels, predicted):
            found = surface_distances(truth, prediction, *self.options)
            self.values.append(np.stack([found[name] for name in (*self.NAMES, "missed")]))

    def by_class(self, weights, order):
        """Mean distances of each class `(R, 2, C)`, and in how many images there are any."""
        values = np.array(self.values)[order][:, : len(self.NAMES)]
        there = ~np.isnan(values)
        sums, counts = (weighted(weights, each) for each in (np.nan_to_num(values), there))
        return divide(sums, counts), counts[:, 0]

    def scores(self, weights, order):
        means = mean_of_defined(self.by_class(weights, order)[0])
        return {f"mean_{name}": means[:, i] for i, name in enumerate(self.NAMES)}

    def add_to(self, report):
        (means,), (images,) = self.by_class(np.ones((1, len(self.values))), slice(None))
        for name, values in zip(self.NAMES, means):
            add_column(report, name, values.tolist())
        missed = np.array(self.values)[:, -1].sum(axis=0)
        for row, count, without in zip(report["classes"].values(), images, missed):
            row.update(surface_images=int(count), surface_missed=int(without))

    def joined(self, other, orders):
        both = object.__new__(SurfaceColumns)
        both.values = joined((self.values, other.values), orders)
        return both


class CalibrationColumns:
    """Confidence against accuracy, of all pixels together: nothing is kept of an image."""

    def __init__(self, source, classes):
        from kseg.metrics import ExpectedCalibrationError

        self.void = source.void
        self.metric = ExpectedCalibrationError(classes, ignore_class=-1)

    def update(self, labels, predicted, confidence):
        valid = ~np.isin(labels, () if self.void is None else self.void)
        count = int(valid.sum())
        if not count:
            return
        # A row of 2**n pixels, filled up with void: JAX compiles for every shape anew.
        rows = np.full((3, 1, 1 << (count - 1).bit_length()), -1.0, "float32")
        for row, values in zip(rows, (labels, predicted, confidence)):
            row[0, :count] = values[valid]
        self.metric.update_confidence(*rows)

    def scores(self, weights, order):
        return {}

    def add_to(self, report):
        bins = self.metric.reliability()
        error = float(self.metric.result()) if bins["pixels"].any() else np.nan
        report["calibration_error"] = float(error)
        report["calibration"] = {name: values.tolist() for name, values in bins.items()}

    def joined(self, other, orders):
        return self


def joined(lists, orders):
    """What was kept of the images of two tallies, each in the order of its source."""
    return [kept[row] for kept, order in zip(lists, orders) for row in order]


def add_column(report, name, values):
    """Puts a score of each class into the report, and its mean over the classes that have one."""
    for row, value in zip(report["classes"].values(), values, strict=True):
        row[name] = value
    defined = [row[name] for row in report["classes"].values() if not np.isnan(row[name])]
    report[f"mean_{name}"] = float(np.mean(defined)) if defined else np.nan

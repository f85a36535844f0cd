"""What can be scored of labels beyond the confusion matrix: contours, distances, calibration.

Each has `update(labels, predicted, confidence)`, of a batch `(B, H, W)`, and `add_to(report)`.
"""

import numpy as np


class BoundaryColumns:
    """Scores of contours, from counts."""

    def __init__(self, source, classes):
        from kseg.metrics import BoundaryF1, BoundaryIoU

        options = {"class_names": source.class_names, "ignore_class": source.void}
        self.metrics = [metric(classes, **options) for metric in (BoundaryIoU, BoundaryF1)]

    def update(self, labels, predicted, confidence):
        for metric in self.metrics:
            metric.update_arrays(labels, predicted)

    def add_to(self, report):
        for metric in self.metrics:
            add_column(report, metric.name, metric.per_class().values())


class SurfaceColumns:
    """Distances of contours, averaged over photos."""

    def __init__(self, source, classes):
        from kseg.metrics import SurfaceDistances

        self.distances = SurfaceDistances(classes, ignore_class=source.void)

    def update(self, labels, predicted, confidence):
        for truth, found in zip(labels, predicted):
            self.distances.update(truth, found)

    def add_to(self, report):
        result = self.distances.result()
        for name in ("hd95", "asd"):
            add_column(report, name, result[name].tolist())
        for row, images, missed in zip(
            report["classes"].values(), result["images"], result["missed"]
        ):
            row.update(surface_images=int(images), surface_missed=int(missed))


class CalibrationColumns:
    """Confidence against accuracy."""

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

    def add_to(self, report):
        bins = self.metric.reliability()
        error = float(self.metric.result()) if bins["pixels"].any() else np.nan
        report["calibration_error"] = float(error)
        report["calibration"] = {name: values.tolist() for name, values in bins.items()}


def add_column(report, name, values):
    """Puts a score of each class into the report, and its mean over the classes that have one."""
    for row, value in zip(report["classes"].values(), values, strict=True):
        row[name] = value
    defined = [row[name] for row in report["classes"].values() if not np.isnan(row[name])]
    report[f"mean_{name}"] = float(np.mean(defined)) if defined else np.nan

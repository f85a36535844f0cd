"""Several classes a pixel, photo by photo. Axes: H and W the photo, C classes."""

import numpy as np

from kseg.reports.seen.borders import Borders

OPTIONS = {}
SCORED = {}
KEY, SCORE = "mean_iou", "mean IoU"
THRESHOLD = 0.5
BINS = 15
SAYS = "for every pixel the classes that it has"  # what a model answers
PROTOCOL = (
    "Of each class every label that is not void counts, as of a binary problem; a pixel has a "
    "class above a probability of 0.5. Each photo is scored at its own size. No test-time "
    "augmentation."
)
TILES = (
    ("mean_iou", "mean IoU"),
    ("mean_dice", "mean Dice"),
    ("pixel_accuracy", "labels right"),
)
BAR = "iou"
COLUMNS = (("iou", "IoU"), ("dice", "Dice"), ("accuracy", "recall"), ("precision", "precision"))
COUNT = "pixels"


def predict(model, image):
    """The probability of each class, `(H, W, C)`."""
    from kseg.prediction.predict import predict

    return predict(model, image, probabilities=True)


def answer(predicted):
    """What is drawn of a prediction: the classes above the threshold."""
    return predicted > THRESHOLD


def confusion(names, numbers):
    """Of each class: right, missed, too much, rightly not there."""
    counts = np.array(numbers["confusion"])
    table = np.stack([counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1], counts[:, 0, 0]], 1)
    return names, ["found", "missed", "too much", "rightly absent"], table


def confused(truth, found, count, total):
    """What is said of so many pixels of a class that are taken for another, of all it has."""
    return f"{truth} for {found} ({count / max(1, total):.1%})"


class Seen:
    """What is counted of the photos of a source."""

    def __init__(self, source):
        self.source, self.borders = source, Borders()
        self.bins = np.zeros((3, BINS))  # labels, the sum of their probabilities, how many hold

    def add(self, sample, predicted):
        """Counts a photo."""
        label, held = sample["label"], predicted > THRESHOLD
        scored = label != self.source.void
        for one, wrong, known in zip(
            *(np.moveaxis(x, -1, 0) for x in (label, label != held, scored))
        ):
            self.borders.add(one, wrong, known)
        sure, right = predicted[scored].astype(float), label[scored] == 1
        places = np.minimum((sure * BINS).astype(int), BINS - 1)
        for row, weights in zip(self.bins, (None, sure, right)):
            row += np.bincount(places, weights, BINS)

    def calibration(self, numbers):
        """Triples of probability, how often it held, and share of all, by bin."""
        labels, sure, right = self.bins
        return [
            (s / n, r / n, n / labels.sum()) if n else (float("nan"),) * 3
            for n, s, r in zip(labels, sure, right)
        ]

    def sizes(self):
        """Nothing: labels have no sizes."""
        return []

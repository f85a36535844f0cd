"""Labels, photo by photo. Axes: H and W the photo, C classes."""

import numpy as np

from kseg.metrics.confusion import confusion_matrix, scores
from kseg.reports.seen.borders import Borders

OPTIONS = {}
SCORED = {"boundary": True, "calibration": True}  # what is asked of `kseg.evaluate`
SCORE = "mean IoU"  # of a photo: over the classes that are in its truth or predicted
PROTOCOL = (
    "Every labelled pixel counts; void pixels do not. Each photo is scored at its own size; one "
    "whose feature maps would not fit into 768 MiB is predicted in overlapping tiles. No "
    "test-time augmentation. Boundary IoU within 2 % of the photo's diagonal."
)
TILES = (  # key of `kseg.evaluate` -> what it is called; those that are not there are left out
    ("mean_iou", "mean IoU"),
    ("mean_boundary_iou", "boundary IoU"),
    ("mean_dice", "mean Dice"),
    ("pixel_accuracy", "pixel accuracy"),
    ("calibration_error", "calibration error"),
)
BAR = "iou"
COLUMNS = (
    ("iou", "IoU"),
    ("boundary_iou", "boundary IoU"),
    ("dice", "Dice"),
    ("accuracy", "recall"),
    ("precision", "precision"),
)
COUNT = "pixels"


def predict(model, image):
    """Class ids `(H, W)`."""
    from kseg.prediction.predict import predict

    return predict(model, image)


def answer(predicted):
    """What is drawn of a prediction: the ids."""
    return predicted


class Seen:
    """What is counted of the photos of a source."""

    def __init__(self, source):
        self.source, self.borders, self.groups = source, Borders(), {}

    def add(self, sample, predicted, group):
        """Counts a photo and gives its score, NaN where nothing of it is labelled."""
        source, label = self.source, sample["label"]
        confusion = confusion_matrix(label, predicted, classes_of(source), source.void)
        self.groups[group] = self.groups.get(group, 0) + confusion
        scored = label != source.void
        self.borders.add(label, label != predicted, scored)
        return float(scores(confusion)["mean_iou"]) if scored.any() else float("nan")

    def of_groups(self):
        """Group -> its mean IoU, of all its pixels."""
        return {name: float(scores(each)["mean_iou"]) for name, each in self.groups.items()}

    def calibration(self, numbers):
        """Triples of confidence, accuracy and share of all, by bin."""
        bins = numbers.get("calibration")
        if not bins:
            return []
        total = max(1, sum(bins["pixels"]))
        shares = (pixels / total for pixels in bins["pixels"])
        return list(zip(bins["confidence"], bins["accuracy"], shares))

    def sizes(self):
        """Nothing: labels have no sizes."""
        return []

    def confusion(self, numbers):
        """Names of rows and columns, and counts."""
        names = list(self.source.class_names)
        return names, names, np.array(numbers["confusion"])


def classes_of(source):
    """Classes of the confusion matrix: two of a binary problem."""
    return max(2, source.num_classes)

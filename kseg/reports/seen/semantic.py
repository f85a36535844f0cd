"""Labels, photo by photo. Axes: H and W the photo."""

import numpy as np

from kseg.reports.seen.borders import Borders

OPTIONS = {}
SCORED = {"boundary": True, "calibration": True}  # what is asked of `kseg.evaluate`
KEY, SCORE = "mean_iou", "mean IoU"  # of a photo, or a group, in what `kseg.evaluate` gives
SAYS = "a class for every pixel"  # what a model answers
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
    ("mean_hd95", "HD95, pixels"),
    ("mean_asd", "mean surface distance, pixels"),
)
BAR = "iou"
COLUMNS = (
    ("iou", "IoU"),
    ("boundary_iou", "boundary IoU"),
    ("dice", "Dice"),
    ("accuracy", "recall"),
    ("precision", "precision"),
    ("hd95", "HD95"),
)
COUNT = "pixels"


def predict(model, image):
    """Class ids `(H, W)`."""
    from kseg.prediction.predict import predict

    return predict(model, image)


def answer(predicted):
    """What is drawn of a prediction: the ids."""
    return predicted


def confusion(names, numbers):
    """Names of rows and columns, and counts."""
    return names, names, np.array(numbers["confusion"])


def confused(truth, found, count, total):
    """What is said of so many pixels of a class that are taken for another, of all it has."""
    return f"{truth} for {found} ({count / max(1, total):.1%})"


class Seen:
    """What is counted of the photos of a source."""

    def __init__(self, source):
        self.source, self.borders = source, Borders()

    def add(self, sample, predicted):
        """Counts a photo."""
        label = sample["label"]
        self.borders.add(label, label != predicted, label != self.source.void)

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

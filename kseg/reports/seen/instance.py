"""Objects, photo by photo: which were found, how well, how sure. Axes: N true objects, M found."""

import numpy as np

from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.results import of_mask

OPTIONS = {}
SCORED = {}
KEY, SCORE = "nuclei_ap", "nuclei AP"  # it knows photos where there is nothing to find
SURE = 0.5  # score from which on a detection counts here
FITS = 0.5  # mask IoU from which on it has found an object
BINS = 10
NOTHING, MISSED = "nothing there", "missed"  # beside the classes, of rows and of columns
# Of the square root of an object's area, in pixels; the last is what is larger.
EDGES = (0, 8, 16, 24, 32, 64, 96, 192)
NAMES = ("to 8", "8-16", "16-24", "24-32", "32-64", "64-96", "96-192", "192 +")
SAYS = "objects, each with a class, a score, a box and a mask"  # what a model answers
PROTOCOL = (
    "Average precision is COCO's; areas are the masks' pixels, crowds count neither for nor "
    "against. A photo's score, nuclei AP, is TP / (TP + FN + FP) of the detections with a score of "
    "at least 0.5, the mean over mask IoU 0.50, 0.55, ... 0.95, and then over its classes; that of "
    "a group the mean of its photos. No test-time augmentation."
)
TILES = (
    ("mask_ap", "mask AP"),
    ("mask_ap50", "mask AP50"),
    ("box_ap", "box AP"),
    ("pq", "panoptic quality"),
)
BAR = "mask_ap"
COLUMNS = (("mask_ap", "mask AP"), ("box_ap", "box AP"), ("pq", "PQ"), ("sq", "SQ"), ("rq", "RQ"))
COUNT = "objects"


def predict(model, image):
    """`Instances` of every score."""
    from kseg.prediction.predict import predict

    return predict(model, image, min_score=0.05)


def overlaps(truth, found, crowd=None):
    """Mask IoU of true objects and those found, `(N, M)`; of a crowd the share of the found."""
    if not len(truth) or not len(found):
        return np.zeros((len(truth), len(found)))
    runs = [[of_mask(mask) for mask in masks] for masks in (found, truth)]
    crowd = np.zeros(len(truth), bool) if crowd is None else crowd
    return pycocotools_mask().iou(*runs, crowd.astype(np.uint8).tolist()).T


def assigned(ious, least):
    """Pairs of one true object and one that was found, those that fit best first.

    Args:
        ious: `(N, M)`.
        least: IoU from which on they are a pair.
    """
    pairs, rows, columns = [], set(), set()
    for place in np.argsort(-ious, axis=None, kind="stable"):
        i, j = map(int, np.unravel_index(place, ious.shape))
        if ious[i, j] < least:
            break
        if i not in rows and j not in columns:
            pairs.append((i, j))
            rows.add(i)
            columns.add(j)
    return pairs


def matched(sample, masks):
    """Pairs of a true object and a mask that found it; objects missed; masks of no object.

    A mask that lies in a crowd by half is in none of them.
    """
    known = np.flatnonzero(~sample["crowd"])
    ious = overlaps(sample["masks"], masks, sample["crowd"])
    pairs = [(int(known[i]), j) for i, j in assigned(ious[known], FITS)]
    in_crowd = set(np.flatnonzero((ious[sample["crowd"]] >= 0.5).any(axis=0)).tolist())
    taken = {j for _, j in pairs} | in_crowd
    missed = [int(i) for i in known if i not in {i for i, _ in pairs}]
    return pairs, missed, [j for j in range(len(masks)) if j not in taken]


def answer(predicted):
    """What is drawn of a prediction: the objects, of which a layer shows the sure ones."""
    return predicted


def confusion(names, numbers):
    """Names of rows and columns, and counts of objects; the last of each is nothing."""
    return [*names, NOTHING], [*names, MISSED], np.array(numbers["confusion"])


def confused(truth, found, count, total):
    """What is said of so many objects of a class, of all it has, that are missed or others; or of
    what was found where nothing is."""
    if truth == NOTHING:
        return f"{count:,} {found} where nothing is"
    what = f"{truth} missed" if found == MISSED else f"{truth} for {found}"
    return f"{what} ({count / max(1, total):.1%})"


class Seen:
    """What is counted of the photos of a source."""

    borders = None

    def __init__(self, source):
        self.source = source
        self.bins = np.zeros((3, BINS))  # detections, the sum of their scores, how many are right
        self.by_size = np.zeros((3, len(EDGES)))  # objects, those found, the sum of their IoU

    def add(self, sample, predicted):
        """Counts a photo."""
        crowd, known = sample["crowd"], np.flatnonzero(~sample["crowd"])
        masks = list(predicted.each_mask())
        ious = overlaps(sample["masks"], masks, crowd)
        in_crowd = (ious[crowd] >= 0.5).any(axis=0)
        ious = ious[known]
        right = {j for _, j in assigned(ious, FITS)}
        counted = [j for j in range(len(masks)) if j in right or not in_crowd[j]]
        places = np.minimum((predicted.scores[counted] * BINS).astype(int), BINS - 1)
        hit = np.array([j in right for j in counted], float)
        for row, weights in zip(self.bins, (None, predicted.scores[counted], hit)):
            row += np.bincount(places, weights, BINS)

        sure = [j for j in counted if predicted.scores[j] >= SURE]
        ious = ious[:, sure]
        self._sizes(sample, known, assigned(ious, FITS), ious)

    def _sizes(self, sample, known, pairs, ious):
        sides = [np.count_nonzero(sample["masks"][i]) ** 0.5 for i in known]
        bands = np.digitize(sides, EDGES) - 1
        np.add.at(self.by_size[0], bands, 1)
        for i, j in pairs:
            self.by_size[1:, bands[i]] += 1, ious[i, j]

    def calibration(self, numbers):
        """Triples of score, how often it was right, and share of all, by bin."""
        found, sure, right = self.bins
        return [
            (s / n, r / n, n / found.sum()) if n else (float("nan"),) * 3
            for n, s, r in zip(found, sure, right)
        ]

    def sizes(self):
        """Of each size: name, share found, mean IoU of those, how many there are."""
        objects, found, iou = self.by_size
        return [
            (name, *((f / n, u / f if f else float("nan")) if n else (float("nan"),) * 2), int(n))
            for name, n, f, u in zip(NAMES, objects, found, iou)
        ]

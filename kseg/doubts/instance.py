"""Objects that a model contradicts: labelled and not found, found and not labelled, or otherwise.

Axes: N labelled objects, M found.
"""

import numpy as np

from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.results import of_mask
from kseg.doubts.contrast import Contrast

OPTIONS = {}
LEAST_SCORE = 0.05
SURE = 0.5  # score from which on what was found speaks
FITS = 0.5  # mask IoU from which on it is the labelled object
APART = 0.2  # share of it that may lie in labelled objects, for one that is not labelled
WITHIN = 0.7  # share of what was found that lies in an object, to be a part of it
PART = 0.15  # share of the object that a part has at least
DISJOINT = 1.1  # share of the object that its parts have together at most: else they are one twice
TOUCHES = 0.1  # mask IoU from which on what was found means this object
NOTHING = -1
UNKNOWN = 0.3  # doubts an object of a photo, beyond which the model's word is worth less than half
FAINT = 0.5  # contrast, as a share of the others', below which what was found is doubtful itself
UNTOLD = 0.5  # what a contradiction is worth where too few objects say what is usual
# What a contradiction of a kind is worth: of one outline or two, both may be right
KINDS = {
    "not labelled": 1.0,
    "nothing there": 1.0,
    "class": 1.0,
    "several in one": 0.4,
    "outline": 0.4,
}


def predict(model, image):
    """`Instances` of nearly every score."""
    from kseg.prediction.predict import predict

    return predict(model, image, min_score=LEAST_SCORE)


class Looking:
    """Through a source, photo by photo.

    Args:
        source: A `Source`.
    """

    def __init__(self, source):
        self.names = source.class_names

    def look(self, sample, found):
        """Yields kind, key, box, pixels and score of what is contradicted in a sample.

        Where much is contradicted in a photo, beside what is labelled there, the model does not
        know such photos; a speck among larger objects is seldom a slip; and the photo itself says
        whether there is something, by how the labelled objects stand out.
        """
        contrast = Contrast(sample["image"], sample["masks"])
        rows = list(self._contradicted(sample, found))
        areas = [np.count_nonzero(mask) for mask in sample["masks"]]
        usual, doubt = np.median(areas) if areas else 1, sum(score for *_, score, _ in rows)
        for kind, key, box, pixels, score, mask in rows:
            others = (doubt - score) / max(1, len(areas))
            known = UNKNOWN / (UNKNOWN + others)
            score *= known * min(1.0, pixels / usual) * KINDS[kind]
            yield kind, key, box, pixels, score * seen(kind, contrast, *mask)

    def _contradicted(self, sample, found):
        """Yields the same with how sure the model is, as it stands; and mask and position of what
        is spoken of, the position None of what is not labelled."""
        known = np.flatnonzero(~sample["crowd"])
        masks = list(found.each_mask())
        inter, areas, of_found = crossed(sample["masks"], masks)
        union = areas[:, None] + of_found[None] - inter
        ious = inter / np.maximum(1, union)
        classes = sample["classes"]
        yield from self._unlabelled(found, masks, inter, of_found)
        for i in known:
            box, pixels = sample["boxes"][i].astype(int), int(areas[i])
            kind, expected, score = self._object(i, pixels, classes, found, ious, inter, of_found)
            if score > 0:
                key = int(classes[i]), expected
                mask = sample["masks"][i], i
                yield kind, key, tuple(box.tolist()), pixels, score, mask

    def _unlabelled(self, found, masks, inter, of_found):
        """What was surely found where nothing is labelled, crowds counted as labels too."""
        for j in np.flatnonzero(found.scores >= SURE):
            covered = inter[:, j].sum() / max(1, of_found[j])
            if of_found[j] and covered <= APART:
                box = box_of(masks[j])
                score = float(found.scores[j]) * (1 - covered)
                key = (NOTHING, int(found.classes[j]))
                yield "not labelled", key, box, int(of_found[j]), float(score), (masks[j], None)

    def _object(self, i, area, classes, found, ious, inter, of_found):
        """What is said against a labelled object: kind, the class expected, and how much."""
        scores = found.scores
        if not len(scores):
            return "nothing there", NOTHING, 1.0
        sure, inside = scores >= SURE, inter[i] / np.maximum(1, of_found)
        parts = np.flatnonzero(sure & (inside >= WITHIN) & (inter[i] >= PART * area))
        covered = inter[i, parts].sum() / area
        if len(parts) > 1 and covered <= DISJOINT:
            score = float(np.sort(scores[parts])[-2]) * min(1.0, float(covered))
            return "several in one", int(classes[i]), score
        best = int(np.argmax(ious[i] * scores))
        iou, score = float(ious[i, best]), float(scores[best])
        if iou >= FITS:
            wrong = found.classes[best] != classes[i]
            return ("class", int(found.classes[best]), score * iou) if wrong else ("", NOTHING, 0.0)
        touching = np.flatnonzero(sure & (ious[i] > TOUCHES))
        if len(touching):
            j = touching[np.argmax(scores[touching])]
            return "outline", int(found.classes[j]), float(scores[j] * (1 - ious[i, j]))
        near = float((np.maximum(inside, ious[i]) * scores).max())
        return "nothing there", NOTHING, 1 - near

    def words(self, key):
        """What is given and what is expected, as text."""
        given, expected = key
        return tuple(
            "nothing" if each == NOTHING else self.names[each] for each in (given, expected)
        )

    def rarity(self, key):
        """1: each object speaks for itself."""
        return 1.0

    def pairs(self):
        """Nothing: there are no labels of pixels."""
        return {}


def seen(kind, contrast, mask, own):
    """How far the photo itself speaks for a contradiction, 0 to 1.

    Args:
        kind: Of it.
        contrast: `Contrast` of the photo.
        mask: Of what is spoken of, `(H, W)`.
        own: Its position among the labelled objects, or None.
    """
    if kind not in ("not labelled", "nothing there"):
        return 1.0
    share = contrast.beside(mask, own)
    if np.isnan(share):
        return UNTOLD
    return min(1.0, share / FAINT) if kind == "not labelled" else max(0.0, 1.0 - share)


def crossed(truth, found):
    """Pixels that each of N and each of M masks share, `(N, M)`; and how many each has."""
    api = pycocotools_mask()
    areas, of_found = (
        np.array([np.count_nonzero(mask) for mask in masks], float) for masks in (truth, found)
    )
    if not len(areas) or not len(of_found):
        return np.zeros((len(areas), len(of_found))), areas, of_found
    runs = [[of_mask(mask) for mask in masks] for masks in (found, truth)]
    ious = np.asarray(api.iou(*runs, [0] * len(areas))).T
    return ious * (areas[:, None] + of_found[None]) / (1 + ious), areas, of_found


def box_of(mask):
    """x1, y1, x2, y2 of a mask `(H, W)` that is not empty."""
    rows, columns = (np.flatnonzero(np.asarray(mask).any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

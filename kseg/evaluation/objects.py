"""What is kept of each image of objects: matches and counts, from which every score follows.

Axes: N images, R rows of weights, C classes.
"""

import dataclasses

import numpy as np

from kseg.evaluation.tally import Tally, weighted
from kseg.metrics.average_precision import KINDS
from kseg.metrics.base import mean_of_defined
from kseg.metrics.nuclei import nuclei_counts, nuclei_scores
from kseg.metrics.panoptic import IOU, panoptic_counts, panoptic_scores

PQ = ("pq", "sq", "rq")


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is kept of an image beside the matches of average precision.

    Args:
        panoptic: `panoptic_counts`, `(4, C)`.
        nuclei: `nuclei_counts`, `(3, T, C)`.
        objects: True objects of each class that are no crowds, int64 `(C,)`.
        crowds, detections: How many there are.
    """

    panoptic: np.ndarray
    nuclei: np.ndarray
    objects: np.ndarray
    crowds: int
    detections: int


class ObjectTally(Tally):
    """Of objects: what each image adds to average precision, panoptic quality and nuclei AP.

    Args:
        class_names: Name of each class.
        precision: `AveragePrecision` without an image.
    """

    def __init__(self, class_names, precision):
        super().__init__()
        self.class_names, self.precision = class_names, precision
        self.seen = []
        self.confusion = np.zeros((len(class_names) + 1,) * 2, np.int64)
        self.more = {}  # that the report has besides

    def add(self, position, image_id, truth, results, overlaps):
        """Adds an image.

        Args:
            position: In the source.
            image_id, truth, results: As of `AveragePrecision.update`.
            overlaps: `kseg.metrics.overlaps.Overlaps` of the maps of both.
        """
        classes = len(self.class_names)
        known = [self.precision.class_of[each["category_id"]] for each in truth]
        crowd = np.array([each["iscrowd"] for each in truth], bool)
        self.positions.append(position)
        self.precision.update(image_id, truth, results)
        self.confusion += confusion_of(overlaps, classes)
        self.seen.append(
            Seen(
                panoptic=panoptic_counts(overlaps, classes),
                nuclei=nuclei_counts(overlaps, classes),
                objects=np.bincount(np.array(known, int)[~crowd], minlength=classes),
                crowds=int(crowd.sum()),
                detections=len(results),
            )
        )

    def report(self):
        objects = sum((each.objects for each in self.seen), np.zeros(len(self.class_names), int))
        precision = self.precision.result()
        every = np.ones((1, len(self)))
        of_maps = {name: values[0] for name, values in self._of_maps(every).items()}
        per_class = {
            **{f"{kind}_ap": precision[kind]["classes"] for kind in KINDS},
            **{name: of_maps[name] for name in (*PQ, "nuclei_ap")},
            "objects": objects,
        }
        numbers = {
            f"{kind}_{name}": value
            for kind in KINDS
            for name, value in precision[kind].items()
            if name != "classes"
        }
        return {
            "images": len(self),
            "objects": int(objects.sum()),
            "crowds": sum(each.crowds for each in self.seen),
            "detections": sum(each.detections for each in self.seen),
            **self.more,
            **numbers,
            **{name: float(mean_of_defined(values)) for name, values in of_maps.items()},
            "classes": {
                class_name: {name: values[i].item() for name, values in per_class.items()}
                for i, class_name in enumerate(self.class_names)
            },
            "confusion": self.confusion.tolist(),
        }

    def scores(self, weights):
        weights = np.asarray(weights, "float64")
        counted = np.zeros_like(weights)  # in the order of counting
        counted[:, self.order()] = weights
        found = {}
        for kind in KINDS:
            rows = [self.precision.precision(row, kind) for row in counted]
            found |= {f"{kind}_{name}": np.array([row[name] for row in rows]) for name in rows[0]}
        of_maps = self._of_maps(counted)
        return found | {name: mean_of_defined(values) for name, values in of_maps.items()}

    def of_image(self, row):
        seen = self.seen[row]
        alone = self._of_maps(np.ones((1, 1)), [seen])
        _, tp, fp, fn = seen.panoptic.sum(-1).astype(int).tolist()
        return {
            "objects": int(seen.objects.sum()),
            "detections": seen.detections,
            "found": tp,
            "invented": fp,
            "missed": fn,
            **self.precision.of_image(row),
            **{name: float(mean_of_defined(values[0])) for name, values in alone.items()},
        }

    def kept(self, positions):
        places = [positions[each] for each in self.positions]
        return places, self.precision, self.seen, self.confusion

    def take(self, kept):
        positions, precision, seen, confusion = kept
        self.positions += positions
        self.precision = self.precision.joined(precision)
        self.seen += seen
        self.confusion += confusion

    def joined(self, other):
        both = ObjectTally(self.class_names, self.precision.joined(other.precision))
        both.seen = self.seen + other.seen
        both.positions = self.positions + [len(self) + each for each in other.positions]
        return both

    def _of_maps(self, weights, seen=None):
        """Of each class `(R, C)`; weights and images in one order."""
        seen = self.seen if seen is None else seen
        panoptic = np.array([each.panoptic for each in seen])
        nuclei = np.array([each.nuclei for each in seen])
        return {**panoptic_scores(weighted(weights, panoptic)), **nuclei_scores(nuclei, weights)}


def confusion_of(overlaps, num_classes):
    """Which class objects are found as: int64 `(C + 1, C + 1)`, rows the truth, the last nothing.

    Objects and what is found match whatever their classes are, from the IoU of panoptic quality on.
    """
    confusion = np.zeros((num_classes + 1,) * 2, np.int64)
    match = overlaps.matches(IOU, any_class=True)
    true, found = overlaps.classes
    rows, columns = np.nonzero(match)
    missed, invented = ~match.any(1) & overlaps.true, ~match.any(0) & overlaps.found
    np.add.at(confusion, (true[rows], found[columns]), 1)
    np.add.at(confusion, (true[missed], num_classes), 1)
    np.add.at(confusion, (num_classes, found[invented & ~overlaps.excused]), 1)
    return confusion

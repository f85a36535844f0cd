"""Connected pixels of one contradiction. Axes: H and W the photo."""

import collections

import numpy as np

LEAST, LEAST_SHARE = 16, 2e-4  # pixels of a region, and the share of the photo's
WHOLE = 0.6  # share of a labelled region from which on all of it is contradicted
SPECK = 0.0025  # share of the photo's pixels below which a region counts less
SLIPS = 0.03  # share of photos that have a slip of a kind, about; what is in many more is none


def regions(keys, margin):
    """Regions of pixels that are connected and contradicted in the same way.

    Args:
        keys: Integers `(H, W)`, what is contradicted by what; -1 where nothing is.
        margin: How much, 0..1, `(H, W)`.

    Yields:
        Key, box, number of pixels and score of each. The score is the mean of the margin, less for
        what is thin or a speck: a sliver along a border says little of the label.

    Example:

    >>> keys = np.full((8, 8), -1)
    >>> keys[2:6, 2:6] = 3
    >>> [(key, box, n, round(s, 2)) for key, box, n, s in regions(keys, np.ones((8, 8)))]
    [(3, (2, 2, 6, 6), 16, 0.57)]
    """
    from scipy import ndimage

    least = max(LEAST, LEAST_SHARE * keys.size)
    for key in np.unique(keys[keys >= 0]):
        parts, count = ndimage.label(keys == key)
        areas = np.bincount(parts.ravel(), minlength=count + 1)
        for number, place in enumerate(ndimage.find_objects(parts), 1):
            if areas[number] < least:
                continue
            inside = parts[place] == number
            score = float(margin[place][inside].mean()) * weight(inside, keys.size)
            y, x = place
            yield int(key), (x.start, y.start, x.stop, y.stop), int(areas[number]), score


def whole_regions(label, probabilities, keys):
    """Labelled regions of which most pixels are contradicted, each as one, whatever by.

    A region that was labelled wrong is seldom expected to be one class up to its last pixel: in
    pieces it would come many times.

    Args:
        label: Class ids `(H, W)`.
        probabilities: `(H, W, C)`.
        keys: As of `regions`; set to -1 within what is yielded.

    Yields:
        As `regions`.
    """
    from scipy import ndimage

    least, classes = max(LEAST, LEAST_SHARE * label.size), probabilities.shape[-1]
    for given in np.unique(label[keys >= 0]):
        parts, count = ndimage.label(label == given)
        areas, wrong = (
            np.bincount(parts.ravel(), weights, count + 1) for weights in (None, keys.ravel() >= 0)
        )
        for number, place in enumerate(ndimage.find_objects(parts), 1):
            if areas[number] < least or wrong[number] < WHOLE * areas[number]:
                continue
            inside = parts[place] == number
            mean = probabilities[place][inside].mean(axis=0)
            of_given, mean[given] = mean[given], -1
            expected = int(mean.argmax())
            keys[place][inside] = -1
            score = max(0.0, float(mean[expected] - of_given)) * weight(inside, keys.size)
            y, x = place
            box = (x.start, y.start, x.stop, y.stop)
            yield int(given) * classes + expected, box, int(areas[number]), score


def compactness(inside):
    """Pixels of a mask `(h, w)` over these and those of them at its edge: a half of what is thin.

    >>> compactness(np.ones((1, 9), bool)), round(compactness(np.ones((99, 99), bool)), 2)
    (0.5, 0.96)
    """
    padded = np.pad(inside, 1)
    inner = padded[1:-1, 1:-1].copy()
    for shifted in (padded[2:, 1:-1], padded[:-2, 1:-1], padded[1:-1, 2:], padded[1:-1, :-2]):
        inner &= shifted
    area = np.count_nonzero(inside)
    return float(area / (2 * area - np.count_nonzero(inner)))


def weight(inside, size):
    """What a region is worth by its shape and size, 0..1.

    Args:
        inside: Its mask `(h, w)`.
        size: Pixels of the photo.
    """
    share = float(np.count_nonzero(inside) / (SPECK * size))
    return compactness(inside) * min(1.0, share) ** 0.5


class Confusions:
    """In how many photos a label is contradicted in the same way.

    What a model takes for another class in photo after photo is its own fault, or a custom of who
    labelled; what it meets in one photo of a hundred is a slip.

    Example:

    >>> confusions = Confusions()
    >>> for keys in (["car for sky", "tree for sky"], ["tree for sky"]):
    ...     confusions.add(keys)
    >>> round(confusions.rarity("car for sky"), 3), round(confusions.rarity("tree for sky"), 3)
    (0.057, 0.029)
    """

    def __init__(self):
        self.photos, self.looked = collections.Counter(), 0

    def add(self, keys):
        """Counts a photo, by whatever is contradicted in it."""
        self.looked += 1
        self.photos.update(set(keys))

    def rarity(self, key):
        """How likely, 0..1, what is contradicted so is a slip."""
        return SLIPS / (SLIPS + self.photos[key] / max(1, self.looked))

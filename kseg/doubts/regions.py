"""Connected pixels of one contradiction. Axes: H and W the photo."""

import numpy as np

LEAST, LEAST_SHARE = 16, 2e-4  # pixels of a region, and the share of the photo's
WHOLE = 0.6  # share of a labelled region from which on all of it is contradicted
SLIPS = 0.01  # share of labels that are slips of a kind, about; what is much more common is none


def regions(keys, margin):
    """Regions of pixels that are connected and contradicted in the same way.

    Args:
        keys: Integers `(H, W)`, what is contradicted by what; -1 where nothing is.
        margin: How much, 0..1, `(H, W)`.

    Yields:
        Key, box, number of pixels and score of each. The score is the mean of the margin, less for
        what is thin: a sliver along a border says little of the label.

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
            score = float(margin[place][inside].mean()) * compactness(inside)
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
            score = max(0.0, float(mean[expected] - of_given)) * compactness(inside)
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
    return area / (2 * area - np.count_nonzero(inner))


def rarity(count, total):
    """How likely a label is a slip rather than what a model confuses everywhere, 0..1.

    Args:
        count: Pixels so labelled where the model expects the other class.
        total: All pixels where it does.

    Example:

    >>> rarity(0, 100), round(rarity(1, 100), 3), round(rarity(9, 100), 3)
    (1.0, 0.5, 0.1)
    """
    return SLIPS / (SLIPS + count / max(1, total))

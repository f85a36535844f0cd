"""How far from a border the wrong pixels lie."""

import numpy as np

# Of the distance to the nearest true border, in pixels; the last band is what lies beyond.
EDGES = (0, 1, 2, 4, 8, 16, 32)
NAMES = ("0", "1", "2-3", "4-7", "8-15", "16-31", "32 +")
NEAR = 3  # the bands that count as the border: up to 3 pixels from it


class Borders:
    """Wrong and all scored pixels in bands of their distance to a true border.

    A pixel beside one of another label has distance 0; a border against void is none.
    """

    def __init__(self):
        self.wrong, self.pixels = (np.zeros(len(EDGES), np.int64) for _ in range(2))

    def add(self, label, wrong, scored):
        """Counts a photo: ids, which pixels are wrong, which are scored, each `(H, W)`."""
        from scipy.ndimage import distance_transform_edt

        border = border_of(label, scored)
        if not border.any():
            bands = np.full(label.shape, len(EDGES) - 1)
        else:
            bands = np.digitize(distance_transform_edt(~border), EDGES) - 1
        self.pixels += np.bincount(bands[scored], minlength=len(EDGES))
        self.wrong += np.bincount(bands[scored & wrong], minlength=len(EDGES))

    def rows(self):
        """Name, share of the band's pixels that are wrong, and share of all wrong ones, a band."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates, shares = self.wrong / self.pixels, self.wrong / self.wrong.sum()
        return list(zip(NAMES, rates.tolist(), shares.tolist()))

    def near(self):
        """The share of the wrong pixels that lie at most 3 pixels from a border; NaN of none."""
        return sum(share for _, _, share in self.rows()[:NEAR])


def border_of(label, scored):
    """Pixels `(H, W)` that have a neighbour of another label, both of them scored.

    >>> label = np.array([[0, 0, 1, 255]])
    >>> border_of(label, label != 255).astype(int).tolist()
    [[0, 1, 1, 0]]
    """
    border = np.zeros(label.shape, bool)
    for mine, ids, known in ((border, label, scored), (border.T, label.T, scored.T)):
        differ = (ids[1:] != ids[:-1]) & known[1:] & known[:-1]
        mine[1:] |= differ
        mine[:-1] |= differ
    return border

"""Blur of lenses and movements."""

import numpy as np

from kseg.data.transforms.corrupt.fields import blurred, filtered, streak_kernel, zoomed

DEFOCUS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))  # radius, blur of the disk's edge
GLASS = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))  # blur, reach, times
MOTION = ((20, 3), (30, 5), (30, 8), (30, 12), (40, 15))  # length, sigma
ZOOM = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))  # up to, in steps


def defocus_blur(photo, severity, random):
    """A disk of light in place of each point."""
    radius, edge = DEFOCUS[severity]
    reach = max(8, radius) + 2  # the paper's disk and the blur of its edge
    place = np.arange(-reach, reach + 1)
    disk = (place[:, None] ** 2 + place**2 <= radius**2).astype(np.float32)
    disk = blurred(disk[..., None], edge)[..., 0]
    return filtered(photo, disk / disk.sum())


def glass_blur(photo, severity, random):
    """Frosted glass: pixels trade places with others near by, between two blurs."""
    sigma, reach, times = GLASS[severity]
    photo = blurred(photo, sigma)
    for _ in range(times):
        photo = _traded(photo, reach, random)
    return blurred(photo, sigma)


def _traded(photo, reach, random):
    """Each pixel once trades places with one at most `reach` rows and columns away.

    Pixels of a lattice so wide that no two trades of it meet are taken at a time.
    """
    photo = photo.copy()
    height, width = photo.shape[:2]
    step = 2 * reach + 1
    for place in random.permutation(step * step):
        rows = np.arange(place // step + reach, height - reach, step)
        columns = np.arange(place % step + reach, width - reach, step)
        rows, columns = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
        away = random.integers(-reach, reach + 1, (2, len(rows)))
        there = rows + away[0], columns + away[1]
        here = photo[rows, columns]
        photo[rows, columns] = photo[there]
        photo[there] = here
    return photo


def motion_blur(photo, severity, random):
    """A camera that moves, in a direction within 45 degrees of the rows."""
    length, sigma = MOTION[severity]
    return filtered(photo, streak_kernel(length, sigma, random.uniform(-45, 45)))


def zoom_blur(photo, severity, random):
    """A camera that moves towards the scene."""
    stop, step = ZOOM[severity]
    factors = np.arange(1, stop, step)
    total = photo.copy()
    for factor in factors:
        total += zoomed(photo, factor)
    return total / (len(factors) + 1)

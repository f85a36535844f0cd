"""What is done to a photo after it was taken."""

import io

import numpy as np
from PIL import Image

from kseg.data.transforms.corrupt.fields import resized

CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # of the distance from the mean
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)  # of the resolution
JPEG = (25, 18, 15, 10, 7)  # quality
ELASTIC = (12.5, 16.25, 21.25, 25.0, 30.0)  # times the smoothed noise
ELASTIC_NOISE, ELASTIC_SIGMA = 0.005, 0.01  # as shares of the photo's sides


def contrast(photo, severity, random):
    """Less light, or less of a difference in it."""
    mean = photo.mean(axis=(0, 1), keepdims=True)
    return mean + (photo - mean) * CONTRAST[severity]


def pixelate(photo, severity, random):
    """Enlarged from too few pixels."""
    size = photo.shape[:2]
    few = tuple(max(1, int(side * PIXELATE[severity])) for side in size)
    small = resized(photo, few, Image.Resampling.BOX)
    return resized(small, size, Image.Resampling.NEAREST)


def jpeg_compression(photo, severity, random):
    """Artefacts of strong compression."""
    levels = np.rint(np.clip(photo, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=JPEG[severity])
    decoded = np.asarray(Image.open(stream), np.float32) / 255
    return decoded.reshape(photo.shape)


def elastic_transform(photo, severity, random):
    """Small regions stretched and contracted."""
    return moved(photo, displacement(photo.shape[:2], severity, random), order=1)


def displacement(size, severity, random):
    """Where each pixel of a deformed photo looks, beyond its own place: `(2, H, W)` pixels."""
    from scipy.ndimage import gaussian_filter

    reach = ELASTIC_NOISE * size[0]
    sigma = [ELASTIC_SIGMA * side for side in size]
    along = [
        gaussian_filter(random.uniform(-reach, reach, size), sigma, mode="reflect", truncate=3)
        for _ in "yx"
    ]
    return np.stack(along) * ELASTIC[severity]


def moved(maps, away, order):
    """Maps `(H, W, bands)` seen through a displacement `(2, H, W)`.

    Args:
        maps: A photo, or labels.
        away: As of `displacement`.
        order: 1 for bilinear, 0 for the nearest pixel, as labels have to be.
    """
    from scipy.ndimage import map_coordinates

    there = np.indices(maps.shape[:2]) + away
    bands = [
        map_coordinates(maps[..., i], there, order=order, mode="reflect")
        for i in range(maps.shape[-1])
    ]
    return np.stack(bands, axis=-1)

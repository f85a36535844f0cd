"""What several corruptions are made of: filters, enlargements and smooth random fields."""

import numpy as np
from PIL import Image


def filtered(photo, kernel):
    """Each band of `(H, W, bands)` correlated with a kernel `(rows, columns)` of odd sides.

    Beyond its borders a photo is mirrored; one that is smaller than the kernel again and again.
    """
    from scipy.signal import oaconvolve

    rows, columns = (side // 2 for side in kernel.shape)
    padded = np.pad(photo, [(rows, rows), (columns, columns), (0, 0)], "symmetric")
    flipped = kernel[::-1, ::-1].astype(np.float32)
    bands = [oaconvolve(padded[..., i], flipped, "valid") for i in range(photo.shape[-1])]
    return np.stack(bands, axis=-1).astype(np.float32)


def blurred(photo, sigma):
    """A photo `(H, W, bands)` under a Gaussian of `sigma` pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(photo, (sigma, sigma, 0), mode="reflect")


def streak_kernel(length, sigma, angle):
    """What a point becomes that moves: half a Gaussian along a line, fading from the middle.

    Args:
        length: Of the streak in pixels.
        sigma: Of the Gaussian in pixels.
        angle: Of the line in degrees, against the rows.

    Returns:
        `(2 * length + 1, 2 * length + 1)`, of sum 1.
    """
    kernel = np.zeros((2 * length + 1,) * 2, np.float32)
    place = np.arange(length + 1)
    weight = np.exp(-0.5 * (place / sigma) ** 2)
    angle = np.deg2rad(angle)
    rows = np.rint(place * np.sin(angle)).astype(int) + length
    columns = np.rint(place * np.cos(angle)).astype(int) + length
    np.add.at(kernel, (rows, columns), weight)
    return kernel / kernel.sum()


def zoomed(photo, factor):
    """A photo `(H, W, bands)` enlarged about its centre, bilinearly, and cut to its own size."""
    height, width = photo.shape[:2]
    if factor == 1:
        return photo
    rows, columns = (side / factor for side in (height, width))
    top, left = (height - rows) / 2, (width - columns) / 2
    box = (left, top, left + columns, top + rows)
    return resized(photo, (height, width), Image.Resampling.BILINEAR, box)


def resized(photo, size, filter, box=None):
    """A photo `(H, W, bands)` at another size, by one of Pillow's filters, in float32."""
    bands = [
        Image.fromarray(np.ascontiguousarray(photo[..., i], np.float32)).resize(
            size[::-1], filter, box
        )
        for i in range(photo.shape[-1])
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)


def fractal(size, decay, random):
    """A cloud: noise of all sizes, each half as fine as the last and `decay` times as strong.

    Midpoint displacement (Fournier et al. 1982) with its octaves added up one by one.

    Args:
        size: `(height, width)`.
        decay: From one size to the next; 2 for smooth clouds, towards 1 for rough ones.
        random: `numpy.random.Generator`.

    Returns:
        float32 `(height, width)`, from 0 to 1.
    """
    field = np.zeros((*size, 1), np.float32)
    cells, strength, longest = 1, 1.0, max(size)
    while cells < 2 * longest:
        shape = tuple(-(-side * cells // longest) + 1 for side in size)
        nodes = random.uniform(-strength, strength, (*shape, 1))
        field += resized(nodes, size, Image.Resampling.BILINEAR)
        cells, strength = 2 * cells, strength / decay
    field = field[..., 0] - field.min()
    return field / (field.max() or 1)

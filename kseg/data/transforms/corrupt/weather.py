"""Snow, frost, fog and light."""

import numpy as np

from kseg.data.channels import LUMA
from kseg.data.transforms.corrupt.fields import (
    blurred,
    filtered,
    fractal,
    streak_kernel,
    zoomed,
)

# mean and spread of the noise, its zoom, what of it is a flake, length and sigma of the streaks,
# share of the photo as it was
SNOW = (
    (0.1, 0.3, 3, 0.5, 20, 4, 0.8),
    (0.2, 0.3, 2, 0.5, 24, 4, 0.7),
    (0.55, 0.3, 4, 0.9, 24, 8, 0.7),
    (0.55, 0.3, 4.5, 0.85, 24, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 24, 12, 0.55),
)
# Beyond the fifteen: share of light left, photons that white is then; and share of pixels where a
# streak of rain begins, its length, what is lost of the scene's contrast
NIGHT = ((0.6, 200), (0.45, 100), (0.3, 60), (0.2, 40), (0.12, 25))
RAIN = ((0.002, 12, 0.1), (0.004, 16, 0.15), (0.006, 20, 0.2), (0.008, 26, 0.3), (0.012, 32, 0.4))
RAIN_LIGHT, RAIN_GREY = 0.35, 0.45  # of a drop; of the air between
NIGHT_COLOR = np.array([0.85, 0.95, 1.15], "float32")  # of what light is left
FROST = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))  # share of photo, of frost
FOG = ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))  # thickness, decay of the cloud
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  # added to the value of HSV

# Of frost on windows: mean and spread of each colour over the published pictures, which are not
# drawn on here
FROST_MEAN, FROST_SPREAD = np.array([0.52, 0.60, 0.65], "float32"), 0.14
NEEDLES = 5  # directions of crystals
NEEDLE, NEEDLE_SHARE = 24, 0.004  # their length in pixels, and the pixels where one begins


def snow(photo, severity, random):
    """Flakes that fall, and a paler scene behind them."""
    mean, spread, zoom, least, length, sigma, kept = SNOW[severity]
    flakes = random.normal(mean, spread, (*photo.shape[:2], 1)).astype(np.float32)
    flakes = zoomed(flakes, zoom)
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    flakes = filtered(flakes, streak_kernel(length, sigma, random.uniform(-135, -45)))
    pale = np.maximum(photo, grey_of(photo) * 1.5 + 0.5)
    return kept * photo + (1 - kept) * pale + flakes + flakes[::-1, ::-1]


def frost(photo, severity, random):
    """Ice on the glass before the camera; its crystals are drawn, not photographed."""
    share, ice = FROST[severity]
    crystals = _crystals(photo.shape[:2], random)[..., None] * FROST_SPREAD
    bands = photo.shape[-1]
    colors = FROST_MEAN if bands == 3 else np.full(bands, FROST_MEAN.mean())
    return share * photo + ice * np.clip(crystals + colors, 0, 1)


def _crystals(size, random):
    """Needles of ice in a few directions over a cloud: float32 `(H, W)`, of mean 0 and spread 1."""
    field = np.zeros((*size, 1), np.float32)
    for angle in random.uniform(0, 360, NEEDLES):
        seeds = (random.random((*size, 1)) < NEEDLE_SHARE / NEEDLES).astype(np.float32)
        kernel = streak_kernel(NEEDLE, NEEDLE / 2, angle)
        field += filtered(seeds, kernel / kernel.max())
    field = np.minimum(blurred(field, 0.7)[..., 0], 1)
    field = field + 1.5 * fractal(size, 1.5, random)
    return (field - field.mean()) / (field.std() or 1)


def fog(photo, severity, random):
    """A bright cloud before the scene, whose lightest point stays as light as it was."""
    thickness, decay = FOG[severity]
    lightest = float(photo.max())
    fogged = photo + thickness * fractal(photo.shape[:2], decay, random)[..., None]
    return fogged * lightest / (lightest + thickness)


def rain(photo, severity, random):
    """Streaks of drops, and a duller scene behind them; not one of the fifteen."""
    share, length, dull = RAIN[severity]
    drops = (random.random((*photo.shape[:2], 1)) < share).astype(np.float32)
    kernel = streak_kernel(length, length, random.uniform(75, 105))
    drops = np.minimum(filtered(drops, kernel / kernel.max()), 1)
    return photo + dull * (RAIN_GREY - photo) + RAIN_LIGHT * drops * (1 - photo)


def night(photo, severity, random):
    """Little light, bluish, that comes as single photons; not one of the fifteen."""
    light, photons = NIGHT[severity]
    dark = photo * light * (NIGHT_COLOR if photo.shape[-1] == 3 else 1)
    return random.poisson(np.clip(dark, 0, 1) * photons) / photons


def brightness(photo, severity, random):
    """More light: the value of HSV is raised, hue and saturation stay."""
    return brightened(photo, BRIGHTNESS[severity])


def brightened(photo, amount):
    """A photo whose value, the largest of a pixel's bands, is raised by so much, at most to 1."""
    value = photo.max(axis=-1, keepdims=True)
    raised = np.clip(value + amount, 0, 1)
    return np.where(value > 0, photo * raised / np.maximum(value, 1e-6), raised)


def grey_of(photo):
    """The luminance of a photo of three bands, else the mean of its bands: `(H, W, 1)`."""
    if photo.shape[-1] == 3:
        return (photo @ np.asarray(LUMA, np.float32))[..., None]
    return photo.mean(axis=-1, keepdims=True)

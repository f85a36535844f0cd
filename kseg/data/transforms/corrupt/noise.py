"""Noise of a sensor, each band and pixel by itself."""

import numpy as np

GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation
SHOT = (60, 25, 12, 5, 3)  # photons that white is
IMPULSE = (0.03, 0.06, 0.09, 0.17, 0.27)  # share of numbers that become black or white


def gaussian_noise(photo, severity, random):
    """Noise of weak light in the electronics."""
    return photo + random.normal(0, GAUSSIAN[severity], photo.shape)


def shot_noise(photo, severity, random):
    """Noise of light itself, which comes as single photons."""
    photons = SHOT[severity]
    return random.poisson(photo * photons) / photons


def impulse_noise(photo, severity, random):
    """Salt and pepper: numbers lost in a sensor or on their way."""
    drawn = random.random(photo.shape, np.float32)
    share = IMPULSE[severity]
    return np.where(drawn < share, drawn < share / 2, photo)

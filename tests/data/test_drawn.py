"""Shapes of tools as polygons: corners lie where the formula says."""

import math

import numpy as np
import pytest

from kseg.data.drawn import ellipse


@pytest.mark.parametrize("degrees", [0, 30, 90, 200])
def test_a_turned_ellipse_turned_back_is_upright(degrees):
    """Clockwise in the picture, where y goes down: 30 degrees take (1, 0) to (cos 30, sin 30)."""
    turned = math.radians(degrees)
    x, y = np.reshape(ellipse(50, 40, 20, 4, turned), (-1, 2)).T - [[50], [40]]
    across, down = math.cos(turned), math.sin(turned)
    along, beside = x * across + y * down, y * across - x * down
    np.testing.assert_allclose((along / 20) ** 2 + (beside / 4) ** 2, 1, atol=1e-9)
    assert (x[0], y[0]) == pytest.approx((20 * across, 20 * down))

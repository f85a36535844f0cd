"""What the comparisons of Mask R-CNN share."""

import numpy as np
import pytest
from parity import mask_rcnn_cases as cases


@pytest.fixture(scope="session")
def stored():
    """Name -> array of torchvision's numbers, as make_mask_rcnn.py wrote them."""
    with np.load(cases.FILE) as file:
        return dict(file)

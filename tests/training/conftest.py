"""What trainings of tests learn from."""

import pytest

import kseg


@pytest.fixture(scope="module")
def sources():
    """Generated scenes to learn from, and others to score: 20 and 6 of 32x32."""
    return (
        kseg.data.shapes("train", size=(32, 32), count=20),
        kseg.data.shapes("val", size=(32, 32), count=6),
    )

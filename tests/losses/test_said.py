"""What makes a loss NaN in compiled code, which cannot raise, is said there too."""

import keras
import numpy as np
import pytest

import kseg
from kseg.ops.warned import looked_before


def model():
    image = keras.Input((4, 4, 3))
    made = keras.Model(image, keras.layers.Conv2D(3, 1)(image))  # not one of kseg's
    made.compile("sgd", kseg.CrossEntropyLoss(), jit_compile=keras.backend.backend() == "jax")
    return made


@pytest.mark.parametrize(
    "labels, words",
    [
        (np.full((2, 4, 4), 7), "ids in y_true.*expected classes, 0..2, or void, ignore_class=255"),
        (np.ones((2, 4, 4, 3), "float32"), "sum of the 3 channels of y_true.*that sum to 1"),
    ],
)
def test_wrong_labels(labels, words):
    images = np.zeros((2, 4, 4, 3), "float32")
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match=words):
            model().fit(images, labels, verbose=0)
        return
    with pytest.warns(RuntimeWarning, match=f"{words}.*has become NaN"):
        history = model().fit(images, labels, verbose=0)
    assert np.isnan(history.history["loss"][0])


@pytest.mark.backends("tensorflow", "jax", reason="PyTorch compiles nothing")
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_where_labels_are_looked_at_before_nothing_is_added():
    labels = np.full((2, 4, 4), 7)
    with looked_before():
        history = model().fit(np.zeros((2, 4, 4, 3), "float32"), labels, verbose=0)
    assert np.isnan(history.history["loss"][0])

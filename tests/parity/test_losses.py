"""Every loss against other implementations: numbers stored by make_losses.py.

300 random cases with void, absent classes, one channel, a batch of one, half-precision
predictions. One file of expected numbers for three backends: they agree with each other as well.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from parity.loss_cases import CLASS_WEIGHT, COUNT, SETUPS, case

from kseg import losses

EXPECTED = np.load(Path(__file__).with_name("losses.npz"))
TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}


def options(classes):
    """Name of a stored column -> kseg's function and the options that make it the same."""
    weight = CLASS_WEIGHT[:classes]
    return {
        "cross_entropy": (losses.cross_entropy, {}),
        "cross_entropy_weighted": (losses.cross_entropy, {"class_weight": weight}),
        "cross_entropy_smooth": (losses.cross_entropy, {"label_smoothing": 0.1}),
        "cross_entropy_ohem": (losses.cross_entropy, {"ohem": 0.25}),
        "l1": (losses.l1, {}),
        "l2": (losses.l2, {}),
        "focal": (losses.focal, {}),
        "focal_alpha": (losses.focal, {"gamma": 1.5, "alpha": 0.25}),
        "dice": (losses.dice, {}),
        "dice_weighted": (losses.dice, {"class_weight": weight}),
        "dice_penalize": (losses.dice, {"absent": "penalize"}),
        "dice_image": (losses.dice, {"absent": "penalize", "reduce": "image"}),
        "jaccard": (losses.jaccard, {}),
        "jaccard_penalize": (losses.jaccard, {"absent": "penalize"}),
        "tversky": (losses.tversky, {}),
        "tversky_penalize": (losses.tversky, {"absent": "penalize"}),
        "focal_tversky": (losses.focal_tversky, {}),
        "lovasz": (losses.lovasz, {}),
        "lovasz_image": (losses.lovasz, {"reduce": "image"}),
        "lovasz_hinge": (losses.lovasz, {"hinge": True, "absent": "penalize"}),
        "lovasz_hinge_image": (
            losses.lovasz,
            {"hinge": True, "absent": "penalize", "reduce": "image"},
        ),
        "boundary": (losses.boundary, {}),
        "boundary_cut": (losses.boundary, {"max_distance": 2.5}),
    }


def compiled(function):
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def indices(setup, part):
    """Those of a setup in the first third of the cases, or in the rest."""
    third = range(setup, COUNT, len(SETUPS))[: COUNT // 3 // len(SETUPS)]
    return third if part == "a third" else range(third.stop, COUNT, len(SETUPS))


@pytest.mark.few("a third-0")
@pytest.mark.parametrize("setup", range(len(SETUPS)))
@pytest.mark.parametrize("part", ["a third", pytest.param("the rest", marks=pytest.mark.slow)])
def test_losses_of_other_implementations(setup, part):
    channels, dtype = SETUPS[setup][0][-1], SETUPS[setup][1]
    chosen = {
        name: entry
        for name, entry in options(max(channels, 2)).items()
        if channels == 1 or "hinge" not in name
    }

    def every(y_true, y_pred):
        y_pred = keras.ops.cast(y_pred, dtype)  # exact: the cases are rounded to it
        return keras.ops.stack(
            [function(y_true, y_pred, **kwargs) for function, kwargs in chosen.values()]
        )

    every = compiled(every)
    for index in indices(setup, part):
        y_true, y_pred, _ = case(index)
        # The same inputs as when the numbers were made?
        assert y_pred.astype("float64").sum() + y_true.sum() == EXPECTED["input"][index]
        got = keras.ops.convert_to_numpy(every(y_true, y_pred))
        expected = [EXPECTED[name][index] for name in chosen]
        np.testing.assert_allclose(
            got, expected, **TOLERANCE, err_msg=f"case {index}: {list(chosen)}"
        )

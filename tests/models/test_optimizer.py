"""kseg's AdamW takes the steps of Keras' own."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.optimizer import AdamW

CASES = {
    "plain": {},
    "no decay": {"weight_decay": 0.0},
    "clipped": {"global_clipnorm": 0.5, "weight_decay": 0.1},
    "schedule": {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 4)},
    "large epsilon": {"epsilon": 0.1, "beta_1": 0.8, "beta_2": 0.9},
    "amsgrad": {"amsgrad": True, "weight_decay": 0.1},
    "mean of weights": {"use_ema": True, "ema_momentum": 0.5},
    "accumulated": {"gradient_accumulation_steps": 2},
}


def variables(rng):
    return [
        keras.Variable(rng.normal(size=shape).astype("float32"), name=name)
        for name, shape in (("kernel", (3, 3, 4, 5)), ("bias", (5,)), ("scale", ()))
    ]


@pytest.mark.parametrize("case", CASES)
def test_takes_the_steps_of_keras(case, rng):
    options = {"learning_rate": 0.1, "weight_decay": 0.01, **CASES[case]}
    starts = [each.numpy() for each in variables(rng)]
    steps = [[rng.normal(size=each.shape).astype("float32") for each in starts] for _ in range(4)]
    results = []
    for kind in (keras.optimizers.AdamW, AdamW):
        own = [keras.Variable(start) for start in starts]
        optimizer = kind(**options)
        optimizer.exclude_from_weight_decay([own[1]])
        optimizer.build(own)
        for gradients in steps:
            optimizer.apply([keras.ops.convert_to_tensor(each) for each in gradients])
        results.append([each.numpy() for each in (*own, *optimizer.variables)])
    for expected, actual, start in zip(*results, [*starts, *[None] * len(results[0])]):
        # Keras takes 1 - 0.999 in float32, to 5 digits; a step is 0.1
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
        assert start is None or not np.allclose(actual, start)


@pytest.mark.backends("torch", reason="the kernel is PyTorch's")
def test_gradients_in_any_order_of_memory(rng):
    start, gradient = rng.normal(size=(2, 6, 4)).astype("float32")
    moved = []
    for given in (gradient, np.asfortranarray(gradient)):
        variable, optimizer = keras.Variable(start), AdamW(0.1)
        optimizer.build([variable])
        optimizer.apply([keras.ops.convert_to_tensor(given.T).T])
        moved.append(variable.numpy())
    np.testing.assert_array_equal(*moved)


@pytest.mark.once("torch")
def test_a_compiled_model_is_saved_with_it_and_goes_on(tmp_path, rng):
    """A file says its optimizer and its state; a copy takes the same next step."""
    model = kseg.build_unet(2, width=2, depth=1)
    assert type(model.optimizer) is AdamW
    x = rng.integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    y = rng.integers(0, 2, (2, 8, 8))
    model.train_on_batch(x, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is AdamW
    for each in (model, loaded):
        each.train_on_batch(x, y)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)

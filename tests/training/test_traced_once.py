"""How often a step of training is traced."""

import keras
import numpy as np
import pytest
from models.test_mask_rcnn import build

import kseg
from kseg.models.defaults import build_optimizer

BATCH = np.zeros((2, 8, 8, 3), "uint8"), np.zeros((2, 8, 8), "int32")


def traced(model, images, labels):
    """How often Python goes through the step while a batch is learned."""
    calls, step = [], model.train_step
    model.train_step = lambda *arguments: calls.append(1) or step(*arguments)
    model.train_on_batch(images, labels)
    return len(calls)


@pytest.mark.slow
@pytest.mark.backends("tensorflow", reason="what tf.function does")
def test_a_step_is_traced_once():
    model = kseg.build_unet(2, width=2, depth=1)
    plain = keras.Model(model.input, model.output)
    plain.compile("adam", loss=kseg.CrossEntropyLoss())
    assert traced(plain, *BATCH) == 2  # as Keras does it: with the variables, and without
    plain.compile("adam", loss=kseg.CrossEntropyLoss())
    build_optimizer(plain)
    assert traced(plain, *BATCH) == 1
    assert traced(model, *BATCH) == 1


@pytest.mark.once("jax")
@pytest.mark.parametrize("make", [build, lambda: kseg.build_unet(2, width=2, depth=1)])
def test_models_see_to_it_themselves(make):
    model = make()
    model.predict(np.zeros((1, 64, 64, 3), "uint8"), verbose=0)
    assert not model.optimizer.built  # who only predicts needs no variables
    model.make_train_function()
    assert model.optimizer.built


@pytest.mark.once("torch")
def test_what_has_been_learned_stays():
    """An optimizer that has its variables, as one of a file, is left as it is."""
    model = kseg.build_unet(2, width=2, depth=1)
    model.train_on_batch(*BATCH)
    before = [np.array(variable) for variable in model.optimizer.variables]
    assert int(model.optimizer.iterations) == 1
    build_optimizer(model)
    for old, new in zip(before, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    build_optimizer(kseg.build_unet(2, width=2, depth=1, compile=False))  # has none

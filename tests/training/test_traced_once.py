"""How often a step of training is traced."""

import numpy as np
import pytest
from models.test_mask_rcnn import TWO, build

import kseg
from kseg.models.defaults import build_optimizer


def traced(model, *batch):
    """How often Python goes through the step while a batch is learned."""
    calls, step = [], model.train_step
    model.train_step = lambda *arguments: calls.append(1) or step(*arguments)
    model.train_on_batch(*batch)
    return len(calls)


@pytest.mark.backends("tensorflow", reason="what tf.function does")
def test_a_step_is_traced_once():
    labels = np.zeros((2, 8, 8), "int32")
    images = np.zeros((2, 8, 8, 3), "uint8")
    model = kseg.build_unet(2, width=2, depth=1)
    assert traced(model, images, labels) == 2  # as Keras does it: variables first, then the step
    model = kseg.build_unet(2, width=2, depth=1)
    build_optimizer(model)
    assert traced(model, images, labels) == 1


@pytest.mark.backends("tensorflow", reason="what tf.function does")
def test_mask_rcnn_sees_to_it_itself():
    assert traced(build(), *TWO) == 1


def test_what_has_been_learned_stays():
    """An optimizer that has its variables, as one of a file, is left as it is."""
    model = kseg.build_unet(2, width=2, depth=1)
    build_optimizer(model)
    model.train_on_batch(np.zeros((1, 8, 8, 3), "uint8"), np.zeros((1, 8, 8), "int32"))
    before = [np.array(variable) for variable in model.optimizer.variables]
    build_optimizer(model)
    for old, new in zip(before, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    build_optimizer(kseg.build_unet(2, width=2, depth=1, compile=False))  # has none

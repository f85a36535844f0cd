"""Feature maps computed again for the gradient: the same step, in less memory."""

import contextlib

import keras
import numpy as np
import pytest
from models.small_mask_rcnn import TWO
from models.small_mask_rcnn import build as mask_rcnn

import kseg
from kseg.models.recomputed import blocks_of, recomputing

BATCH = (
    np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), "uint8"),
    np.random.default_rng(1).integers(0, 3, (2, 32, 32), "int32"),
)


def on_an_encoder():
    """With a nested model in it, statistics that move and some that are frozen, and dropout."""
    image = x = keras.Input((None, None, 3))
    for stride in (2, 4):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"stride{stride}")(x)
        x = keras.layers.BatchNormalization(trainable=stride == 4, name=f"norm{stride}")(x)
        x = keras.layers.Dropout(0.5, seed=stride)(keras.layers.ReLU()(x))
    return kseg.build_unet(3, encoder=keras.Model(image, x), compile=False)


def after_steps(model, batch, twice):
    """Losses of two steps, and all variables; with a rate of 1 they show the gradients."""
    with recomputing(model) if twice else contextlib.nullcontext():
        losses = [float(np.ravel(model.train_on_batch(*batch))[0]) for _ in range(2)]
    return losses, [np.array(keras.ops.convert_to_numpy(each)) for each in model.variables]


@pytest.mark.once("torch")
def test_a_step_is_the_same():
    found = []
    for twice in (False, True):
        keras.utils.set_random_seed(0)
        model = on_an_encoder()
        before = [np.array(keras.ops.convert_to_numpy(each)) for each in model.variables]
        model.compile(keras.optimizers.SGD(1.0), kseg.CrossEntropyLoss())
        found.append(after_steps(model, BATCH, twice))
        assert "call" not in vars(model) and "call" not in vars(model.get_layer("encoder"))
    (losses, variables), (losses2, variables2) = found
    np.testing.assert_allclose(losses2, losses, rtol=1e-4)
    moved = 0
    for start, one, other in zip(before, variables, variables2, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)  # a mask twice, means once
        moved += not np.array_equal(start, one)
    assert moved >= len(variables) - 4  # but for what is frozen


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_of_objects(policy):
    """With the weights as they are at the end, which rounding has not led elsewhere yet."""
    found, before = [], keras.config.dtype_policy()
    for twice in (False, True):
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(policy)
        model = mask_rcnn()
        keras.config.set_dtype_policy(before)
        model.compile(keras.optimizers.SGD(1e-3))
        found.append(after_steps(model, TWO, twice))
    (losses, variables), (losses2, variables2) = found
    np.testing.assert_allclose(losses2, losses, rtol=1e-3 if policy == "float32" else 0.05)
    for one, other in zip(variables, variables2, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-2, atol=1e-2)


@pytest.mark.slow
@pytest.mark.once("tensorflow")
def test_what_was_trained_so_is_exported(tmp_path):
    model = kseg.build_unet(3, width=2, depth=1, compile=False)
    model.compile(keras.optimizers.SGD(1.0), kseg.CrossEntropyLoss())
    after_steps(model, BATCH, twice=True)
    served = kseg.export(model, tmp_path, samples=2, verbose=False)
    assert served.comparison.differing == max(served.comparison.offered.values()) == 0
    found = kseg.load(served.path).predict(BATCH[0][0])
    np.testing.assert_array_equal(found, kseg.predict(model, BATCH[0][0]))


@pytest.mark.once("torch")
def test_blocks():
    """Sixteen maps of one size: of k blocks k are kept, and 16 / k within one, least at k = 4."""
    image = x = keras.Input((None, None, 3))
    for _ in range(16):
        x = keras.layers.ReLU()(x)
    assert [len(nodes) for nodes, _ in blocks_of(keras.Model(image, x))] == [4, 4, 4, 4]


@pytest.mark.once("torch")
def test_blocks_hand_on_what_is_read_later():
    """A skip connection and each output; of a nested model nothing but what comes out of it."""
    model = kseg.build_unet(3, encoder="efficientnet_lite0", compile=False)
    for each in (model, model.get_layer("encoder")):
        blocks = blocks_of(each)
        given = [x for _, gives in blocks for x in gives]
        assert len(blocks) > 3 and len(set(given)) == len(given)
        assert {id(x) for x in each.outputs} <= set(given)
        known = {id(x) for x in each.inputs}
        for nodes, gives in blocks:
            made = {id(x) for node in nodes for x in node.outputs}
            assert {id(x) for node in nodes for x in node.input_tensors} <= known | made
            known |= set(gives)
    (alone,) = (nodes for nodes, _ in blocks_of(model) if nodes[0].operation.name == "encoder")
    assert len(alone) == 1


@pytest.mark.slow
@pytest.mark.once("torch")
def test_a_run_goes_on_with_it_or_without(tmp_path):
    """And what it leaves is a model like any other."""
    train = kseg.data.shapes("train", size=(16, 16), count=4)
    settings = {"size": (16, 16), "batch_size": 4, "epochs": 1, "seed": 0}
    settings["network"] = {"width": 2, "depth": 1}
    plain = kseg.fit(None, train, run=tmp_path / "plain", settings=kseg.Settings(**settings))
    twice = kseg.Settings(**settings, remat=True)
    model = kseg.fit(None, train, run=tmp_path / "run", settings=twice)
    for one, other in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)
    assert kseg.Run.open(tmp_path / "run").settings["remat"] is True
    again = kseg.fit(
        None,
        train,
        run=tmp_path / "run",
        resume=True,
        settings=kseg.Settings(**{**settings, "epochs": 2}),  # without
    )
    assert np.isfinite(kseg.Run.open(tmp_path / "run").history()[1]["loss"])
    last = kseg.Run.open(tmp_path / "run").load_model("last")
    for one, other in zip(again.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

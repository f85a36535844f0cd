"""Weights of a served network are constants of its graph, and in the file once."""

import numpy as np
import pytest

import kseg
from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model import constants

pytestmark = pytest.mark.once("tensorflow")


@pytest.fixture(scope="module")
def model():
    model = kseg.build_unet(3, width=32, depth=2, compile=False)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.slow
def test_the_file_holds_the_weights_once(model, tmp_path):
    options = kseg.SavedModelOptions(signatures=("serving_default", "logits", "image_bytes"))
    exported = kseg.export(model, tmp_path, options, samples=1, verbose=False)
    weights = sum(weight.value.numpy().nbytes for weight in model.weights)
    graph = (exported.path / "saved_model.pb").stat().st_size
    beside = sum(file.stat().st_size for file in (exported.path / "variables").iterdir())
    assert weights < graph < weights + 1_000_000 and beside < 1000
    loaded = tensorflow().saved_model.load(exported.path).signatures["logits"]
    photos = np.random.default_rng(1).integers(0, 256, (2, 21, 34, 3), dtype=np.uint8)
    expected = model.predict_on_batch(photos)
    actual = loaded(images=photos)["logits"].numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_a_network_too_large_for_a_graph_keeps_its_variables(model, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "LARGEST", 1000)
    exported = kseg.export(model, tmp_path, samples=1, verbose=False)
    weights = sum(weight.value.numpy().nbytes for weight in model.weights)
    sizes = [file.stat().st_size for file in (exported.path / "variables").iterdir()]
    assert weights < sum(sizes) < weights + 20_000


def test_outputs_keep_their_structure():
    tf = tensorflow()
    weight = tf.Variable([2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec((2,)), tf.TensorSpec((), tf.bool)])
    def function(x, large):
        product = tf.cond(large, lambda: x * weight, lambda: x)
        return {"product": product, "pair": (x, weight + 1.0)}

    constant = constants.with_constants(function)
    weight.assign([0.0, 0.0])
    found = constant(tf.constant([1.0, 10.0]), tf.constant(True))
    assert found["product"].numpy().tolist() == [2.0, 30.0]
    assert [each.numpy().tolist() for each in found["pair"]] == [[1.0, 10.0], [3.0, 4.0]]
    assert not constant.get_concrete_function().variables

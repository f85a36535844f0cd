"""The winning class in an exported graph, which has a form of its own for speed."""

import keras
import numpy as np
import pytest

from kseg.deployment.saved_model import semantic
from kseg.deployment.saved_model.signatures import GraphOptions
from kseg.ops.decisions import top_class

pytestmark = pytest.mark.backends("tensorflow", reason="a graph without Keras in it")


@pytest.mark.parametrize("channels", [1, 3])
def test_the_served_class_and_its_probability_are_those_of_predict(channels, rng):
    """Logits of few values, so that many tie."""
    image = keras.Input((None, None, channels))
    model = keras.Model(image, keras.layers.Rescaling(0.5, offset=-1.0)(image))
    images = rng.integers(0, 5, (2, 30, 40, channels)).astype("uint8")
    options = GraphOptions(("serving_default",), (), 10_000, "jpeg", 512, 128, 1)
    served = semantic.signatures(model, options)["serving_default"].function(images)
    ids, probability = top_class(images * np.float32(0.5) - 1)
    np.testing.assert_array_equal(served["class_ids"], ids)
    np.testing.assert_allclose(served["scores"], probability, rtol=1e-6)
    assert set(np.unique(ids)) == set(range(max(channels, 2)))


@pytest.mark.parametrize("level", [-100.0, 0.0, 39.0, 60.0])
def test_probabilities_of_logits_of_any_size(level):
    """Softmax does not change with what is added to all logits, however far exponentials go."""
    import tensorflow as tf

    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Identity()(image))
    signatures = semantic.LabelSignatures(model, GraphOptions((), (), 1, "jpeg", 512, 128, 1), None)
    logits = np.array([[0.0, np.log(2.0), np.log(5.0)], [-200.0, 1.0, 1.0]], "float32") + level
    ids, scores = signatures.top_class(tf.constant(logits.reshape(1, 1, 2, 3)))
    assert ids.numpy().ravel().tolist() == [2, 1]  # 5 / (1 + 2 + 5), and half of what is left
    np.testing.assert_allclose(scores.numpy().ravel(), [5 / 8, 1 / 2], rtol=2e-5)
    logits[1, 0] = np.nan
    _, scores = signatures.top_class(tf.constant(logits.reshape(1, 1, 2, 3)))
    assert np.isfinite(scores.numpy().ravel()).tolist() == [True, False]

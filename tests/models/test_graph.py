"""What kseg asks of the graph inside a Keras model, and that it asks in one file."""

import re
from pathlib import Path

import keras
import pytest

import kseg
from kseg.models import graph, precision

PACKAGE = Path(kseg.__file__).parent
PRIVATE = re.compile(
    r"\._(flatten_layers|keras_history|nodes\w*|operations\w*|inbound_nodes|outbound_nodes|layers)\b"
)


def test_private_names_of_keras_stand_in_one_file():
    files = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if PRIVATE.search(path.read_text())
    }
    assert files == {"models/graph.py"}


@pytest.fixture
def nested():
    """An image, a shared layer called twice, a model within the model."""
    image = keras.Input((None, None, 3), name="image")
    inner_image = keras.Input((None, None, 4))
    inner = keras.Model(inner_image, keras.layers.ReLU(name="relu")(inner_image), name="inner")
    shared = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="shared")
    wide = keras.layers.Conv2D(4, 1, name="wide")(image)
    once = shared(wide)
    twice = shared(once)
    return keras.Model(image, inner(twice), name="outer"), once, twice


def test_layers_and_their_calls(nested):
    model, once, twice = nested
    assert {layer.name for layer in graph.layers_of(model)} >= {"wide", "shared", "inner", "relu"}
    assert model not in graph.layers_of(model)
    nodes = graph.nodes_of(model)
    assert [node.operation.name for node in nodes] == ["wide", "shared", "shared", "inner"]
    assert [node.outputs[0] for node in nodes[1:3]] == [once, twice]
    assert graph.maker_of(twice).name == "shared"
    assert {each.name for each in graph.operations_before(model, once)} == {
        *("image", "wide", "shared")
    }
    assert graph.shapes_of(model, [once, twice]) == [(1, 256, 256, 4), (1, 128, 128, 4)]


def test_a_copy_in_float32_computes_the_same_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    keras.config.set_dtype_policy("float32")
    assert precision.computes_in(model) == "float16"
    copy = precision.in_float32(model)
    assert precision.computes_in(copy) == "float32" and precision.in_float32(copy) is copy
    for ours, theirs in zip(copy.get_weights(), model.get_weights(), strict=True):
        assert (ours == theirs).all()

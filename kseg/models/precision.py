"""In which precision a model computes, and a copy of it in float32."""

import keras

from kseg.models.graph import layers_of


def policies_of(model):
    """Names of the dtype policies of a model's layers; empty of what only answers like a model."""
    layers = layers_of(model) if isinstance(model, keras.Model) else ()
    return {layer.dtype_policy.name for layer in layers}


def computes_in(model):
    """float16 if any layer computes in 16 bits, whose near ties fall either way."""
    half = any("16" in str(getattr(layer, "compute_dtype", "")) for layer in layers_of(model))
    return "float16" if half else "float32"


def in_float32(model):
    """The model, or a copy of it that computes in float32 where its policy is a lower precision.

    Weights are float32 under mixed policies too, so that nothing is lost; the formats' runtimes
    lack bfloat16 for most operations.
    """
    if all(layer.compute_dtype in (None, "float32") for layer in layers_of(model)):
        return model

    def copied(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    copy.set_weights(model.get_weights())
    return copy

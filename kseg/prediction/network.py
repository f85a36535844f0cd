"""The one place where photos go through a network: `forward`. Tiles, batches and scores call it.

It may be called from several threads at once, with models that share weights: on JAX, Keras' own
`predict_on_batch` gives a model's state away for the time of a call, so that another thread finds
"Buffer has been deleted"; here the state is only read. On PyTorch nothing is kept for a gradient,
and each feature map is freed after its last reader.
"""

import gc
import threading
import weakref

import keras
import numpy as np

from kseg.models.graph import run

_compiled = weakref.WeakKeyDictionary()  # network -> function of its state and inputs, on JAX
_making = threading.Lock()  # of what is made at a network's first call


def forward(network, inputs):
    """Outputs of a Keras model for a batch, at inference.

    Args:
        network: `keras.Model`; of another kind, its `predict_on_batch` is called.
        inputs: Array `(B, H, W, C)`, or what else the model takes.

    Returns:
        NumPy arrays, in the structure of the model's outputs.
    """
    if not isinstance(network, keras.Model):
        return network.predict_on_batch(inputs)
    outputs = FORWARD[keras.backend.backend()](network, inputs)
    return keras.tree.map_structure(np.asarray, outputs)


def once(made, key, make):
    """`made[key]`, made at the first asking, by one thread alone."""
    with _making:
        if key not in made:
            made[key] = make()
        return made[key]


def _on_tensorflow(network, inputs):
    if network.predict_function is None:
        with _making:
            network.make_predict_function()
    return network.predict_on_batch(inputs)


def _on_jax(network, inputs):
    state = [
        [variable.value for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    ]
    return once(_compiled, network, lambda: _stateless(weakref.ref(network)))(state, inputs)


def _stateless(network):
    """The compiled call of a network, which keeps neither it nor its weights."""
    import jax

    @jax.jit
    def call(state, inputs):
        return network().stateless_call(*state, inputs, training=False)[0]

    return call


def _on_torch(network, inputs):
    import torch

    with torch.no_grad():
        inputs = keras.tree.map_structure(_bytes_as_they_are, inputs)
        outputs = keras.tree.map_structure(keras.ops.convert_to_numpy, run(network, inputs))
    del inputs
    # PyTorch's trees, by which Keras flattens arguments, leave circles behind that hold the photo
    # and its logits until Python looks for such; of what is young this takes a millisecond.
    gc.collect(1)
    return outputs


def _bytes_as_they_are(array):
    """Photos of bytes on the device: a quarter of what Keras would send there, as floats."""
    import torch
    from keras.src.backend.torch.core import get_device

    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        return array
    if not (array.flags.writeable and array.flags.c_contiguous):  # as from_numpy wants them
        array = array.copy(order="C")
    return torch.from_numpy(array).to(get_device())


FORWARD = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}


def check_weights(model):
    """Raises `ValueError` if a weight of a model is NaN or infinite.

    Its outputs may well be finite then: TensorFlow's fused ReLU makes 0 of NaN.
    """
    broken = broken_weights(model)
    if broken:
        raise not_finite(model, broken)


def broken_weights(model):
    """Paths of the weights that are not finite."""
    weights = getattr(model, "weights", ())
    return [each.path for each in weights if not np.isfinite(_total(each))]


def _total(weight):
    """The sum of a weight's numbers, which is finite if they are."""
    return keras.ops.convert_to_numpy(weight).astype("float32", copy=False).sum(dtype="float64")


def not_finite(model, broken=None):
    """The error for a network whose weights or outputs are NaN or infinite.

    Args:
        model: The model.
        broken: Paths of its weights that are; None to look.
    """
    broken = broken_weights(model) if broken is None else broken
    name = getattr(model, "name", "model")
    if broken:
        remedy = (
            f"The first is {broken[0]!r}. Load a checkpoint from before the loss became NaN, and "
            "train on with a lower learning_rate."
        )
        found = f"{len(broken)} of {len(model.weights)} weights that are NaN or infinite"
    else:
        remedy = (
            "Its weights are finite, so numbers grow too large within it: build it with the policy "
            "'float32', or check that the weights belong to this network."
        )
        found = "outputs that are NaN or infinite"
    return ValueError(f"model={name!r} has {found}: expected finite ones. {remedy}")

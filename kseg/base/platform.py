"""Where the arithmetic runs, for the few functions that have a form for one backend."""

import keras


def is_jax_on_cpu():
    """Whether the backend is JAX without an accelerator."""
    return keras.config.backend() == "jax" and keras.distribution.list_devices()[0].startswith(
        "cpu"
    )


def is_torch():
    """Whether the backend is PyTorch, whose kernels take channels-last images as views."""
    return keras.config.backend() == "torch"


def is_tensorflow():
    """Whether the backend is TensorFlow."""
    return keras.config.backend() == "tensorflow"

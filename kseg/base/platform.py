"""Where the arithmetic runs, for the few functions that have one form for XLA's CPU compiler."""

import keras


def is_jax_on_cpu():
    """Whether the backend is JAX without an accelerator."""
    return keras.config.backend() == "jax" and keras.distribution.list_devices()[0].startswith(
        "cpu"
    )

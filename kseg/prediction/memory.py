"""How much memory the feature maps of a prediction may take."""

import keras

MEMORY = 3 << 28  # bytes, where nothing more is known; libraries take up to as much again beside
PART = 8  # of a GPU's memory, the rest of which may be somebody else's


def memory():
    """Bytes of feature maps that may be held at once: `MEMORY`, on a large GPU an eighth of its
    memory, for it computes one large batch in less time than several small ones.

    Not of what is free: sizes of tiles would change from photo to photo, and be compiled anew.
    """
    return max(MEMORY, of_gpu() // PART)


def of_gpu():
    """Bytes of the GPU's memory; 0 without one, or where the backend does not say."""
    return OF_GPU.get(keras.backend.backend(), lambda: 0)()


def _on_torch():
    import torch

    return torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else 0


def _on_jax():
    import jax

    known = jax.local_devices()[0].memory_stats() or {}  # None on a CPU
    return known.get("bytes_limit", 0)


OF_GPU = {"torch": _on_torch, "jax": _on_jax}  # TensorFlow does not say

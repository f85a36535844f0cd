"""Seeds of all random numbers but TensorFlow's own."""

import contextlib
from unittest import mock


def fresh_seed(seed=0):
    """As `keras.utils.set_random_seed`, but for TensorFlow's seed, from which nothing here draws.

    Setting that one makes TensorFlow forget every graph that it has prepared to run: the next call
    of each is as slow as the first.
    PyTorch's sets those of devices that are not here too, with a traceback for each: milliseconds.
    """
    import keras
    import tensorflow as tf

    with contextlib.ExitStack() as without:
        without.enter_context(mock.patch.object(tf.random, "set_seed", lambda seed: None))
        if keras.backend.backend() == "torch":
            import torch

            if not torch.cuda.is_available():
                here = torch.default_generator.manual_seed
                without.enter_context(mock.patch.object(torch, "manual_seed", here))
        keras.utils.set_random_seed(seed)

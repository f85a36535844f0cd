"""Seeds of all random numbers but TensorFlow's own."""

from unittest import mock


def fresh_seed(seed=0):
    """As `keras.utils.set_random_seed`, but for TensorFlow's seed, from which nothing here draws.

    Setting that one makes TensorFlow forget every graph that it has prepared to run: the next call
    of each is as slow as the first.
    """
    import keras
    import tensorflow as tf

    with mock.patch.object(tf.random, "set_seed", lambda seed: None):
        keras.utils.set_random_seed(seed)

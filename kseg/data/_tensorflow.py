"""TensorFlow on first use, for the input pipelines only."""

import functools


@functools.cache
def tensorflow():
    """Imports TensorFlow once; where Keras runs on another backend, keeps it off the GPU.

    TensorFlow takes all of a GPU's memory when it first sees one, which would leave nothing for
    JAX or PyTorch.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:
            pass  # the program used TensorFlow before and made its own choice
    return tf

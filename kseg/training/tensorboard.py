"""What TensorBoard shows of a run: Keras' scalars, and how a few photos are seen by now."""

import keras
import numpy as np

from kseg.base.tensorflow import tensorflow
from kseg.prediction.sheet import sheet

ROWS, WIDTH = 4, 320  # photos, and the pixels of each


def folder_of(run):
    """Where it is written."""
    return run.path / "tensorboard"


def scalars(run):
    """Keras' callback: losses, scores and the rate of each epoch."""
    return keras.callbacks.TensorBoard(folder_of(run))


class Pictures:
    """Photos of the validation set beside their truth and what the model makes of them.

    Args:
        run: The `Run`.
        val: `Source` to validate on.
    """

    def __init__(self, run, val):
        self.val = val
        self.writer = tensorflow().summary.create_file_writer(str(folder_of(run) / "validation"))

    def write(self, model, epoch):
        """Adds the picture after an epoch, counted from 0 as Keras' scalars are."""
        picture = np.asarray(sheet(model, self.val, ROWS, WIDTH))
        with self.writer.as_default():
            tensorflow().summary.image("predictions", picture[None], step=epoch)
        self.writer.flush()

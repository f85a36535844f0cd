"""A learning rate that warms up before it follows one of Keras' schedules."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseg")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises in a line from 0 to the first rate of what comes after.

    Keras' `CosineDecay` can do so itself; its other schedules cannot.

    Args:
        steps: How many it takes, >= 1.
        after: A number, or a `LearningRateSchedule` that begins then.

    Example:

    >>> rate = WarmUp(10, 0.5)
    >>> float(rate(5)), float(rate(20))
    (0.25, 0.5)
    """

    def __init__(self, steps, after):
        self.steps, self.after = steps, after

    def __call__(self, step):
        step = ops.cast(step, "float32")
        past = ops.maximum(step - self.steps, 0.0)
        rate = self.after(past) if callable(self.after) else self.after
        return ops.cast(rate, "float32") * ops.minimum(step / self.steps, 1.0)

    def get_config(self):
        after = self.after
        if callable(after):
            after = keras.saving.serialize_keras_object(after)
        return {"steps": self.steps, "after": after}

    @classmethod
    def from_config(cls, config):
        after = config["after"]
        if isinstance(after, dict):
            after = keras.saving.deserialize_keras_object(after)
        return cls(config["steps"], after)

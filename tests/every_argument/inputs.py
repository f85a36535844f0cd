"""What the calls of tests/test_every_argument.py are given: small arrays, models, sources."""

import dataclasses

import keras
import numpy as np
from instance_model import InstanceModel, detections

import kseg

SIZE = (32, 32)
ANY = (None, None, 3)


class Made:
    """A value that is made when it is needed: by a function of the `place`."""

    def __init__(self, make):
        self.make = make


@dataclasses.dataclass
class Beside:
    """A value that is seen beside other arguments.

    Args:
        more: What the call with it and the call without it are both given besides.
        value: Of the argument.
        refused: Whether the call without it is the one that is refused.
    """

    more: dict
    value: object
    refused: bool = False


@dataclasses.dataclass
class Entry:
    """What is known of a function or class.

    Args:
        given: The call to compare with.
        rows: Argument -> another value.
        then: Function of the result and the `place` to what tells two results apart.
        function: What is called, where it is not the function itself.
    """

    given: dict
    rows: dict
    then: object = None
    function: object = None


WEIGHTS = np.linspace(0.1, 2, 144, dtype="float32").reshape(2, 8, 9)


def ids(seed=0):
    """Labels `(2, 8, 9)` of the classes 0, 1, 2 in blocks with void; the second has no 2."""
    blocks = np.random.default_rng(seed).integers(0, 3, (2, 4, 3))
    labels = blocks.repeat(2, 1).repeat(3, 2)
    labels[1][labels[1] == 2] = 0
    labels[0, :3] = 255
    return labels


def binary():
    return np.where(ids() == 255, 255, ids() > 0)


def several():
    """Labels `(2, 8, 9, 3)` of which a pixel may have several, with void."""
    return np.where(ids()[..., None] == 255, 255, logits(4) > 0)


def logits(seed=0, channels=3):
    return np.random.default_rng(seed).normal(0, 2, (2, 8, 9, channels)).astype("float32")


def probabilities():
    scores = np.exp(logits())
    return scores / scores.sum(-1, keepdims=True)


def scenes(split="train", count=4, instances=False, size=SIZE, seed=0):
    return kseg.data.shapes(split, size=size, count=count, seed=seed, instances=instances)


def unet(num_classes=6, **given):
    return kseg.build_unet(num_classes, **{"width": 2, "depth": 1, **given})


def encoder(width=2):
    """Features at the strides 2 to 32, with a batch norm."""
    x = image = keras.Input(ANY)
    for _ in range(5):
        x = keras.layers.Conv2D(width, 3, strides=2, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(image, keras.layers.ReLU()(x), name="small")


def vgg(scale=1.0):
    """A classifier with VGG16's names, of two channels at first; its weights are all `scale`."""
    x = image = keras.Input((224, 224, 3))
    for stage, (count, width) in enumerate(zip((2, 2, 3, 3, 3), (2, 4, 8, 16, 16)), 1):
        for i in range(1, count + 1):
            name = f"block{stage}_conv{i}"
            x = keras.layers.Conv2D(
                width, 3, padding="same", kernel_initializer=constant(scale), name=name
            )(x)
    return keras.Model(image, x)


def constant(value):
    return keras.initializers.Constant(value)


@dataclasses.dataclass(frozen=True)
class FinderSettings:
    detections: int = 100
    overlap: float = 0.5


class Fewer:
    """A finder's answers, of each photo so many at most; without the first if `overlap` differs."""

    def __init__(self, finder, settings):
        self.finder, self.count = finder, settings.detections
        self.first = int(settings.overlap != FinderSettings.overlap)

    def predict_on_batch(self, x):
        found = self.finder.predict_on_batch(x)
        return {name: values[:, self.first : self.count] for name, values in found.items()}


def finder(count=3):
    """An instance model that needs no network, and has settings as one that does."""
    found = [detections(np.random.default_rng(i), SIZE, 4) for i in range(count)]
    model = InstanceModel(found)
    model.settings = FinderSettings()
    model.detector_of = lambda settings: Fewer(model, settings)
    return model


def sample(seed=0, task="semantic"):
    """A sample of 24 x 32 pixels as transforms take it."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (6, 8, 3)), rng.integers(0, 3, (6, 8))
    image, label = (each.repeat(4, 0).repeat(4, 1).astype("uint8") for each in values)
    if task == "semantic":
        return {"image": tf.constant(image), "label": tf.constant(label)}
    return {
        "image": tf.constant(image),
        "masks": tf.constant(np.stack([label == 1, label == 2]).astype("uint8")),
        "classes": tf.constant([0, 1]),
        "crowd": tf.constant([False, False]),
        "boxes": tf.constant([[0.0, 0, 32, 24], [0, 0, 32, 24]]),
    }

"""Several models that answer as one: what they say of a pixel, or of an object, is averaged.

Of models that label pixels, the ensemble is a functional Keras model with the others in it, whose
logits are those of the mean of their probabilities; so all that takes a model takes it: prediction,
scores, tiles, exports. Objects come out of each network by themselves and are merged afterwards, by
`kseg.ops.fusion`, where they are predicted and in the graph of an export.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from kseg.base.arguments import refused
from kseg.base.types import Model
from kseg.models.contract import contract, fixed_size, has_several, labels_pixels
from kseg.models.finish import finished

TINY = 1e-30  # below which a mean probability is none


@keras.saving.register_keras_serializable(package="kseg")
class MeanProbability(keras.layers.Layer):
    """Logits of several models -> the logits of their mean probability, in float32.

    Args:
        binary: Whether each channel has a sigmoid of its own; else a softmax goes over all.

    Shapes: a list of `(B, H, W, C)` -> `(B, H, W, C)`.

    Example:

    >>> logits = [np.log([[[[0.2, 0.8]]]]), np.log([[[[0.6, 0.4]]]])]
    >>> mean = keras.ops.convert_to_numpy(MeanProbability(binary=False)(logits))
    >>> np.exp(mean).astype(float).round(3).tolist()
    [[[[0.4, 0.6]]]]
    """

    def __init__(self, binary, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.binary = binary

    def call(self, logits):
        def log_of_mean(probability):
            total = sum(probability(ops.cast(each, "float32")) for each in logits)
            return ops.log(ops.maximum(total / len(logits), TINY))

        if not self.binary:
            return log_of_mean(lambda x: ops.softmax(x, axis=-1))
        return log_of_mean(ops.sigmoid) - log_of_mean(lambda x: ops.sigmoid(-x))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "binary": self.binary}


class ObjectEnsemble:
    """Instance models as one, which obeys the contract of those; made by `kseg.ensemble`.

    Args:
        members: The models.
        name: Of the ensemble.
    """

    def __init__(self, members, name):
        self.members, self.name = tuple(members), name
        first = self.members[0]
        own = contract(first)
        self.task, self.score = own.task, own.score
        self.num_classes, self.channels = own.num_classes, own.channels
        self.value_range = own.value_range
        self.settings = getattr(first, "settings", None)
        self.resize, self.paste = getattr(first, "resize", None), getattr(first, "paste", None)
        self.fixed_size = fixed_size(first)

    @property
    def weights(self):
        """Those of all members."""
        return [each for member in self.members for each in getattr(member, "weights", ())]

    def count_params(self):
        """Numbers in all of them, as `keras.Model.count_params`."""
        return sum(member.count_params() for member in self.members)


def ensemble(models: Sequence[Model], *, name: str = "ensemble") -> Model:
    """Several models as one, whose answer is what they say together.

    Of a pixel, the probabilities of the classes are averaged. Of objects, the best is the first; of
    each other model the box of the same class that overlaps it most, from an IoU of 0.55 on, is the
    same object; boxes and masks are averaged by their scores, and the score is the mean of all
    models', 0 of one that has not found it.

    Args:
        models: Models of one task, with the same classes, bands and range of numbers. Of runs and
            files make one with `kseg.load([path, path])`.
        name: Of the ensemble.

    Returns:
        Of models that label pixels a `keras.Model`, which can be saved, exported and put into
        another; of instance models what `kseg.predict`, `kseg.evaluate`, `kseg.export` and the
        rest take for one.

    Raises:
        TypeError: one is no model.
        ValueError: there is none, or they do not go together.

    Example:

    >>> models = [kseg.build_unet(4, width=4, depth=2) for _ in range(3)]
    >>> kseg.predict(kseg.ensemble(models), np.zeros((40, 60, 3), "uint8")).shape
    (40, 60)

    Source: Solovyev et al. 2021, "Weighted boxes fusion" (arXiv:1910.13302), of objects.
    """
    if not isinstance(models, (list, tuple)) or not models:
        expected = "a list of models of one task and the same classes"
        raise refused("models", models, expected, error=TypeError)
    members = [each for model in models for each in members_of(model)]
    for number, each in enumerate(members):
        check_alike(members[0], each, number)
    if not labels_pixels(members[0]):
        return ObjectEnsemble(members, name)
    own, first = contract(members[0]), members[0]
    image = keras.Input((*fixed_size(first), own.channels), name="image")
    # as models of their own, for those of several runs are called alike
    named = [keras.Model(m.inputs, m.outputs[0], name=f"member{i}") for i, m in enumerate(members)]
    several = has_several(first)
    mean = MeanProbability(several or own.outputs == 1, name="mean_probability")
    logits = mean([each(image) for each in named])
    return finished(image, logits, multilabel=several, compile=False, name=name)


def members_of(model):
    """The models that answer: those of an `ObjectEnsemble`, or the one."""
    return getattr(model, "members", (model,))


def check_alike(first, other, number):
    """Raises `ValueError` unless another model can be a member beside the first."""
    mine, its = contract(first), contract(other)
    alike = [
        ("task", mine.task, its.task),
        ("classes", mine.outputs, its.outputs),
        ("bands", mine.channels, its.channels),
        ("value_range", mine.value_range or (0, 255), its.value_range or (0, 255)),
        ("size", fixed_size(first), fixed_size(other)),
        ("paste", getattr(first, "paste", None), getattr(other, "paste", None)),
    ]
    for name, own, given in alike:
        if own != given:
            expected = f"{own!r}, as of the first, and of {other.name!r} it is {given!r}"
            remedy = "Members of an ensemble answer the same question: leave it out."
            raise refused(f"{name} of models[{number}]", given, expected, remedy)

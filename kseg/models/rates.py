"""Optimizers of Keras whose learning rate is another for each part of a network.

What multiplies the rate of a weight multiplies all that a step does to it by the rate: the step
itself and the decoupled decay, as of PyTorch's groups of parameters. Gradients are clipped, and
averaged over steps, before; the moving average comes after.
"""

import contextlib

import keras

from kseg.models.optimizer import AdamW

DECAYS = ("weight_decay", "adam_weight_decay")  # what a rate is multiplied with; Muon has both


class Rates:
    """Mixed into an optimizer, before it.

    Args:
        multipliers: What multiplies the learning rate of each weight that is trained, in their
            order; a list of numbers.
        options: As of the optimizer.
    """

    def __init__(self, *arguments, multipliers=(), **options):
        super().__init__(*arguments, **options)
        self.multipliers = [float(each) for each in multipliers]

    def build(self, variables):
        if len(self.multipliers) != len(variables):
            raise ValueError(
                f"multipliers of {len(self.multipliers)} weights: expected one for each of the "
                f"{len(variables)} that are trained. Compile the model again after freezing layers."
            )
        super().build(variables)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        for multiplier, places in self._groups(trainable_variables):
            own = [grads[place] for place in places]
            variables = [trainable_variables[place] for place in places]
            super()._backend_update_step(own, variables, learning_rate * multiplier)

    def _apply_weight_decay(self, variables):
        for multiplier, places in self._groups(variables):
            own = [variables[place] for place in places]
            if any(map(self._use_weight_decay, own)):
                with self._decaying(multiplier):
                    super()._apply_weight_decay(own)

    def _groups(self, variables):
        """Pairs of a multiplier and the places of the weights that have it."""
        groups = {}
        for place, each in enumerate(variables):
            multiplier = self.multipliers[self._get_variable_index(each)]
            groups.setdefault(multiplier, []).append(place)
        return groups.items()

    @contextlib.contextmanager
    def _decaying(self, multiplier):
        """Within it, decay is so many times as strong."""
        before = {name: getattr(self, name) for name in DECAYS if getattr(self, name, None)}
        for name, value in before.items():
            setattr(self, name, value * multiplier)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def get_config(self):
        return {**super().get_config(), "multipliers": self.multipliers}


@keras.saving.register_keras_serializable(package="kseg")
class RatedAdam(Rates, keras.optimizers.Adam):
    """Adam whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedAdamax(Rates, keras.optimizers.Adamax):
    """Adamax whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedAdamW(Rates, AdamW):
    """AdamW whose rate is another for each part; on PyTorch in one pass for each rate."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedAdagrad(Rates, keras.optimizers.Adagrad):
    """Adagrad whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedAdadelta(Rates, keras.optimizers.Adadelta):
    """Adadelta whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedLion(Rates, keras.optimizers.Lion):
    """Lion whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedMuon(Rates, keras.optimizers.Muon):
    """Muon whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedRMSprop(Rates, keras.optimizers.RMSprop):
    """RMSprop whose rate is another for each part."""


@keras.saving.register_keras_serializable(package="kseg")
class RatedSGD(Rates, keras.optimizers.SGD):
    """SGD whose rate is another for each part; so is the velocity, in which the rate is."""


# Of others a step is not proportional to the rate, or counts more than the weights it is of
RATED = {
    "adam": RatedAdam,
    "adamax": RatedAdamax,
    "adamw": RatedAdamW,
    "adagrad": RatedAdagrad,
    "adadelta": RatedAdadelta,
    "lion": RatedLion,
    "muon": RatedMuon,
    "rmsprop": RatedRMSprop,
    "sgd": RatedSGD,
}

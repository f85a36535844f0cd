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


def _rated(kind):
    """An optimizer of `kind` with these rates, known to files as `kseg>RatedAdam` and the like."""
    members = {"__doc__": f"{kind.__name__} with rates by part.", "__module__": __name__}
    made = type(f"Rated{kind.__name__}", (Rates, kind), members)
    return keras.saving.register_keras_serializable(package="kseg")(made)


# Of others a step is not proportional to the rate, or counts more than the weights it is of
KINDS = (
    keras.optimizers.Adam,
    keras.optimizers.Adamax,
    AdamW,  # on PyTorch in one pass for each rate
    keras.optimizers.Adagrad,
    keras.optimizers.Adadelta,
    keras.optimizers.Lion,
    keras.optimizers.Muon,
    keras.optimizers.RMSprop,
    keras.optimizers.SGD,  # its velocity, in which the rate is, goes by part too
)
RATED = {kind.__name__.lower(): _rated(kind) for kind in KINDS}
globals().update({each.__name__: each for each in RATED.values()})  # as files and pickles ask

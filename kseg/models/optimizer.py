"""AdamW as Keras has it, in one pass over the weights on PyTorch."""

import math

import keras

from kseg.base.platform import is_torch
from kseg.ops.fused_adamw import fused_adamw, fuses


@keras.saving.register_keras_serializable(package="kseg")
class AdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`: arguments, variables and numbers alike.

    On PyTorch a step is PyTorch's own fused one. Of 14.3 million weights, one core (2026-11-26, a
    shared machine), Keras' takes 115 ms and PyTorch's 24.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile(AdamW(1e-3, weight_decay=1e-4), "mse")
    """

    def _apply_weight_decay(self, variables):
        if not (is_torch() and self._fuses(variables)):
            super()._apply_weight_decay(variables)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if not (is_torch() and self._fuses(trainable_variables)):
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        step = int(self.iterations) + 1
        settings = {
            "lr": float(learning_rate),
            "beta1": self.beta_1,
            "beta2": self.beta_2,
            # Keras adds it to a root that PyTorch first divides by this
            "eps": self.epsilon / math.sqrt(1 - self.beta_2**step),
        }
        decay = self.weight_decay or 0.0
        pairs = list(zip(grads, trainable_variables))
        for decayed in (True, False):
            own = [pair for pair in pairs if self._decays(pair[1]) == decayed]
            state = [self._state(variable) for _, variable in own]
            fused_adamw(
                [(variable.value, grad, *of) for (grad, variable), of in zip(own, state)],
                step,
                weight_decay=decay if decayed else 0.0,
                **settings,
            )

    def _decays(self, variable):
        return self.weight_decay is not None and self._use_weight_decay(variable)

    def _state(self, variable):
        index = self._get_variable_index(variable)
        return self._momentums[index].value, self._velocities[index].value

    def _fuses(self, variables):
        return not self.amsgrad and all(fuses(variable.value) for variable in variables)

"""The Keras side of the losses: their options, their sum, and how Keras calls them.

Each loss is a pure function first (built from `kseg.losses.pixels`) and a thin class second.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseg.base.arguments import choice, number, refused
from kseg.base.shown import card, line
from kseg.base.types import ClassIds, ClassWeight, Reduce, Tensor
from kseg.losses.pixels import REDUCE, plain_weights
from kseg.ops.labels import void_ids


class Loss(keras.losses.Loss):
    """A Keras loss that can be added to others and multiplied by a number.

    Example:

    >>> kseg.DiceLoss() + 0.5 * kseg.CrossEntropyLoss()
    <WeightedSum: 1 * DiceLoss + 0.5 * CrossEntropyLoss>
    """

    __array_ufunc__ = None  # so that NumPy numbers leave `number * loss` to __rmul__

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, dtype="float32")

    def __add__(self, other: keras.losses.Loss) -> WeightedSum:
        if not isinstance(other, keras.losses.Loss):
            return NotImplemented
        return WeightedSum([self, other])

    def __radd__(self, other: keras.losses.Loss) -> WeightedSum:
        if not isinstance(other, keras.losses.Loss):
            return NotImplemented
        return WeightedSum([other, self])

    def __mul__(self, factor: float) -> WeightedSum:
        if not isinstance(factor, numbers.Real):
            return NotImplemented
        return WeightedSum([self], [factor])

    __rmul__ = __mul__


class SegmentationLoss(Loss):
    """Base of the segmentation losses: holds their options, and calls their pure function.

    A subclass sets `function`, the pure function, and hands its own options to `super().__init__`;
    `function(y_true, y_pred, sample_weight, **options)` must return a scalar.

    Args:
        name: Name of the loss.
        reduce: `"batch"` or `"image"`.
        ignore_class: Void class id(s): int, sequence of ints, or None.
        class_weight: None, sequence, or {class id: weight}.
        **options: The remaining options of `function`.
    """

    function = None

    def __init__(
        self,
        name: str,
        *,
        reduce: Reduce,
        ignore_class: ClassIds,
        class_weight: ClassWeight,
        **options: Any,
    ) -> None:
        super().__init__(name=name)
        choice("reduce", reduce, REDUCE)
        ids = void_ids(ignore_class)
        self.options = {
            **options,
            "reduce": reduce,
            "ignore_class": ids[0] if len(ids) == 1 else list(ids) or None,
            "class_weight": plain_weights(class_weight),
        }

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        # Keras would multiply the finished loss by sample_weight; here a weight belongs to a
        # pixel, before any ratio is formed. So it travels beside y_true, and Keras is left with
        # its scaling under tf.distribute.
        targets = (y_true,) if sample_weight is None else (y_true, sample_weight)
        return super().__call__(tuple(map(_to_float, targets)), y_pred)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One loss, of shape (1,): Keras scales for distribution only what it has to average."""
        labels, *sample_weight = y_true
        return ops.reshape(self.function(labels, y_pred, *sample_weight, **self.options), (1,))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}

    def __repr__(self) -> str:
        return line(self, ", ".join(f"{key}={value!r}" for key, value in self._told().items()))

    def _told(self):
        """The options that are not as by default."""
        defaults = inspect.signature(type(self).__init__).parameters
        return {
            key: value
            for key, value in self.get_config().items()
            if key not in defaults or value != defaults[key].default
        }

    def _repr_html_(self) -> str:
        rows = [(key, repr(value)) for key, value in self.get_config().items()]
        return card(type(self).__name__, headings=["option", "value"], rows=rows)


@keras.saving.register_keras_serializable(package="kseg")
class WeightedSum(Loss):
    """Sum of losses, each times a number; what `DiceLoss() + 0.5 * CrossEntropyLoss()` makes.

    Sums within sums are flattened. Every loss gets the same `y_true`, `y_pred` and `sample_weight`.

    Args:
        losses: Keras losses.
        weights: A finite number for each. Defaults to None: 1 for each.
        name: Name of the sum. Defaults to `"weighted_sum"`.

    Raises:
        ValueError: No loss, not as many weights as losses, or a weight that is not finite.
        TypeError: Something in `losses` is not a Keras loss.

    Example:

    >>> loss = WeightedSum([kseg.DiceLoss(), kseg.CrossEntropyLoss()], [1.0, 0.5])
    >>> float(loss(np.array([[0, 1]]), np.array([[[9.0, -9.0], [-9.0, 9.0]]]))) < 1e-3
    True
    """

    def __init__(
        self,
        losses: Sequence[keras.losses.Loss],
        weights: Sequence[float] | None = None,
        name: str = "weighted_sum",
    ) -> None:
        super().__init__(name=name)
        weights = [1.0] * len(losses) if weights is None else list(weights)
        if not losses:
            raise refused("losses", losses, "at least one Keras loss")
        if len(losses) != len(weights):
            raise refused("weights", weights, f"a finite weight for each of {len(losses)} losses")
        self.losses, self.weights = [], []
        for loss, weight in zip(losses, weights, strict=True):
            if not isinstance(loss, keras.losses.Loss):
                raise refused("losses", losses, "Keras losses", error=TypeError)
            weight = float(number("weights", weight))
            parts = (
                (loss.losses, loss.weights) if isinstance(loss, WeightedSum) else ([loss], [1.0])
            )
            self.losses += parts[0]
            self.weights += [weight * w for w in parts[1]]

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        terms = zip(self.weights, self.losses, strict=True)
        return sum(w * loss(y_true, y_pred, sample_weight) for w, loss in terms)

    def get_config(self) -> dict[str, Any]:
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"name": self.name, "losses": losses, "weights": list(self.weights)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WeightedSum:
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(losses, config["weights"], config["name"])

    def __repr__(self) -> str:
        terms = zip(self.weights, self.losses, strict=True)
        return line(self, " + ".join(f"{w:g} * {type(x).__name__}" for w, x in terms))

    def _repr_html_(self) -> str:
        rows = [(f"{w:g}", repr(x)) for w, x in zip(self.weights, self.losses, strict=True)]
        return card(type(self).__name__, headings=["weight", "loss"], rows=rows)


def _to_float(x):
    return ops.convert_to_tensor(x, dtype="float32")

"""The loss that settings ask for: a sum of kseg's, by name."""

import inspect

from kseg.base.arguments import refused
from kseg.training.named import nearest, options_for, terms

DEFAULT = "cross_entropy + dice"
SUFFIX = "Loss"
BALANCED = "CrossEntropyLoss"  # takes the weights of classes that `balance` makes


def classes():
    """kseg's losses by name: `"cross_entropy"` -> `CrossEntropyLoss`."""
    from kseg import losses

    found = {}
    for name, each in vars(losses).items():
        if name.endswith(SUFFIX):
            found[_snake(name.removesuffix(SUFFIX))] = each
    return found


def _snake(name):
    """`FocalTversky` -> `focal_tversky`; `L1` -> `l1`."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def parts_of(text):
    """`(factor, class, options)` of each loss in a sum.

    Raises:
        ValueError: one is none, or an option is none of its.
    """
    known, parts = classes(), []
    for factor, name, options in terms("loss", text):
        if name not in known:
            raise refused("loss", name, "one of kseg's losses", nearest(name, known))
        taken = options_for("loss", known[name], options, name)
        parts.append((factor, known[name], taken))
    return parts


def loss(settings, void, class_weight, **more):
    """The loss that settings ask for.

    Args:
        settings: `Settings`.
        void: Label id that is not learned.
        class_weight: Of the cross-entropy: as of `kseg.losses`.
        more: Options of all losses that take them.
    """
    total = None
    for factor, kind, options in parts_of(settings.loss or DEFAULT):
        taken = inspect.signature(kind).parameters
        filled = {name: value for name, value in more.items() if name in taken}
        filled["ignore_class"] = void
        if kind.__name__ == BALANCED:
            filled["class_weight"] = class_weight
        one = kind(**{**filled, **options})
        one = one if factor == 1 else factor * one
        total = one if total is None else total + one
    return total

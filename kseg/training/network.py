"""The network that settings ask for: its name is its builder's."""

import contextlib
import inspect

from kseg.base.arguments import choice, refused
from kseg.models.contract import ARGUMENTS, SEMANTIC, task_of
from kseg.training.named import nearest

LOWER = ("mixed_float16", "mixed_bfloat16")

UNET = {"width": 32}  # half the paper's, of a network that is not asked for: a quarter of its time
# What settings may call a network, `kseg.build_...`, and what it learns
BUILDERS = {
    **dict.fromkeys(
        ("unet", "fcn8s", "fcn16s", "fcn32s", "fcn", "deeplabv3", "deeplabv3plus"), "semantic"
    ),
    "mask_rcnn": "instance",
}
FIRST = {"instance": "mask_rcnn"}  # what is built of a task where settings name none; else a U-Net
GIVEN = "python"  # what a run calls a network that was handed over
OF_SOURCE = ("num_classes", "value_range")  # what the data say
FILLED = (*OF_SOURCE, "compile")


def taken(model):
    """Names of the arguments of a network's builder that settings may have."""
    from kseg import models

    parameters = inspect.signature(getattr(models, f"build_{model}")).parameters
    return [name for name in parameters if name not in FILLED]


def named_for(model):
    """Name of a network that was built because settings name none."""
    return FIRST.get(task_of(model), "unet")


def learned_by(settings):
    """The task of the network that settings ask for."""
    several = next((task for task, name in ARGUMENTS.items() if settings.network.get(name)), None)
    return several or BUILDERS.get(settings.model or "unet", SEMANTIC)


def check(settings):
    """Raises `ValueError` if settings ask for a network that there is none of."""
    if settings.model == GIVEN:
        expected = "the name of a network"
        remedy = "That run's was handed to kseg.fit in Python: give it again, or name one."
        raise refused("model", GIVEN, expected, remedy)
    name = choice("model", settings.model or "unet", tuple(BUILDERS))
    for key, value in settings.network.items():
        check_goes_with(name, key, value)
        if key not in (names := taken(name)):
            raise refused("network", key, f"an argument of build_{name}", nearest(key, names))


def check_goes_with(model, argument, value):
    """Raises `ValueError` if an argument is of other networks' builders than this one's."""
    if argument in taken(model):
        return
    owner = next((each for each in BUILDERS if argument in taken(each)), None)
    if owner:
        expected = f"None, for it goes with model={owner!r} and this is {model}"
        raise refused(argument, value, expected, "Leave it out.")


def build(settings, source):
    """The network that settings ask for; what they leave open is the builder's default.

    Its classes, channels and range of numbers are those of the source.
    """
    from kseg import models

    check(settings)
    task = task_of(source)
    name, asked = settings.model or FIRST.get(task, "unet"), dict(settings.network)
    if name == "unet" and asked.get("encoder") is None:
        asked = {**UNET, **asked}
    if task in ARGUMENTS and ARGUMENTS[task] in taken(name):
        asked.setdefault(ARGUMENTS[task], True)
    asked.setdefault("input_shape", (None, None, source.channels or 3))
    if source.value_range is not None:
        asked["value_range"] = source.value_range
    with policy(settings.precision):
        return getattr(models, f"build_{name}")(source.num_classes, **asked)


@contextlib.contextmanager
def policy(name):
    """Within it Keras builds layers of a dtype policy; None for the one that is set."""
    import keras

    before = keras.config.dtype_policy()
    try:
        if name is not None:
            keras.config.set_dtype_policy(name)
        yield
    finally:
        keras.config.set_dtype_policy(before)


def policy_of(model):
    """Name of the policy in which a network computes: the lowest precision of its layers."""
    from kseg.models.precision import policies_of  # loads Keras

    policies = policies_of(model)
    return next((name for name in LOWER if name in policies), "float32")

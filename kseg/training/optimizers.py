"""The optimizer of a run, and its learning rate step by step: Keras' own, by name."""

import inspect

import numpy as np

from kseg.base.arguments import refused
from kseg.training.named import nearest

RATES = {"adamw": 2e-3, "adam": 2e-3, "sgd": 2e-2, "lion": 2e-4, "muon": 2e-3}
# What `Settings` says of them, or what is made of it
OF_SETTINGS = (
    "learning_rate",
    "weight_decay",
    "use_ema",
    "ema_momentum",
    "global_clipnorm",
    "gradient_accumulation_steps",
    "name",
    "kwargs",
)
LOOKED_AT = 64  # steps of a schedule


def classes():
    """Keras' optimizers by name, in small letters."""
    import keras

    from kseg.models.optimizer import AdamW

    found = {}
    for name, each in vars(keras.optimizers).items():
        is_one = isinstance(each, type) and issubclass(each, keras.optimizers.Optimizer)
        if is_one and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer"):
            found[name.lower()] = each
    return {**found, "adamw": AdamW}  # in one pass on PyTorch


def class_of(name):
    """The class of an optimizer.

    Raises:
        ValueError: Keras has none of that name.
    """
    known = classes()
    if name.lower() not in known:
        raise refused("optimizer", name, "one of Keras' optimizers", nearest(name, known))
    return known[name.lower()]


def options_of(name):
    """Names of the further arguments of an optimizer, which settings may have."""
    parameters = inspect.signature(class_of(name).__init__).parameters
    return [each for each in parameters if each not in ("self", *OF_SETTINGS)]


def check(settings):
    """Raises `ValueError` unless there is such an optimizer with these options."""
    taken = options_of(settings.optimizer)
    for name in settings.optimizer_options:
        if name not in taken:
            expected = f"an option of {class_of(settings.optimizer).__name__}"
            raise refused("optimizer_options", name, expected, nearest(name, taken))
    if settings.rates:
        from kseg.models.rates import RATED

        if settings.optimizer.lower() not in RATED:
            name = class_of(settings.optimizer).__name__
            expected = f"None for {name}, whose step is not proportional to the rate"
            raise refused(
                "rates", dict(settings.rates), expected, f"Choose one of {', '.join(RATED)}."
            )


def check_rates(settings, model):
    """Raises `ValueError` if rates are given of a part that the network has not."""
    if not settings.rates:
        return
    from kseg.models.parts import ENCODER, parts_of

    learn = {
        part: any(each.trainable for each in weights) or part == ENCODER and settings.freeze_epochs
        for part, weights in parts_of(model).items()
    }
    for name in settings.rates:
        if not learn[name]:
            known = ", ".join(part for part in learn if learn[part])
            expected = f"a part of this network that learns: {known}"
            raise refused("rates", name, expected, "Leave it out.")


def multipliers(settings, model):
    """What multiplies the rate of each weight that is trained, in their order."""
    from kseg.models.parts import parts_of

    factor = {
        id(each): settings.rates.get(part, 1.0)
        for part, weights in parts_of(model).items()
        for each in weights
    }
    return [factor[id(each)] for each in model.trainable_variables]


def rate_of(settings):
    """The peak of the learning rate."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    name = settings.optimizer.lower()
    default = inspect.signature(class_of(name).__init__).parameters["learning_rate"].default
    return RATES.get(name, default)


def optimizer(settings, steps, model, clipnorm=None):
    """The optimizer that settings ask for.

    Args:
        settings: `Settings`.
        steps: Of the whole run.
        model: What it is to train, whose norms and biases its decay leaves.
        clipnorm: Norm to which the gradient of all weights together is held where the settings
            leave it open; None for any.
    """
    from kseg.models.defaults import NAME

    options = dict(settings.optimizer_options)
    if settings.optimizer.lower() == "muon":  # most weights of a network of convolutions are Adam's
        options.setdefault("adam_weight_decay", settings.weight_decay)
    if settings.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": settings.ema_momentum}
    kind = class_of(settings.optimizer)
    if settings.rates:
        from kseg.models.rates import RATED

        kind = RATED[settings.optimizer.lower()]
        options["multipliers"] = multipliers(settings, model)
    made = kind(
        schedule(settings, steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.global_clipnorm or clipnorm,
        gradient_accumulation_steps=accumulated(settings),
        name=NAME,
        **options,
    )
    if not settings.decay_norms:
        made.exclude_from_weight_decay(var_list=norms_and_biases(model))
    return made


def accumulated(settings):
    """Steps whose gradients are averaged, as Keras takes it: None for one."""
    steps = settings.gradient_accumulation_steps
    return None if steps in (None, 1) else steps


def norms_and_biases(model):
    """The weights that decay would only hold back: biases, scales and offsets, vectors all."""
    return [each for each in model.variables if len(each.shape) < 2]


def schedule(settings, steps):
    """The learning rate of a run of so many steps."""
    import keras

    from kseg.models.schedules import WarmUp

    steps = max(1, steps // (accumulated(settings) or 1))  # as the optimizer counts them
    warmup, rate = int(settings.warmup * steps), rate_of(settings)
    rest = max(1, steps - warmup)
    schedules = keras.optimizers.schedules
    if settings.schedule == "cosine":
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=rest,
            alpha=settings.end,
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    after = rate
    if settings.schedule == "polynomial":
        after = schedules.PolynomialDecay(rate, rest, settings.end * rate, settings.power)
    elif not warmup:  # a number is all that Keras wants, but it would not be a schedule in a file
        after = schedules.PiecewiseConstantDecay([steps], [rate, rate])
    return WarmUp(warmup, after) if warmup else after


def rests_at_zero(model, first, last):
    """Whether a model's optimizer would take steps `first` to `last` at rate 0."""
    import keras

    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    rate = getattr(optimizer, "_learning_rate", None)
    if first >= last or not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return False
    steps = np.unique(np.linspace(first, last - 1, LOOKED_AT).astype(int))
    steps = steps // (optimizer.gradient_accumulation_steps or 1)
    return not any(float(rate(step)) for step in steps.tolist())

"""How to train: the settings of a run, each of a group."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kseg.base.arguments import (
    choice,
    integer,
    name_list,
    number,
    refused,
    share,
    size,
    tuples,
)

GROUPS = ("model", "data", "augmentation", "loss", "optimizer", "schedule", "precision", "run")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCHEDULES = ("cosine", "polynomial", "constant")
MODES = ("max", "min")
PARTS = ("encoder", "decoder", "head")  # of a network, as `kseg.models.parts` has them


def of(group: str, default: Any = None, key: str | None = None, rest: bool = False) -> Any:
    """A field of a group.

    Args:
        group: One of `GROUPS`.
        default: The default; a dict is made anew for each.
        key: Its name within the group, where that is another.
        rest: Whether it is a dict of whatever else is in the group.
    """
    metadata = {"group": group, "key": key, "rest": rest}
    if rest:
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train. A file of settings, and `--set`, name each within its group.

    Args:
        model: Network to build where none is given: `"unet"`, `"mask_rcnn"`, ..., what
            `kseg.build_...` is called after. In a file `[model] name`.
        network: Arguments of its builder, as `{"encoder": "efficientnet_lite0"}`. In a file they
            stand in `[model]` by their own names.
        freeze_epochs: Epochs in which the encoder stays as it is, its batch norms too, before it
            learns with the rest. `[model]`.
        start: What the weights come from: a run folder, a `.keras` file, or a checkpoint of
            torchvision's FCN, DeepLab v3 or Mask R-CNN, as a path. What fits is taken, of the head
            the classes of the same name; what not is said. Where `model` names no network it is
            that one, with a head for the classes of the data. None to start anew. `[model]`.
        size: `(height, width)` of the random crops in pixels; None for what `kseg.check` suggests
            by the sizes of the photos, or for the one size of a model that has but one. `[data]`.
        batch_size: Crops a step. `[data]`.
        folds: Into how many the samples are divided, for a run of each that learns from all others;
            None for one run. `[data]`.
        group: With folds, what stays together: `"folder"`, the folder of the photo; a pattern with
            one group in parentheses that is found in the sample's name; or a `.csv` file with a
            line of headings, `image,group`. None for each sample by itself. `[data]`.
        scale: Range of the random scale, log-uniform. `[augmentation]`.
        jitter: Strength of brightness, contrast and saturation changes, 0..1. `[augmentation]`.
        transforms: Names of transforms of `kseg.data.transforms` with their options, as
            `"random_affine(degrees=10)"`, in place of scale jitter and crop, flip and colour
            jitter; `size` and `void` are filled in. `[augmentation]`.
        loss: Sum of losses by name, as `"cross_entropy + 0.5 * lovasz"` or
            `"tversky(alpha=0.3, beta=0.7)"`; None for `"cross_entropy + dice"`. In a file
            `[loss] name`.
        balance: Strength of the class weights `frequency ** -balance` (mean 1 over pixels of the
            training set) of the cross-entropy; 0 weighs all pixels alike. `[loss]`.
        optimizer: One of Keras' by name: `"adamw"`, `"sgd"`, `"lion"`, `"muon"`, ... In a file
            `[optimizer] name`.
        learning_rate: Peak of the schedule; None for 2e-3 of AdamW, 2e-2 of SGD, 2e-4 of Lion, and
            Keras' default of the others. `[optimizer]`.
        rates: What multiplies the learning rate of a part of the network, `"encoder"`, `"decoder"`
            or `"head"`, as `{"encoder": 0.1}`; 1 for a part that is not named. `[optimizer]`.
        weight_decay: Decoupled. `[optimizer]`.
        decay_norms: Whether it also reaches biases, and scales and offsets of norms. `[optimizer]`.
        ema_momentum: Momentum of a moving average of the weights, as 0.999: it is what is
            validated, kept as the best and returned. None for no average. `[optimizer]`.
        global_clipnorm: Norm to which the gradient of all weights together is held; None for any,
            or for a Mask R-CNN 10. `[optimizer]`.
        gradient_accumulation_steps: Steps whose gradients are averaged before the weights move;
            None for one. `[optimizer]`.
        optimizer_options: Further arguments of the optimizer's class, as `{"momentum": 0.9}`. In a
            file they stand in `[optimizer]` by their own names.
        schedule: `"cosine"` or `"polynomial"` decay, or `"constant"`, each after a linear warm-up.
            In a file `[schedule] name`.
        epochs: Passes over the training set. `[schedule]`.
        warmup: Share of all steps spent warming up. `[schedule]`.
        end: Share of the peak at which a decay ends. `[schedule]`.
        power: Of the polynomial. `[schedule]`.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"` for the network to build;
            None for what the model has, or Keras is set to. In a file `[precision] policy`.
        seed: Of shuffling and augmentation; and of the weights where the settings build the
            network. Else seed them with `keras.utils.set_random_seed` before. `[run]`.
        monitor: Column of the history by which the best model is kept and training stops early, as
            `"val_mean_dice"`; None for the task's own score. `[run]`.
        mode: Whether more of it is better, `"max"`, or less, `"min"`; None to tell by its name.
            `[run]`.
        patience: Validations without a better `monitor` after which training stops; None to go
            through all epochs. `[run]`.
        checkpoint_steps: Steps between checkpoints within an epoch; there is one at its end too.
            `[run]`.
        validate_epochs: Epochs between validations; the last epoch is always validated. `[run]`.
        jit_compile: Whether the step is compiled by XLA or its like; None for Keras' own choice.
            `[run]`.
        steps_per_execution: Steps in one call of the compiled function. `[run]`.
        remat: Whether a step computes feature maps again for the gradient instead of keeping them
            all: less memory, for about a forward pass more; numbers change by rounding alone.
            `[run]`.
        tensorboard: Whether scalars go to `RUN/tensorboard` too. `[run]`.
        devices: Devices of this machine that share each step, as 4, or `"all"`; None for one, or
            for those of the processes that `torchrun`, or Keras' own variables, say: see
            docs/many-devices.md. `[run]`.

    Raises:
        ValueError: a setting is out of its range.

    Example:

    >>> settings = kseg.Settings(size=(224, 320), epochs=10, optimizer="sgd", loss="dice")
    >>> settings.batch_size
    8
    """

    model: str | None = of("model", key="name")
    network: Mapping[str, Any] = of("model", rest=True)
    freeze_epochs: int = of("model", 0)
    start: str | None = of("model")
    size: tuple[int, int] | None = of("data")
    batch_size: int = of("data", 8)
    folds: int | None = of("data")
    group: str | None = of("data")
    scale: tuple[float, float] = of("augmentation", (0.5, 2.0))
    jitter: float = of("augmentation", 0.2)
    transforms: Sequence[str] | None = of("augmentation")
    loss: str | None = of("loss", key="name")
    balance: float = of("loss", 0.5)
    optimizer: str = of("optimizer", "adamw", key="name")
    learning_rate: float | None = of("optimizer")
    rates: Mapping[str, float] | None = of("optimizer")
    weight_decay: float = of("optimizer", 1e-4)
    decay_norms: bool = of("optimizer", False)
    ema_momentum: float | None = of("optimizer")
    global_clipnorm: float | None = of("optimizer")
    gradient_accumulation_steps: int | None = of("optimizer")
    optimizer_options: Mapping[str, Any] = of("optimizer", rest=True)
    schedule: str = of("schedule", "cosine", key="name")
    epochs: int = of("schedule", 30)
    warmup: float = of("schedule", 0.05)
    end: float = of("schedule", 0.0)
    power: float = of("schedule", 0.9)
    precision: str | None = of("precision", key="policy")
    seed: int = of("run", 0)
    monitor: str | None = of("run")
    mode: str | None = of("run")
    patience: int | None = of("run")
    checkpoint_steps: int = of("run", 100)
    validate_epochs: int = of("run", 1)
    jit_compile: bool | None = of("run")
    steps_per_execution: int = of("run", 1)
    remat: bool = of("run", False)
    tensorboard: bool = of("run", False)
    devices: int | str | None = of("run")

    def __post_init__(self):
        for name in ("size", "scale", "transforms"):  # JSON has lists
            object.__setattr__(self, name, tuples(getattr(self, name)))
        for name in ("network", "optimizer_options"):
            _check_arguments(name, getattr(self, name))
        if self.size is not None:
            size("size", self.size)
        if self.transforms is not None:
            name_list("transforms", self.transforms)
        _check_scale(self.scale)
        _check_numbers(self)
        for name, choices in (
            ("schedule", SCHEDULES),
            ("precision", (None, *PRECISIONS)),
            ("mode", (None, *MODES)),
            ("jit_compile", (None, False, True)),
            ("decay_norms", (False, True)),
            ("remat", (False, True)),
            ("tensorboard", (False, True)),
        ):
            choice(name, getattr(self, name), choices)
        _check_devices(self.devices)
        for name in ("start", "group"):
            if isinstance(getattr(self, name), os.PathLike):
                object.__setattr__(self, name, str(getattr(self, name)))
        if self.group is not None and self.folds is None:
            raise refused("group", self.group, "None without folds", "Give folds=5, say.")
        for name in ("model", "start", "group", "loss", "optimizer", "monitor"):
            value = getattr(self, name)
            if not isinstance(value, str) and (name == "optimizer" or value is not None):
                raise refused(name, value, "a name")


def _check_numbers(settings):
    """Raises `ValueError` for a number out of its range."""

    def optional(name):
        return getattr(settings, name) is not None

    counts = ["batch_size", "epochs", "checkpoint_steps", "validate_epochs", "steps_per_execution"]
    counts += filter(optional, ("patience", "gradient_accumulation_steps"))
    for name in counts:
        integer(name, getattr(settings, name))
    if optional("folds"):
        integer("folds", settings.folds, low=2)
    if optional("rates"):
        _check_rates(settings.rates)
    integer("freeze_epochs", settings.freeze_epochs, low=0)
    for name in ("warmup", "jitter", "balance", "end"):
        share(name, getattr(settings, name))
    number("weight_decay", settings.weight_decay, at_least=0)
    if optional("ema_momentum"):
        number("ema_momentum", settings.ema_momentum, above=0, below=1)
    for name in filter(optional, ("learning_rate", "global_clipnorm", "power")):
        number(name, getattr(settings, name), above=0)


def _check_devices(devices):
    """Raises `ValueError` unless it is a number of them, or all."""
    if devices is None or devices == "all":
        return
    if isinstance(devices, str):
        raise refused("devices", devices, "a number of them, or 'all'")
    integer("devices", devices)


def _check_rates(rates):
    """Raises `ValueError` unless it is a factor above 0 of each of some parts."""
    _check_arguments("rates", rates)
    for name, factor in rates.items():
        if name not in PARTS:
            raise refused("rates", name, f"a part of the network: {', '.join(PARTS)}")
        remedy = "To leave the encoder as it is, give freeze=True, or freeze_epochs."
        if not isinstance(factor, (int, float)) or isinstance(factor, bool) or not 0 < factor < 1e6:
            raise refused(f"rates[{name!r}]", factor, "a factor > 0", remedy)


def _check_arguments(name, value):
    """Raises `TypeError` unless it is a dict of arguments by name."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refused(name, value, "a dict of arguments by name", error=TypeError)


def _check_scale(scale):
    """Raises `ValueError` unless it is a range of factors above 0."""
    try:
        low, high = scale
        low, high = number("scale", low, above=0), number("scale", high, at_least=low)
    except (TypeError, ValueError):
        raise refused("scale", scale, "(low, high) with 0 < low <= high") from None


# What may be another when a run is resumed (the other is the data); all else is of the run from its
# first step on.
OF_A_START = (
    "epochs",
    "patience",
    "checkpoint_steps",
    "validate_epochs",
    "remat",
    "tensorboard",
    "devices",
)
# What says how kseg compiles a model, and is nothing to one that keeps its own compilation.
OF_COMPILE = (
    "loss",
    "balance",
    "optimizer",
    "learning_rate",
    "rates",
    "weight_decay",
    "decay_norms",
    "ema_momentum",
    "global_clipnorm",
    "gradient_accumulation_steps",
    "optimizer_options",
    "schedule",
    "warmup",
    "end",
    "power",
    "jit_compile",
    "steps_per_execution",
)
OF_LABELS = ("loss", "balance")  # is nothing to a model of objects, which has losses of its own
OF_AUGMENT = ("scale", "jitter", "transforms")  # is nothing beside transforms of a user's own
OF_NETWORK = ("model", "network", "precision")  # is nothing to a model that is there already


def check_unused(settings, names, where, remedy=""):
    """Raises `ValueError` if a setting is given that would mean nothing.

    Args:
        settings: `Settings`.
        names: Of those that mean nothing.
        where: For what, in words.
        remedy: What to do but to leave it out.
    """
    plain = Settings()
    for name in names:
        given, default = getattr(settings, name), getattr(plain, name)
        if given != default:
            expected = f"{default!r}, the default, {where}"
            raise refused(name, given, expected, f"Leave it out{remedy}.")


def texts():
    """What the docstring says of each setting: name -> text."""
    listed = inspect.cleandoc(Settings.__doc__).partition("Args:\n")[2].partition("\n\n")[0]
    found = re.split(r"^ {4}(\w+): ", listed, flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, text in zip(found[::2], found[1::2])}


def to_dict(settings):
    """The settings as `run.json` holds them."""
    return dataclasses.asdict(settings)


def from_dict(values):
    """The settings that `run.json` holds; names of a later kseg are left out."""
    known = {field.name for field in dataclasses.fields(Settings)}
    return Settings(**{name: value for name, value in values.items() if name in known})

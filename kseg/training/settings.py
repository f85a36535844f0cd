"""How to train: the settings of a run."""

import dataclasses

from kseg.base.arguments import integer, number, refused, share, size, tuples


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        size: `(height, width)` of the random crops in pixels.
        scale: Range of the random scale, log-uniform.
        jitter: Strength of brightness, contrast and saturation changes, 0..1.
        batch_size: Crops a step.
        epochs: Passes over the training set.
        learning_rate: Peak of the schedule: linear warm-up, then cosine decay to zero.
        warmup: Share of all steps spent warming up.
        weight_decay: Of AdamW, decoupled.
        balance: Strength of the class weights `frequency ** -balance` (mean 1 over pixels of the
            training set) of the cross-entropy; 0 weighs all pixels alike.
        dice: Weight of the Dice loss beside the cross-entropy's 1.
        seed: Of shuffling, augmentation and nothing else; seed the weights with
            `keras.utils.set_random_seed` before building the model.
        checkpoint_steps: Steps between checkpoints within an epoch; there is one at its end too.
        validate_epochs: Epochs between validations; the last epoch is always validated.
    """

    size: tuple[int, int] = (256, 256)
    scale: tuple[float, float] = (0.5, 2.0)
    jitter: float = 0.2
    batch_size: int = 8
    epochs: int = 30
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 1e-4
    balance: float = 0.5
    dice: float = 1.0
    seed: int = 0
    checkpoint_steps: int = 100
    validate_epochs: int = 1

    def __post_init__(self):
        object.__setattr__(self, "size", size("size", self.size, remedy="As in (256, 256)."))
        _check_scale(self.scale)
        for name in ("batch_size", "epochs", "checkpoint_steps", "validate_epochs"):
            integer(name, getattr(self, name))
        for name in ("warmup", "jitter", "balance"):
            share(name, getattr(self, name))
        for name in ("dice", "weight_decay"):
            number(name, getattr(self, name), at_least=0)
        number("learning_rate", self.learning_rate, above=0)


def _check_scale(scale):
    """Raises `ValueError` unless it is a range of factors above 0."""
    try:
        low, high = scale
        low, high = number("scale", low, above=0), number("scale", high, at_least=low)
    except (TypeError, ValueError):
        raise refused("scale", scale, "(low, high) with 0 < low <= high", "As (0.5, 2).") from None


def to_dict(settings):
    """The settings as `run.json` holds them."""
    return dataclasses.asdict(settings)


def from_dict(values):
    """The settings that `run.json` holds; names of a later kseg are left out."""
    known = {field.name for field in dataclasses.fields(Settings)}
    return Settings(**{name: tuples(value) for name, value in values.items() if name in known})

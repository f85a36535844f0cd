"""TODO"""

import dataclasses


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
        for name, low, high in (
            ("batch_size", 1, None),
            ("epochs", 1, None),
            ("checkpoint_steps", 1, None),
            ("validate_epochs", 1, None),
            ("warmup", 0, 1),
            ("jitter", 0, 1),
            ("balance", 0, 1),
            ("dice", 0, None),
            ("weight_decay", 0, None),
        ):
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                limits = f"at least {low}" if high is None else f"{low}..{high}"
                raise ValueError(f"{name}={value!r}: expected {limits}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate!r}: expected a number above 0.")


def to_dict(settings):
    return dataclasses.asdict(settings)


def from_dict(values):
    known = {field.name for field in dataclasses.fields(Settings)}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    return Settings(**values)

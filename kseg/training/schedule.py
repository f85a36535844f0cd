"""The optimizer of a run, and its learning rate step by step."""

import keras

from kseg.models.defaults import NAME


def optimizer(settings, steps, clipnorm=None):
    """AdamW with a linear warm-up, then cosine decay to zero.

    Args:
        settings: `Settings`.
        steps: Of the whole run.
        clipnorm: Norm to which the gradient of all weights together is held; None for any.
    """
    return keras.optimizers.AdamW(
        schedule(settings, steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=clipnorm,
        name=NAME,
    )


def schedule(settings, steps):
    """The learning rate of a run of so many steps."""
    warmup = int(settings.warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )

"""The optimizer of a run, and its learning rate step by step."""

import keras


def optimizer(settings, steps, clipnorm=None):
    """AdamW with a linear warm-up, then cosine decay to zero.

    Args:
        settings: `Settings`.
        steps: Of the whole run.
        clipnorm: Norm to which the gradient of all weights together is held; None for any.
    """
    warmup = int(settings.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    return keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, global_clipnorm=clipnorm
    )

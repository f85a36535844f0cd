"""TODO"""

import keras

from kseg.losses import CrossEntropyLoss, DiceLoss
from kseg.metrics import MeanIoU


def augmentation(settings, void):
    """The transforms of training, by the settings."""
    from kseg.data import transforms

    j = settings.jitter
    return [
        transforms.random_scale_crop(tuple(settings.size), tuple(settings.scale), void),
        transforms.random_flip(),
        transforms.color_jitter(j, j, j),
    ]


def compile_model(model, settings, steps, class_weight, source):
    """AdamW with warm-up and cosine decay; weighted cross-entropy + Dice; mean IoU."""
    warmup = int(settings.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    channels = model.outputs[0].shape[-1]
    cross_entropy = CrossEntropyLoss(ignore_class=source.void, class_weight=class_weight)
    loss = cross_entropy
    if settings.dice:
        loss = cross_entropy + settings.dice * DiceLoss(ignore_class=source.void)
    metric = MeanIoU(
        channels,
        ignore_class=source.void,
        class_names=source.class_names,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric])

"""What a run does to its photos before the network sees them."""

from kseg.data import transforms


def augmentation(settings, void):
    """Scale jitter and crop, flip and colour jitter, by the settings; of labels and objects alike.

    Args:
        settings: `Settings`.
        void: Label id of new area.
    """
    j = settings.jitter
    return [
        transforms.random_scale_crop(tuple(settings.size), tuple(settings.scale), void),
        transforms.random_flip(),
        transforms.color_jitter(j, j, j),
    ]

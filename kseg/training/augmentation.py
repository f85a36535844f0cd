"""What a run does to its photos before the network sees them."""

import inspect

from kseg.base.arguments import refused
from kseg.data import transforms
from kseg.training.named import call, nearest, options_for

# They end in the size asked
CROPS = ("random_scale_crop", "random_crop", "letterbox", "pad", "mosaic", "robust")
NO_NAMES = ("random_apply", "from_keras")  # of transforms, and of layers


def augmentation(settings, void):
    """The transforms that settings ask for; of labels and objects alike.

    Scale jitter and crop, flip and colour jitter, if they name none.

    Args:
        settings: `Settings`.
        void: Label id of new area.
    """
    if settings.transforms is not None:
        return [named(text, settings, void) for text in settings.transforms]
    j = settings.jitter
    return [
        transforms.random_scale_crop(tuple(settings.size), tuple(settings.scale), void),
        transforms.random_flip(),
        transforms.color_jitter(j, j, j),
    ]


def named(text, settings, void):
    """A transform by its name with options; size and void are filled in.

    Raises:
        ValueError: there is none of that name, or it has no such option.
    """
    name, options = call("transforms", text)
    factory = factory_of(name)
    own = inspect.signature(factory).parameters
    filled = {"size": tuple(settings.size), "void": void}
    given = options_for(
        "transforms", factory, {_place(key, own): value for key, value in options.items()}, name
    )
    return factory(**{**{key: filled[key] for key in filled if key in own}, **given})


def _place(key, parameters):
    """Options without a name count from the first that is not filled in."""
    if not isinstance(key, int):
        return key
    open_ones = [name for name in parameters if name not in ("size", "void")]
    return open_ones[key] if key < len(open_ones) else key


def factory_of(name):
    """What makes a transform of this name."""
    known = [each for each in transforms.__all__ if each not in NO_NAMES]
    if name not in known:
        raise refused(
            "transforms", name, "a transform of kseg.data.transforms", nearest(name, known)
        )
    return getattr(transforms, name)


def check(settings):
    """Raises `ValueError` unless every transform of the settings is one, and one of them crops."""
    if settings.transforms is None:
        return
    names = [call("transforms", text)[0] for text in settings.transforms]
    for name in names:
        factory_of(name)
    if not any(name in CROPS for name in names):
        expected = f"transforms that end in crops of one size: one of {', '.join(CROPS)}"
        raise refused("transforms", settings.transforms, expected, "Add 'random_scale_crop'.")

"""TODO"""

from kseg.base.colors import default_colors


def check_classes(model, source):
    """Raises `ValueError` if the model's channels are not the source's classes."""
    channels = model.outputs[0].shape[-1]
    if channels == source.num_classes or (channels == 1 and source.num_classes == 2):
        return
    raise ValueError(
        f"The model has {channels} classes but {source.name!r} has {source.num_classes} "
        f"({', '.join(source.class_names[:5])}{', ...' if source.num_classes > 5 else ''}). "
        f"Build the model with num_classes={source.num_classes}, or use the data it was trained on."
    )


def is_instance(model):
    """Whether a model finds objects; others label pixels."""
    return getattr(model, "task", "semantic") == "instance"


def names_and_colors(model):
    """Names and colours of a model's classes, where nobody has said any."""
    count = model.num_classes if is_instance(model) else max(2, model.outputs[0].shape[-1])
    return tuple(map(str, range(count))), default_colors(count)

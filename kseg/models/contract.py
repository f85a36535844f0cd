"""What a model is: its task, its classes and channels, the score to watch. Asked for here alone.

A model says it itself, by its attributes `task`, `num_classes`, `channels` and `score`, as an
export behind `kseg.load` does. One without is a functional network that labels pixels, of one logit
a class: semantic, one class a pixel, but where its last layer says another `task`, as
`kseg.models.layers.MultiLabel` does.

The rest of kseg asks no task. A room that does something for each, such as `kseg.prediction`, holds
one module a task, with the same functions, and takes the one that `part` finds:

    contract.part("kseg.prediction", model).predict(model, images, ...)

so that a new task is a new module in each of those rooms, and touches none of the others. What an
option is to which task, such a module says by its dict `OPTIONS` of names and defaults; `options`
refuses those of another task.
"""

import dataclasses
import importlib
import importlib.util
import os
import pkgutil

from kseg.base.arguments import refused
from kseg.base.colors import class_colors
from kseg.data.values import BYTE_RANGE

SEMANTIC = "semantic"  # what a model is that does not say
MULTILABEL = "multilabel"  # each pixel of several classes, or of none
ONE_CLASS = ("BoundaryLoss",)  # losses without `multilabel`
ARGUMENTS = {MULTILABEL: "multilabel"}  # of readers, for samples of a task; else `instances`


@dataclasses.dataclass(frozen=True)
class Contract:
    """What the rest of kseg may know of a model.

    Args:
        task: Name of the modules that serve it: `"semantic"`, `"multilabel"`, `"instance"`, ...
        num_classes: How many classes it tells apart; 2 of a binary model.
        channels: Of the images that it takes.
        value_range: `(low, high)` of their numbers; None for 0..255.
        score: Key of the number of `kseg.evaluate` by which the best model of a training is kept.
        outputs: Classes as its builder counts them: 1 of a binary model, else `num_classes`.
    """

    task: str
    num_classes: int
    channels: int
    score: str
    outputs: int
    value_range: tuple[float, float] | None = None


def contract(model):
    """The `Contract` of a model.

    Raises:
        TypeError: it is none.

    Example:

    >>> contract(kseg.build_unet(num_classes=21, width=4))
    Contract(task='semantic', num_classes=21, channels=3, score='mean_iou', outputs=21, ...)
    """
    if all(hasattr(model, name) for name in ("task", "num_classes", "channels", "score")):
        own = model.num_classes, model.channels, model.score, model.num_classes
        return Contract(model.task, *own, getattr(model, "value_range", None))
    if not (getattr(model, "inputs", None) and getattr(model, "outputs", None)):
        raise _no_model(model)
    task, outputs, channels = task_of(model), model.outputs[0].shape[-1], model.inputs[0].shape[-1]
    classes = outputs if task == MULTILABEL else max(2, outputs)
    return Contract(task, classes, channels, "mean_iou", outputs, value_range_of(model))


def value_range_of(model):
    """The `value_range` that a layer of a functional model says; None for 0..255.

    A model within another, as of `kseg.models.any_size`, says it too.
    """
    for layer in getattr(model, "layers", ()):
        found = getattr(layer, "value_range", None) if layer.name == "value_range" else None
        found = found or (value_range_of(layer) if hasattr(layer, "layers") else None)
        if found is not None:
            return tuple(found)
    return None


def end_of(model):
    """The last layer of a functional network, if it says the network's task; else None."""
    from kseg.models.graph import last_layer

    layer = last_layer(model)
    return layer if hasattr(layer, "task") else None


def scored_contract(model):
    """The `Contract` of what can be scored: of a model, or of an export, which has its own.

    Raises:
        TypeError: it is neither.
    """
    return getattr(model, "contract", None) or contract(model)


def _no_model(value):
    """The error for what is given in place of a model."""
    remedy = ""
    if isinstance(value, (str, os.PathLike)):
        remedy = "Open the run folder or the .keras file: kseg.load(path).model."
    elif hasattr(value, "predict_on_batch"):
        remedy = "A subclass does not say what goes in: wrap its layers in keras.Model(image, x)."
    elif hasattr(getattr(value, "model", None), "predict_on_batch"):
        remedy = "Give its .model."
    elif hasattr(value, "predict"):
        remedy = "It predicts by itself: call its .predict(images)."
    expected = "a Keras model from images to logits, as kseg.build_unet gives one"
    return refused("model", value, expected, remedy, error=TypeError)


def fixed_size(model):
    """Height and width of the only images that a model takes; None where a side may be any.

    Example:

    >>> fixed_size(kseg.build_unet(num_classes=2, input_shape=(64, None, 3), width=4))
    (64, None)
    """
    if hasattr(model, "task"):
        return tuple(getattr(model, "fixed_size", (None, None)))
    return tuple(model.inputs[0].shape[1:3])


def task_of(whose):
    """The task of a model, of a `Source`, or of whatever else says its task."""
    if isinstance(whose, str):
        return whose
    if not hasattr(whose, "task") and getattr(whose, "outputs", None):
        whose = end_of(whose)
    return getattr(whose, "task", SEMANTIC)


def labels_pixels(whose):
    """Whether what has a task labels pixels, with one class each or several."""
    return task_of(whose) in (SEMANTIC, MULTILABEL)


def has_several(whose):
    """Whether a pixel may have several classes."""
    return task_of(whose) == MULTILABEL


def part(room, whose):
    """The module of a room that serves a task.

    Args:
        room: Name of a package, such as `"kseg.prediction"`.
        whose: A model, a `Source`, or the name of a task.

    Raises:
        ValueError: the room has no such module.
    """
    task = task_of(whose)
    name = f"{room}.{task}"
    if not task.isidentifier() or importlib.util.find_spec(name) is None:
        known = ", ".join(repr(each) for each in tasks(room))
        raise refused("task", task, f"one that {room} knows: {known}")
    return importlib.import_module(name)


def tasks(room):
    """The tasks that a room has a module for: those that say `OPTIONS`."""
    package = importlib.import_module(room)
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in names if hasattr(importlib.import_module(f"{room}.{name}"), "OPTIONS")]


def options(room, model, given):
    """What the module of the model's task is called with: its options, as given or by default.

    Args:
        room: Name of the package.
        model: A model, or the name of a task.
        given: dict of all options of all tasks; None, or False of a switch, is not given.

    Returns:
        dict of the task's own options.

    Raises:
        ValueError: an option of another task is given.
    """
    own = part(room, model).OPTIONS
    chosen = {name: value for name, value in given.items() if not (value is None or value is False)}
    for name in chosen:
        if name not in own:
            owners = [task for task in tasks(room) if name in part(room, task).OPTIONS]
            raise ValueError(
                f"{name}={chosen[name]!r} is of {' and '.join(owners)} models, and this one is "
                f"{task_of(model)}: leave it out."
            )
    return {**own, **chosen}


def check_source(model, source):
    """Raises `ValueError` if a source is not of the model's task, or has other classes."""
    own = scored_contract(model)
    if source.task != own.task:
        raise ValueError(
            f"source={source.name!r} is of task {source.task!r}, and the model {model.name!r} of "
            f"{own.task!r}: open the source with {_opened(own.task, source.task)}."
        )
    if source.num_classes not in (own.num_classes, own.outputs):  # one class is binary too
        names = ", ".join(source.class_names[:5]) + (", ..." if source.num_classes > 5 else "")
        raise ValueError(
            f"The model has {own.num_classes} classes but {source.name!r} has "
            f"{source.num_classes} ({names}). Build the model with "
            f"num_classes={source.num_classes}, or use the data it was trained on."
        )
    check_numbers(own, source)


def check_numbers(own, source):
    """Raises `ValueError` if a source's images have other numbers, or bands, than a model takes.

    Args:
        own: The model's `Contract`.
        source: A `Source`, or what stands for one and says nothing of its images.
    """
    given = getattr(source, "value_range", own.value_range)
    if given != own.value_range:
        shown, taken = (each or BYTE_RANGE for each in (given, own.value_range))
        expected = f"{taken}, which the model takes"
        remedy = f"Build the model with value_range={shown}, or say value_range={taken} of the data"
        raise refused(f"value_range of {source.name!r}", shown, expected, f"{remedy}, if it is so.")
    channels = getattr(source, "channels", None)
    if channels not in (None, 1, own.channels) and (channels, own.channels) != (3, 1):
        expected = f"{own.channels}, which the model takes"
        remedy = (
            f"Build the model with input_shape=(None, None, {channels}), or give images of "
            f"{own.channels}; kseg's readers give RGB of JPEG and PNG and all bands of TIFF, so of "
            "another set write a kseg.data.Source whose decode does."
        )
        raise refused(f"bands of {source.name!r}", channels, expected, remedy)


def _opened(task, given):
    """The argument with which readers give samples of a task, in place of those of another."""
    if task == SEMANTIC:
        return f"{ARGUMENTS.get(given, 'instances')}=False"
    return f"{ARGUMENTS.get(task, 'instances')}=True"


def check_learned(model, name, multilabel):
    """Raises `ValueError` if a loss reads labels of another kind than the model's.

    Args:
        model: The model.
        name: Of the loss.
        multilabel: Whether it takes labels of which a pixel has several.
    """
    several = contract(model).task == MULTILABEL
    if multilabel != several:
        remedy = f"Compile with {name}(multilabel={several})."
        if several and name in ONE_CLASS:
            remedy = (
                "It is of one class a pixel: compile with another, as DiceLoss(multilabel=True)."
            )
        expected = f"{several}, for the model {model.name!r} is of task {contract(model).task!r}"
        raise refused(f"multilabel of {name}", multilabel, expected, remedy)


def names_and_colors(model):
    """Names and colours of a model's classes: its own, or ids where nobody has said any."""
    if hasattr(model, "contract"):  # of an export
        return model.class_names, model.colors
    count = contract(model).num_classes
    names = tuple(map(str, range(count)))
    return names, class_colors(names)

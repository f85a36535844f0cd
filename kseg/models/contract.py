"""What a model is: its task, its classes and channels, the score to watch. Asked for here alone.

A model says it itself, by its attributes `task`, `num_classes`, `channels` and `score`, as an
export behind `kseg.load` does; one that says nothing is a functional network that labels pixels, of
one logit a class.

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

SEMANTIC = "semantic"  # what a model is that does not say


@dataclasses.dataclass(frozen=True)
class Contract:
    """What the rest of kseg may know of a model.

    Args:
        task: Name of the modules that serve it: `"semantic"`, `"instance"`, ...
        num_classes: How many classes it tells apart; 2 of a binary model.
        channels: Of the images that it takes.
        score: Key of the number of `kseg.evaluate` by which the best model of a training is kept.
        outputs: Classes as its builder counts them: 1 of a binary model, else `num_classes`.
    """

    task: str
    num_classes: int
    channels: int
    score: str
    outputs: int


def contract(model):
    """The `Contract` of a model.

    Raises:
        TypeError: it is none.

    Example:

    >>> contract(kseg.build_unet(num_classes=21, width=4))
    Contract(task='semantic', num_classes=21, channels=3, score='mean_iou', outputs=21)
    """
    task = getattr(model, "task", SEMANTIC)
    says = all(hasattr(model, name) for name in ("num_classes", "channels", "score"))
    if task != SEMANTIC or says:
        return Contract(task, model.num_classes, model.channels, model.score, model.num_classes)
    if not (getattr(model, "inputs", None) and getattr(model, "outputs", None)):
        raise _no_model(model)
    outputs, channels = model.outputs[0].shape[-1], model.inputs[0].shape[-1]
    return Contract(SEMANTIC, max(2, outputs), channels, "mean_iou", outputs)


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
    if task_of(model) == SEMANTIC:
        return tuple(model.inputs[0].shape[1:3])
    return tuple(getattr(model, "fixed_size", (None, None)))


def task_of(whose):
    """The task of a model, of a `Source`, or of whatever else says its task."""
    return whose if isinstance(whose, str) else getattr(whose, "task", SEMANTIC)


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
    own = contract(model)
    if source.task != own.task:
        raise ValueError(
            f"source={source.name!r} is of task {source.task!r}, and the model {model.name!r} of "
            f"{own.task!r}: open the source with instances={own.task != SEMANTIC}."
        )
    if source.num_classes not in (own.num_classes, own.outputs):  # one class is binary too
        names = ", ".join(source.class_names[:5]) + (", ..." if source.num_classes > 5 else "")
        raise ValueError(
            f"The model has {own.num_classes} classes but {source.name!r} has "
            f"{source.num_classes} ({names}). Build the model with "
            f"num_classes={source.num_classes}, or use the data it was trained on."
        )


def names_and_colors(model):
    """Names and colours of a model's classes: its own, or ids where nobody has said any."""
    if getattr(model, "class_names", None):
        return model.class_names, model.colors
    count = contract(model).num_classes
    names = tuple(map(str, range(count)))
    return names, class_colors(names)

"""From what a training starts: the weights of another model, as far as they fit.

What a weight is called decides which of the other's it takes (`kseg.models.parts`); where both hold
numbers of classes, those of the classes of one name go over, wherever they stand in the list.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.words import say
from kseg.models.contract import contract
from kseg.models.parts import class_axes, head_of, named_weights, numbers_of
from kseg.models.saving import load_model
from kseg.runs.run import Run
from kseg.training import network
from kseg.training.checkpoints import is_checkpoint, opened_checkpoint

SHOWN = 6  # names in a line
EXPECTED = "a run folder, a .keras file, or a checkpoint of torchvision (.pth, .safetensors)"


@dataclasses.dataclass
class Start:
    """What a training starts from.

    Args:
        path: Where it was.
        model: Its model.
        class_names: Of its classes; None where nothing says them.
        run: The `Run` that it is of, or None.
        left: Names of what its file has and no model of kseg.
    """

    path: str
    model: Any
    class_names: tuple[str, ...] | None = None
    run: Run | None = None
    left: tuple[str, ...] = ()

    def files(self):
        """Paths of what it was read from."""
        return self.run.files() if self.run else [Path(self.path)]


def opened(path):
    """The `Start` at a path; None for None.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is damaged, or has no weights that could be had.
    """
    if path is None:
        return None
    place = arguments.path("start", path, EXPECTED)
    if (place / "run.json").is_file():
        run = Run.open(place)
        return Start(str(path), load_model(run.model_file(), False), run.class_names, run)
    if place.suffix == ".keras":
        run = Run.open(place.parent) if (place.parent / "run.json").is_file() else None
        names = run.class_names if run else None
        return Start(str(path), load_model(place, compile=False), names, run)
    if not place.exists():
        raise refused("start", str(path), EXPECTED, error=FileNotFoundError)
    if is_checkpoint(place):
        return Start(str(path), *opened_checkpoint(place))
    raise _without_weights(path, place)


def _without_weights(path, place):
    """The error for what holds no weights: an export, or something else altogether."""
    from kseg.deployment.formats.predictor import network_format
    from kseg.deployment.saved_model.predictor import saved_model_folder

    if (place / "folds.json").is_file():
        expected = "one run, and this is a folder of several"
        return refused("start", str(path), expected, f"Give one of them: {place / 'fold-1'}.")
    if place.is_dir() and saved_model_folder(place) or network_format(place):
        expected = f"{EXPECTED}; an export's weights are folded into the constants of its graph"
        return refused("start", str(path), expected, "Give the run or the .keras file of it.")
    return refused("start", str(path), EXPECTED)


def network_of(start, settings, source):
    """The network to train, where settings name none: that of the start, for the source's classes.

    Args:
        start: `Start`.
        settings: `Settings`.
        source: What is to be learned.

    Returns:
        `Settings` by which it is to be built, or those as they were; and the network, None where
        it is to be built by the settings.
    """
    asked = settings.model is not None or settings.network
    named = start.run.settings if start.run else {}
    if named.get("model") in network.BUILDERS and settings.model in (None, named["model"]):
        own = {key: value for key, value in named["network"].items() if key != "weights"}
        merged = dataclasses.replace(
            settings, model=named["model"], network={**own, **settings.network}
        )
        return merged, None
    if asked:
        return settings, None
    return settings, _for_classes(start, source)


def _for_classes(start, source):
    """The start's own network, its head for the classes of a source."""
    import keras

    model, own = start.model, contract(start.model)
    remedy = "Name the network that is to take what fits (model=), as 'unet'."
    for name, mine, its in (
        ("task", own.task, source.task),
        ("value_range", own.value_range, source.value_range),
        ("channels", own.channels, source.channels or own.channels),
    ):
        if mine != its:
            expected = f"a model of {name} {its!r}, as {source.name!r} is, and it is of {mine!r}"
            raise refused("start", start.path, expected, remedy)
    if hasattr(model, "class_axes"):  # a class that is made of its arguments
        config = {**model.get_config(), "num_classes": source.num_classes}
        return type(model).from_config(config)
    head = {id(layer) for layer in head_of(model) if hasattr(layer, "filters")}
    outputs = own.outputs if source.num_classes == own.num_classes else source.num_classes
    if not head and outputs != own.outputs:
        expected = "a network that ends in convolutions to its classes"
        raise refused("start", start.path, expected, remedy)

    def for_classes(layer):
        config = layer.get_config()
        if id(layer) in head:
            config["filters"] = outputs
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=for_classes, recursive=True)


def take(model, start, class_names):
    """Gives a model the start's weights as far as they fit, and says in two lines which.

    Args:
        model: The model, whose weights of before stay where none fits.
        start: `Start`.
        class_names: Of the model's classes.

    Returns:
        What was taken and what not, as JSON has it.

    Raises:
        ValueError: nothing fits.
    """
    names = _names_of_rows(contract(model), class_names)
    pairs = _pairs(start, contract(model), names)
    own, theirs = (_by_layer(each) for each in (model, start.model))
    axes = class_axes(model) | class_axes(start.model)
    taken, anew, mapped, count = [], [], False, 0
    for layer, weights in own.items():
        values = _fitting(weights, theirs.get(layer, {}), axes, pairs)
        if values is None:
            anew.append(layer)
            continue
        taken.append(layer)
        for name, weight in weights.items():
            weight.assign(values[name])
            share, is_mapped = 1.0, id(weight) in axes
            if is_mapped:
                mapped, share = True, _share(weight, axes[id(weight)], len(pairs))
            count += round(share * numbers_of([weight]))
    if not taken:
        expected = f"layers that fit the model {model.name!r}, and none is called and shaped alike"
        raise refused("start", start.path, expected, f"It has {_few(list(theirs))}.")
    if hasattr(model, "paste") and mapped and start.model.paste != model.paste:
        model.paste = start.model.paste  # as its masks were learned
        say(f"masks are cut and pasted as those of {start.path!r} were: paste={model.paste!r}")
    said = {
        "from": start.path,
        "layers": len(taken),
        "of": len(own),
        "numbers": count,
        "classes": [names[row] for row in sorted(pairs)] if mapped else [],
        "anew": _shortened(anew),
        "not_taken": [*_shortened(each for each in theirs if each not in own), *start.left],
    }
    _say(said, names, numbers_of(model.weights))
    return said


def _by_layer(model):
    """Name of a layer -> name of a weight in it -> the weight."""
    layers = {}
    for path, weight in named_weights(model).items():
        layer, _, name = path.rpartition("/")
        layers.setdefault(layer, {})[name] = weight
    return layers


def _fitting(weights, others, axes, pairs):
    """What a layer's weights are to be; None where one of them does not fit."""
    values = {}
    for name, weight in weights.items():
        other = others.get(name)
        if other is None or (id(weight) in axes) != (id(other) in axes):
            return None
        if id(weight) in axes:
            values[name] = _rows(weight, axes[id(weight)], other, axes[id(other)], pairs)
        else:
            values[name] = other if weight.shape == other.shape else None
        if values[name] is None:
            return None
    return values


def _share(weight, axis, classes):
    """Share of a weight that is of so many classes, and of the background."""
    place, numbers, before = axis
    return (before + classes * numbers) / weight.shape[place]


def _names_of_rows(own, class_names):
    """Names of a head's classes: of a binary model there is one, of the object."""
    return list(class_names)[-own.outputs :]


def _pairs(start, own, names):
    """Class of the model -> class of the start of the same name; by position where it says none."""
    theirs = contract(start.model)
    if start.class_names is None:
        same = theirs.outputs == own.outputs
        return {each: each for each in range(own.outputs)} if same else {}
    known = _names_of_rows(theirs, start.class_names)
    places = {name.casefold(): place for place, name in enumerate(known)}
    found = {row: places.get(name.casefold()) for row, name in enumerate(names)}
    return {row: other for row, other in found.items() if other is not None}


def _rows(weight, axis, other, its_axis, pairs):
    """A weight with the other's numbers of the classes of one name; None where nothing fits.

    Args:
        weight, other: Of the model, and of the start.
        axis, its_axis: As of `kseg.models.parts.class_axes`.
        pairs: As of `_pairs`.
    """
    from keras import ops

    (place, numbers, before), (its_place, its_numbers, its_before) = axis, its_axis
    values, given = (np.array(ops.convert_to_numpy(each)) for each in (weight, other))
    values, given = np.moveaxis(values, place, 0), np.moveaxis(given, its_place, 0)
    if numbers != its_numbers or values.shape[1:] != given.shape[1:]:
        return None
    if before == its_before and before:
        values[:before] = given[:before]  # of the background
    elif not pairs:
        return None
    for own, its in pairs.items():
        to, of = before + own * numbers, its_before + its * numbers
        values[to : to + numbers] = given[of : of + numbers]
    return np.moveaxis(values, 0, place)


def _say(said, names, total):
    """Says in two lines what was taken and what not."""
    carried = said["classes"]
    without = [name for name in names if name not in carried]
    first = f"{said['layers']} of {said['of']} layers ({said['numbers']:,} of {total:,} numbers)"
    classes = f"; of the head {_few(carried)}" if carried and without else ""
    say(f"start: {first} are those of {said['from']!r}{classes}")
    parts = [f"the head's numbers of {_few(without)}"] * bool(carried and without)
    parts += [_few(said["anew"])] * bool(said["anew"])
    left = said["not_taken"]
    more = f"; not taken from {said['from']!r}: {_few(left)}" if left else ""
    say(f"anew: {', '.join(parts) or 'nothing'}{more}")


def _shortened(layers):
    """Names of layers, those of an encoder in one."""
    layers = list(layers)
    inside = sum(each.startswith("encoder/") for each in layers)
    text = f"{inside} layers of the encoder"
    return [text] * bool(inside) + [each for each in layers if not each.startswith("encoder/")]


def _few(names):
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

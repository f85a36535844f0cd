"""Settings in groups: files of TOML, `group.name=value`, and the way back.

    [optimizer]
    name = "adamw"
    learning_rate = 0.002

A group may hold more than its settings: `[model]` the arguments of the network's builder,
`[optimizer]` those of the optimizer's class, `[data]` how the data were named on the command line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kseg.base.arguments import refused, tuples
from kseg.base.atomic import replacing
from kseg.data.spec import DataSpec
from kseg.training.named import nearest
from kseg.training.settings import GROUPS, Settings

FILE = "settings.toml"
HEAD = "# The settings of a training. `kseg fit --settings FILE` trains by them.\n"
BARE = re.compile(r"[\w-]+")  # a key that TOML takes without quotes
OF_DATA = tuple(field.name for field in dataclasses.fields(DataSpec))


def fields_of(group):
    """The settings of a group: key within it -> field."""
    return {
        field.metadata["key"] or field.name: field
        for field in dataclasses.fields(Settings)
        if field.metadata["group"] == group and not field.metadata["rest"]
    }


def rest_of(group):
    """Name of the setting that holds what else is in a group; None where nothing else may be."""
    for field in dataclasses.fields(Settings):
        if field.metadata["group"] == group and field.metadata["rest"]:
            return field.name
    return None


def place_of(name):
    """Group and key of a setting."""
    (field,) = (each for each in dataclasses.fields(Settings) if each.name == name)
    return field.metadata["group"], field.metadata["key"] or name


def from_groups(groups: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings by their names in Python, and how the data are named, of groups.

    Args:
        groups: Group -> key -> value.
        where: What holds them, for the error.

    Returns:
        Arguments of `Settings`, and those of `DataSpec`.

    Raises:
        ValueError: a group or a key is unknown.
    """
    values, data = {}, {}
    for group, keys in groups.items():
        if group not in GROUPS:
            raise refused("setting", group, f"a group of settings, in {where}", _hint(group, keys))
        if not isinstance(keys, Mapping):
            raise refused(group, keys, f"a table [{group}], in {where}")
        known, rest = fields_of(group), rest_of(group)
        for key, value in keys.items():
            if key in known:
                values[known[key].name] = tuples(value)
            elif group == "data" and key in OF_DATA:
                data[key] = tuples(value)
            elif rest is not None:
                values.setdefault(rest, {})[key] = tuples(value)
            else:
                expected = f"a setting of the group {group!r}, in {where}"
                names = [*known, *(OF_DATA if group == "data" else ())]
                raise refused("setting", key, expected, _elsewhere(key) or nearest(key, names))
    check_rest(values, where)
    return values, data


def check_rest(values, where):
    """Raises `ValueError` for a key of `[model]` or `[optimizer]` that would mean nothing.

    Args:
        values: Arguments of `Settings`.
        where: What holds them, for the error.
    """
    from kseg.training.network import check_goes_with

    for group, taken in (("model", _of_builder), ("optimizer", _of_optimizer)):
        rest = values.get(rest_of(group))
        if not rest:
            continue
        names = taken(values.get(group))
        for key, value in rest.items():
            if names is not None and key not in names:
                if group == "model" and values.get(group):
                    check_goes_with(values[group], key, value)
                expected = f"a setting of the group {group!r}, in {where}"
                known = [*fields_of(group), *names]
                raise refused("setting", key, expected, _elsewhere(key) or nearest(key, known))


def _of_builder(model):
    """What the builder of a network takes; of no known network what any does."""
    from kseg.training.network import BUILDERS, taken

    if model in BUILDERS:
        return taken(model)
    return None if model else sorted({name for each in BUILDERS for name in taken(each)})


def _of_optimizer(name):
    from kseg.training.optimizers import options_of

    return options_of(name or Settings().optimizer)


def _elsewhere(key):
    """What to say of a key that is of another group; empty if it is of none."""
    for field in dataclasses.fields(Settings):
        group, own = place_of(field.name)
        if key == field.name or key == own != "name":  # of "name" there are several
            return f"It is {group}.{own}."
    return ""


def _hint(group, keys):
    return (not isinstance(keys, Mapping) and _elsewhere(group)) or nearest(group, GROUPS)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and data of a file; what `from_groups` returns.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no TOML, or holds what is no setting.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        path = path / FILE
    if not path.is_file():
        expected = "an existing file of settings (TOML)"
        raise refused("settings", str(path), expected, error=FileNotFoundError)
    try:
        groups = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused("settings", str(path), "a file of settings (TOML)", f"{error}.") from None
    return from_groups(groups, str(path))


def opened(settings, resume=False):
    """What a user gives for settings: these, a file's path, a dict in groups, or None.

    Args:
        settings: It.
        resume: Whether a run goes on, whose settings are those that a file or a dict leaves open.

    Returns:
        `Settings` or None, and a dict of single settings, which then are all that is given.

    Raises:
        TypeError: it is something else.
    """
    if settings is None or isinstance(settings, Settings):
        return settings, {}
    values = _named(settings)
    return (None, values) if resume else (Settings(**values), {})


def _named(settings):
    """The settings that a file or a dict names."""
    if isinstance(settings, (str, os.PathLike)):
        return read(settings)[0]
    if (
        isinstance(settings, Mapping)
        and settings
        and all(isinstance(each, Mapping) for each in settings.values())
    ):
        return from_groups(settings, "settings")[0]
    remedy = "Write kseg.Settings(**settings)." if isinstance(settings, Mapping) else ""
    expected = "kseg.Settings, the path of a file of them, or None"
    raise refused("settings", settings, expected, remedy, error=TypeError)


def assigned(texts):
    """Groups of a list of `group.key=value`, where a value is TOML's, or else a text.

    Raises:
        ValueError: one is something else.

    Example:

    >>> assigned(["optimizer.learning_rate=1e-3", "loss.name=dice"])
    {'optimizer': {'learning_rate': 0.001}, 'loss': {'name': 'dice'}}
    """
    groups = {}
    for text in texts:
        name, equals, value = text.partition("=")
        group, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            expected = "GROUP.NAME=VALUE, as optimizer.learning_rate=1e-3"
            raise refused("set", text, expected, _elsewhere(name.strip()))
        try:
            value = tomllib.loads(f"value = {value.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            value = value.strip()
        groups.setdefault(group, {})[key] = value
    return groups


def to_groups(settings, data=None):
    """Group -> key -> value of settings; what is None is left out."""
    groups = {group: {} for group in GROUPS}
    for field in dataclasses.fields(Settings):
        value = getattr(settings, field.name)
        group, key = place_of(field.name)
        if field.metadata["rest"]:
            groups[group] |= value
        elif value is not None:
            groups[group][key] = value
    groups["data"] |= {
        key: value for key, value in (data or {}).items() if key in OF_DATA and value is not None
    }
    return {group: keys for group, keys in groups.items() if keys}


def write(path, settings, data=None):
    """Writes settings as TOML.

    Args:
        path: A `pathlib.Path`.
        settings: `Settings`.
        data: How the data were named, as of `DataSpec`; or None.
    """
    with replacing(path) as temporary:
        temporary.write_text(HEAD + toml(to_groups(settings, data)))


def toml(groups):
    """Tables of plain values as TOML."""
    lines = []
    for group, keys in groups.items():
        lines += ["", f"[{group}]"]
        for key, value in keys.items():
            if value is not None:
                lines.append(line(key, value))
    return "\n".join(lines) + "\n"


def line(key, value):
    """One of TOML's lines.

    >>> line("size", (256, 384))
    'size = [256, 384]'
    """
    return f"{_key(key)} = {_value(value)}"


def _key(key):
    return key if BARE.fullmatch(key) else json.dumps(key)


def _value(value):
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(str(value))

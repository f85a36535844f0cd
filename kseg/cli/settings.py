"""The options that make the settings of a training: one for each, a file, and `--set`."""

import argparse
import dataclasses

from kseg.base.arguments import refused
from kseg.cli.options import given, number_pair, size

# Of the network, beside its name: arguments of its builder
NETWORK = (
    ("encoder", str, "in place of the paper's, e.g. efficientnet_lite0"),
    ("weights", str, "weights of the encoder: imagenet or a file"),
    ("width", int, "channels, as of the model's builder (unet: 32)"),
    ("depth", int, "times halved (unet: 4)"),
    ("logits_stride", int, "of unet (1)"),
    ("detections", int, "objects of a photo, of mask_rcnn (100)"),
)
READERS = {"int": int, "float": float, "str": str}


def factors(text):
    """`encoder=0.1,head=2` -> {"encoder": 0.1, "head": 2.0}."""
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return {name.strip(): float(factor) for name, _, factor in pairs}
    except ValueError:
        message = f"{text!r}: expected PART=FACTOR,..., e.g. encoder=0.1,head=2"
        raise argparse.ArgumentTypeError(message) from None


OWN_READERS = {
    "size": (size, "HEIGHTxWIDTH"),
    "scale": (number_pair, "LOW,HIGH"),
    "devices": (lambda text: int(text) if text.isdigit() else text, "N|all"),
    "rates": (factors, "PART=FACTOR,..."),
}


def add_settings(parser):
    """The options of the settings, under the headings of their groups."""
    from kseg.training.recipe import place_of
    from kseg.training.settings import GROUPS, Settings, texts

    parser.add_argument(
        "--settings", metavar="FILE", help="a file of settings (TOML), as a run's settings.toml"
    )
    parser.add_argument(
        "--set",
        action="append",
        metavar="GROUP.NAME=VALUE",
        help="any setting, e.g. optimizer.learning_rate=1e-3 or model.fpn_width=64; repeatable",
    )
    about = texts()
    groups = {name: parser.add_argument_group(f"settings: {name}") for name in GROUPS}
    for name, kind, text in NETWORK:
        groups["model"].add_argument(_flag(name), type=kind, help=text)
    groups["model"].add_argument(
        "--freeze", action="store_true", default=None, help="leave the encoder as it is"
    )
    for field in dataclasses.fields(Settings):
        if not field.metadata["rest"]:
            group, _ = place_of(field.name)
            _add(groups[group], field, about[field.name])


def _flag(name):
    return f"--{name.replace('_', '-')}"


def _add(group, field, text):
    """The option of one setting."""
    kind = field.type.removesuffix(" | None")
    default = "" if field.default is None else f" ({_shown(field.default)})"
    text = text.partition(" In a file")[0].partition(" `[")[0].replace("`", "").replace("%", "%%")
    if kind == "bool":
        action = argparse.BooleanOptionalAction
        group.add_argument(_flag(field.name), action=action, default=None, help=text + default)
    elif field.name == "transforms":
        group.add_argument(
            _flag(field.name), action="append", metavar="NAME", help=f"{text} Repeatable."
        )
    else:
        reader, metavar = OWN_READERS.get(field.name, (READERS.get(kind), None))
        group.add_argument(_flag(field.name), type=reader, metavar=metavar, help=text + default)


def _shown(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def asked(options):
    """What a command says of settings: arguments of `Settings`, and of `DataSpec` from the file.

    An option stands before `--set`, and that before the file.

    Raises:
        ValueError: a setting is unknown, or said twice.
    """
    from kseg.training import recipe
    from kseg.training.settings import Settings

    values, data = recipe.read(options.settings) if options.settings else ({}, {})
    set_here, more = recipe.from_groups(recipe.assigned(options.set or ()), "--set")
    names = [f.name for f in dataclasses.fields(Settings) if not f.metadata["rest"]]
    flags = given(options, names)
    if "transforms" in flags:
        flags["transforms"] = tuple(flags["transforms"])
    network = given(options, [name for name, *_ in NETWORK] + ["freeze"])
    for name in flags:
        if name in set_here and flags[name] != set_here[name]:
            expected = f"{set_here[name]!r}, which --set says too"
            raise refused(name, flags[name], expected, "Give one of them.")
    merged = {**values, **_read(set_here), **flags}
    for name, here in (
        ("network", {**set_here.get("network", {}), **network}),
        ("optimizer_options", set_here.get("optimizer_options", {})),
    ):
        if here:
            merged[name] = {**values.get(name, {}), **here}
    recipe.check_rest(merged, "these settings")
    return merged, {**data, **more}


def _read(values):
    """Values of `--set` that are texts in the way of the options, as 224x320, read as those."""
    return {
        name: OWN_READERS[name][0](value)
        if name in OWN_READERS and isinstance(value, str)
        else value
        for name, value in values.items()
    }

"""`kseg export`: writes a model for a server, or in another format, compared with the model."""

import functools
import operator
import types
import typing

from kseg.base.arguments import refused
from kseg.cli.options import (
    DATA_OPTIONS,
    add_data_options,
    add_overwrite,
    add_with,
    console,
    data_spec,
    given,
    integer_pair,
    names,
    size,
    threshold,
)
from kseg.deployment.formats import FORMATS, every_option, format_name, options_from
from kseg.deployment.options import Names, Sides, Size, Threshold

COMPARISON = (  # options of `kseg.export` whatever the format
    ("samples", int, "how many photos to compare on (8)"),
    ("tolerance", float, "share of results that may differ (by precision)"),
    ("max_drop", float, "by how much the mean IoU may fall (0.01)"),
)
# The rest read themselves
READERS = {Names: names, Sides: integer_pair, Size: size, Threshold: threshold}
SPELLINGS = {
    Names: "NAME,NAME",
    Sides: "SHORTEST,LONGEST",
    Size: "HEIGHTxWIDTH",
    Threshold: "NUMBER[,NUMBER...]",
}


def add_arguments(parser):
    parser.add_argument("run", help="run folder or .keras file")
    parser.add_argument("path", help="folder for SavedModels (PATH/NAME/VERSION); else the file")
    add_with(parser)
    parser.add_argument(
        "--format", choices=tuple(FORMATS), help="default: what PATH ends in; a folder: saved_model"
    )
    parser.add_argument("--data", help="to compare on, as for fit; default: the run's own")
    parser.add_argument("--split", help="of the data: train, val or test (val)")
    for name, kind, text in COMPARISON:
        parser.add_argument(_flag(name), type=kind, help=text)
    add_data_options(parser)
    add_overwrite(parser)
    groups = {}
    for name, (field, formats) in every_option().items():
        title = f"options of {', '.join(formats)}"
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        kind = _without_none(field.type)
        default = "" if field.default in (None, (None, None)) else f" ({field.default})"
        groups[title].add_argument(
            _flag(name),
            type=READERS.get(kind, kind),
            metavar=SPELLINGS.get(kind),
            help=field.metadata["about"] + default,
        )


def _flag(name):
    return f"--{name.replace('_', '-')}"


def _without_none(kind):
    """`X` of the type `X | None`; others as they are."""
    if not isinstance(kind, types.UnionType):
        return kind
    others = (each for each in typing.get_args(kind) if each is not type(None))
    return functools.reduce(operator.or_, others)


def run(options):
    from kseg.deployment.export import export

    name = format_name(options.format, options.path)
    format = options_from(name, given(options, every_option()))
    source = None
    if options.data:
        source = data_spec(options, console()).open(options.split or "val")
    else:
        for option, value in given(options, (*DATA_OPTIONS, "split")).items():
            raise refused(option, value, "None without data", "Leave it out, or give data=.")
    model = [options.run, *options.others] if options.others else options.run
    common = given(options, [name for name, _, _ in COMPARISON])
    exported = export(
        model, options.path, format, source=source, overwrite=options.overwrite, **common
    )
    if name == "saved_model":
        base = exported.path.parent.resolve()
        print(
            f"tensorflow_model_server --rest_api_port=8501 --model_name={base.name} "
            f"--model_base_path={base}"
        )

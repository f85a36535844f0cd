"""`kseg plan`: the settings that a data set itself suggests, each with its reason."""

import dataclasses
from pathlib import Path

from kseg.base.outputs import check_outputs
from kseg.cli.options import DATA, add_data_options, add_overwrite, console, data_spec, outputs_of

LOOKED_AT = 500  # samples


def add_arguments(parser):
    parser.add_argument("data", help=DATA)
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the settings here")
    parser.add_argument(
        "--limit", type=int, default=LOOKED_AT, help=f"samples to look at ({LOOKED_AT})"
    )
    parser.add_argument("--instances", action="store_true", help="tell objects apart")
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    screen = console()
    spec, outputs = data_spec(options, screen, options.instances), outputs_of(options, "out")
    check_outputs(outputs, spec.folders(), options.overwrite)
    proposed = planned(spec, options.limit)
    print(proposed.to_toml(), end="")
    if options.out:
        proposed.write(options.out)
        screen.print(f"[dim]kseg fit --settings {options.out} trains by it[/]", highlight=False)


def planned(spec, limit=LOOKED_AT):
    """The plan for a data set by name; it holds the name."""
    from kseg.training.plan import plan

    found = plan(spec.open("train"), limit=limit)
    return dataclasses.replace(found, data=dataclasses.asdict(spec))

"""`kseg compare`: two models on the same images, and whether their difference may be chance."""

from pathlib import Path

from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.cli.evaluate import add_scoring, opened
from kseg.cli.options import add_data_options, add_overwrite, console, given, outputs_of
from kseg.cli.tables import print_scores, with_bar

# Options that `kseg.compare` takes as they are
SCORED = (
    "resize",
    "tile",
    "tta",
    "boundary",
    "surface",
    "threshold",
    "min_score",
    "detections",
    "overlap",
    "max_detections",
    "resamples",
    "confidence",
)


def add_arguments(parser):
    parser.add_argument("first", help="run folder, .keras file or export")
    parser.add_argument("second", help="another one, of the same classes")
    parser.add_argument("data", nargs="?", help="as for fit; default: those of the first run")
    parser.add_argument("--split", help="train, val or test (val)")
    add_scoring(parser, calibration=False)
    parser.add_argument(
        "--resamples",
        type=int,
        help="how many times images are drawn anew, and answers swapped (1000)",
    )
    parser.add_argument(
        "--confidence", type=float, help="share of the draws within the interval (0.95)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    from kseg.deployment.load import load
    from kseg.evaluation.compare import compare
    from kseg.models.contract import task_of

    screen = console()
    first, second = load(options.first), load(options.second)
    spec, source, split = opened(first, options, screen)
    outputs = outputs_of(options, "json")
    inputs = [*spec.folders(), *first.files(), *second.files()]
    check_outputs(outputs, inputs, options.overwrite)
    source = source(task_of(first))
    check_outputs(outputs, source.files(), options.overwrite)
    with with_bar(screen, f"scoring {source.name}", 2 * len(source)) as progress:
        chosen = given(options, SCORED)
        found = compare(first, second, source, progress=progress, **chosen)
    for each in found["protocol"]:
        each["split"] = split
    print_scores(screen, found)
    if options.json:
        write_json(options.json, found)

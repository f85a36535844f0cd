"""`kseg evaluate`: scores a run or an export on labelled data."""

from pathlib import Path

from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.cli.options import (
    add_data_options,
    add_object_options,
    add_overwrite,
    add_threshold,
    console,
    data_spec,
    given,
    outputs_of,
    own_data,
)
from kseg.cli.tables import evaluated, print_scores

# Options that `kseg.evaluate` takes as they are
SCORED = (
    "boundary",
    "surface",
    "calibration",
    "threshold",
    "min_score",
    "detections",
    "overlap",
    "max_detections",
    "results",
)
HELP = "Score a run or an export on labelled data."


def add_arguments(parser):
    parser.add_argument("run", help="run folder, .keras file or export")
    parser.add_argument("data", nargs="?", help="as for fit; default: the run's own")
    parser.add_argument("--split", default="val", help="train, val or test (%(default)s)")
    for name, text in (
        ("boundary", "score contours too: Boundary IoU and boundary F1"),
        ("surface", "measure surface distances too, in pixels"),
        ("calibration", "compare confidence with accuracy too"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=text)
    add_object_options(parser)
    parser.add_argument(
        "--max-detections",
        type=int,
        help="detections of a photo and class that count in AP (100, or more if it finds more)",
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="also write what it finds, as COCO's results"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    add_threshold(parser)
    add_data_options(parser)
    add_overwrite(parser)


def run(options):
    from kseg.deployment.load import load
    from kseg.models.contract import task_of
    from kseg.prediction.predictor import KerasPredictor

    screen = console()
    loaded = load(options.run)
    if options.data:
        spec = data_spec(options, screen)
    else:
        spec = own_data(loaded, options)
    outputs = outputs_of(options, "json", "results")
    check_outputs(outputs, [*spec.folders(), *loaded.files()], options.overwrite)
    model = loaded.model if isinstance(loaded, KerasPredictor) else loaded
    source = spec.for_task(task_of(model)).open(options.split)
    check_outputs(outputs, source.files(), options.overwrite)
    scores = evaluated(screen, model, source, **given(options, SCORED))
    print_scores(screen, model, source, scores)
    if options.json:
        write_json(options.json, scores)

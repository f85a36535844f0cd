"""`kseg evaluate`: scores a run or an export on labelled data, or repeats an earlier scoring."""

import dataclasses
import os
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.cli.options import (
    add_data_options,
    add_object_options,
    add_overwrite,
    add_threshold,
    add_tta,
    add_with,
    console,
    data_spec,
    given,
    integer_pair,
    loaded_of,
    outputs_of,
    own_data,
)
from kseg.cli.repeated import begun_with, print_comparison, read
from kseg.cli.tables import evaluated, print_scores, print_table
from kseg.evaluation.table import confusion_table

# Options that `kseg.evaluate` takes as they are
SCORED = (
    "resize",
    "tile",
    "tta",
    "boundary",
    "surface",
    "calibration",
    "threshold",
    "min_score",
    "detections",
    "overlap",
    "max_detections",
    "per_image",
    "group",
    "bootstrap",
    "confidence",
)


def add_arguments(parser):
    parser.add_argument("run", nargs="?", help="run folder, .keras file or export")
    parser.add_argument("data", nargs="?", help="as for fit; default: the run's own")
    parser.add_argument("--split", help="train, val or test (val)")
    add_with(parser)
    add_scoring(parser)
    parser.add_argument(
        "--per-image",
        action="store_true",
        help="show the worst images too, and with --json write the scores of each",
    )
    parser.add_argument(
        "--confusion", action="store_true", help="also print what each class is found as"
    )
    parser.add_argument(
        "--group",
        help="score groups of images too: folder, a pattern of names with one group in "
        "parentheses, or a .csv file with the headings image,group",
    )
    parser.add_argument(
        "--bootstrap",
        type=int,
        metavar="N",
        help="an interval of each score, by drawing the images N times anew, e.g. 1000",
    )
    parser.add_argument(
        "--confidence", type=float, help="share of those draws within the interval (0.95)"
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="of an instance model: also write what it finds, as COCO's results",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the numbers here, with their protocol"
    )
    parser.add_argument(
        "--repeat",
        type=Path,
        metavar="FILE",
        help="score again as it was done for the numbers in FILE, which --json wrote, and say "
        "whether they are the same",
    )
    add_data_options(parser)
    add_overwrite(parser)


def add_scoring(parser, calibration=True):
    """The options of `kseg.evaluate` and `kseg.compare`, which has no calibration."""
    parser.add_argument(
        "--resize",
        type=integer_pair,
        metavar="SHORTEST,LONGEST",
        help="sides that a photo gets for the network (its own)",
    )
    parser.add_argument("--tile", type=int, help="pixels of a side of tiles (as memory allows)")
    add_tta(parser)
    for name, text in (
        ("boundary", "score contours too: Boundary IoU and boundary F1"),
        ("surface", "measure surface distances too, in pixels"),
        ("calibration", "compare confidence with accuracy too"),
    )[: 2 + calibration]:
        parser.add_argument(f"--{name}", action="store_true", help=text)
    add_threshold(parser)
    add_object_options(parser)
    parser.add_argument(
        "--max-detections",
        type=int,
        help="detections of a photo and class that count in AP (100, or more if it finds more)",
    )


def run(options):
    earlier = None
    if options.repeat is not None:
        earlier = read(options.repeat)
        options = begun_with(options, earlier)
    if options.run is None:
        raise refused("run", None, "a run folder, .keras file or export", "Name it first.")
    from kseg.models.contract import task_of

    screen = console()
    loaded = loaded_of(options.run, options)
    spec, source, split = opened(loaded, options, screen)
    outputs = outputs_of(options, "json", "results")
    read_from = [*spec.folders(), *loaded.files()]
    check_outputs(outputs, [*read_from, *given(options, ["repeat"]).values()], options.overwrite)
    source = source(task_of(loaded))
    check_outputs(outputs, source.files(), options.overwrite)
    chosen = given(options, SCORED)
    if options.group and os.path.isfile(options.group):  # to be found from elsewhere
        chosen["group"] = os.path.abspath(options.group)
    scores = evaluated(screen, loaded, source, **chosen, **given(options, ["results"]))
    scores["protocol"] = {
        **scores.get("protocol", {}),
        "split": split,
        "command": {
            "run": os.path.abspath(options.run),
            "others": [os.path.abspath(each) for each in options.others or ()],
            "data": dataclasses.asdict(spec),
            "split": split,
            "options": {name: value for name, value in chosen.items() if value is not False},
        },
    }
    print_scores(screen, scores)
    if options.confusion:
        print_table(screen, confusion_table(scores))
    if options.json:
        write_json(options.json, scores)
    return print_comparison(screen, options.repeat, earlier, scores) if earlier else 0


def opened(loaded, options, screen):
    """The `DataSpec` of what is scored; a function of a task to its `Source`; and the split."""
    spec = data_spec(options, screen) if options.data else own_data(loaded, options)
    split = options.split or "val"
    return spec, lambda task: spec.for_task(task).open(split), split

"""`kseg fit`: trains a network, scores it and draws what it does."""

import dataclasses
import inspect
import sys
import time
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.atomic import write_json
from kseg.base.outputs import check_outputs
from kseg.cli.options import (
    DATA,
    DATA_OPTIONS,
    add_data_options,
    add_overwrite,
    console,
    data_spec,
    given,
    number_pair,
    size,
)
from kseg.cli.tables import evaluated, print_scores
from kseg.runs.run import KEPT, SHOWN, Run

HELP = "Train a network."
NETWORK = ("model", "encoder", "weights", "width", "depth", "logits_stride", "detections")
# What `--model` takes: `kseg.build_...`
NAMES = ("unet", "fcn8s", "fcn16s", "fcn32s", "fcn", "deeplabv3", "deeplabv3plus")
MODELS = {**dict.fromkeys(NAMES, "semantic"), "mask_rcnn": "instance"}  # and what they learn


NUMBERS = (
    ("batch_size", int, "crops a step (8)"),
    ("epochs", int, "passes over the data (30); with --resume: of the whole run"),
    ("learning_rate", float, "peak of the schedule (0.002)"),
    ("checkpoint_steps", int, "steps between checkpoints (100)"),
    ("validate_epochs", int, "epochs between validations (1)"),
    ("seed", int, "of weights, order and augmentation (0)"),
)
SETTINGS = ("size", "scale", *(name for name, _, _ in NUMBERS))


def add_arguments(parser):
    parser.add_argument("data", nargs="?", help=DATA)
    parser.add_argument("--run", default="runs/unet", help="folder for the run (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last step")
    add_overwrite(parser)
    add_data_options(parser)
    parser.add_argument(
        "--no-check",
        dest="check_data",
        action="store_false",
        help="train in spite of errors that the check finds",
    )
    parser.add_argument("--model", choices=MODELS, help="(unet)")
    parser.add_argument("--encoder", help="in place of the paper's, e.g. efficientnet_lite0")
    parser.add_argument("--weights", help="weights of the encoder: imagenet or a file")
    parser.add_argument("--freeze", action="store_true", help="leave the encoder as it is")
    parser.add_argument("--width", type=int, help="channels, as of the model's builder (unet: 32)")
    parser.add_argument("--depth", type=int, help="times halved (unet: 4)")
    parser.add_argument("--logits-stride", type=int, choices=(1, 2, 4), help="of unet (1)")
    parser.add_argument("--detections", type=int, help="objects of a photo, of mask_rcnn (100)")
    parser.add_argument(
        "--size", type=size, metavar="HxW", help="crop in pixels (as check suggests)"
    )
    parser.add_argument("--scale", type=number_pair, metavar="LOW,HIGH", help="random (0.5,2)")
    for name, kind, text in NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)


def run(options):
    screen = console()
    if options.resume:
        spec, settings = resumed(screen, options)
    elif options.data:
        spec, settings = data_spec(options, screen), settings_of(options)
        learned = MODELS[options.model or "unet"]
        spec = spec.for_task("multilabel" if options.multilabel else learned)
        # what the folder would lose is looked at by `kseg.fit`; of this file it does not know
        inputs = [options.weights] if options.weights else []
        outputs = [("run", Path(options.run) / name) for name in (*KEPT, *SHOWN)]
        check_outputs(outputs, inputs, overwrite=True)
    else:
        raise ValueError(f"no data: give {DATA}, or --resume.")
    train, val = spec.open("train"), spec.open("val")
    model = None
    if not options.resume:
        import keras

        keras.utils.set_random_seed(settings.seed)
        model = built(options, train)
    screen.print(f"training on {len(train)} images, validating on {len(val)}", highlight=False)
    train_and_report(screen, model, train, val, options, settings, spec)


def resumed(screen, options):
    """Data and settings to go on with; whatever else is given must be as the run has it.

    Raises:
        ValueError: an option is another than the run's.
    """
    from kseg.data.spec import DataSpec
    from kseg.training.settings import from_dict

    saved = Run.open(options.run)
    if not saved.data:
        raise ValueError(f"{options.run!r} was started from Python: resume it with kseg.fit.")
    for name, value in given(options, (*NETWORK, "freeze", "overwrite")).items():
        if value:
            expected = "None with resume=True: a run goes on with its own network"
            raise refused(name, value, expected, "Leave it out, or begin a new run.")
    spec = DataSpec.from_json(saved.data)
    asked = given(options, DATA_OPTIONS)
    if options.data:
        asked["spec"] = data_spec(options, screen).spec
    for name, value in asked.items():
        own = getattr(spec, name)
        if value != own:
            expected = f"{own!r}, with which the run was begun"
            name = "data" if name == "spec" else name
            raise refused(name, value, expected, "Leave it out, or begin a new run.")
    return spec, from_dict({**saved.settings, **given(options, SETTINGS)})


def built(options, source):
    """The network that the options of `fit` ask for; what is not given is the builder's default.

    Its classes, channels and range of numbers are those of the source.
    """
    asked = given(options, NETWORK)
    model = asked.pop("model", "unet")
    asked |= {name: True for name in ("freeze", "multilabel") if getattr(options, name)}
    if model == "unet" and options.encoder is None:
        asked = {"width": 32, **asked}  # half the paper's: a quarter of its time
    from kseg import models

    taken = {
        each: inspect.signature(getattr(models, f"build_{each}")).parameters for each in MODELS
    }
    for name, value in asked.items():
        if name not in taken[model]:
            owner = next(each for each in MODELS if name in taken[each])
            expected = f"None, for it goes with model={owner!r} and this is {model}"
            raise refused(name, value, expected, "Leave it out.")
    asked["input_shape"] = (None, None, source.channels or 3)
    if source.value_range is not None:
        asked["value_range"] = source.value_range
    return getattr(models, f"build_{model}")(source.num_classes, **asked)


def train_and_report(screen, model, train, val, options, settings, spec):
    """Trains, scores the best model and draws; prints what came of it."""
    from kseg.models.contract import contract, part
    from kseg.pictures.chart import curve
    from kseg.reports.sheet import write_sheet
    from kseg.training.fit import fit

    started = time.perf_counter()
    try:
        fit(
            model,
            train,
            val,
            run=options.run,
            settings=settings,
            resume=options.resume,
            data=None if options.resume else dataclasses.asdict(spec),
            check_data=getattr(options, "check_data", True),
            overwrite=options.overwrite,
        )
    except KeyboardInterrupt:
        if (Path(options.run) / "last.keras").exists():
            print(
                f"kseg: stopped; `kseg fit --resume --run {options.run}` goes on", file=sys.stderr
            )
        raise
    run = Run.open(options.run)
    model = run.load_model()
    scores = evaluated(screen, model, val)
    print_scores(screen, model, val, scores)
    write_json(run.path / "evaluation.json", scores)
    write_sheet(model, val, run.path / "validation.png")
    score = contract(model).score
    curve(run.history(), run.path / "curve.png", score=score)
    seconds = time.perf_counter() - started
    name = part("kseg.evaluation", model).SCORE_NAME
    screen.print(
        f"{name} {scores[score]:.3f} in {seconds:.0f} s; pictures and model in {run.path}",
        highlight=False,
    )


def settings_of(options):
    """The `Settings` that the options ask for."""
    from kseg.training.settings import Settings

    return Settings(**given(options, SETTINGS))

"""`kseg fit`: trains a network, scores it and draws what it does."""

import dataclasses
import sys
import time
from pathlib import Path

from kseg.base.atomic import write_json
from kseg.cli.options import (
    DATA,
    add_data_options,
    console,
    data_spec,
    given,
    number_pair,
    size,
)
from kseg.cli.tables import evaluated, print_scores

HELP = "Train a network."
# What `--model` takes: `kseg.build_...`
MODELS = ("unet", "fcn8s", "fcn16s", "fcn32s", "fcn", "deeplabv3", "deeplabv3plus")


def add_arguments(parser):
    parser.add_argument("data", nargs="?", help=DATA)
    parser.add_argument("--run", default="runs/unet", help="folder for the run (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last step")
    add_data_options(parser)
    parser.add_argument(
        "--no-check", action="store_true", help="train in spite of errors that the check finds"
    )
    parser.add_argument("--model", choices=MODELS, default="unet", help="(%(default)s)")
    parser.add_argument("--encoder", help="in place of the paper's, e.g. efficientnet_lite0")
    parser.add_argument("--weights", help="weights of the encoder: imagenet or a file")
    parser.add_argument("--freeze", action="store_true", help="leave the encoder as it is")
    parser.add_argument("--width", type=int, help="channels, as of the model's builder (unet: 32)")
    parser.add_argument("--depth", type=int, help="times halved (unet: 4)")
    parser.add_argument("--logits-stride", type=int, choices=(1, 2, 4), help="of unet (1)")
    parser.add_argument("--size", type=size, metavar="HxW", help="crop in pixels (256x256)")
    parser.add_argument("--scale", type=number_pair, metavar="LOW,HIGH", help="random (0.5,2)")
    for name, kind, text in (
        ("batch-size", int, "crops a step (8)"),
        ("epochs", int, "passes over the data (30)"),
        ("learning-rate", float, "peak of the schedule (0.002)"),
        ("checkpoint-steps", int, "steps between checkpoints (100)"),
        ("validate-epochs", int, "epochs between validations (1)"),
        ("seed", int, "of weights, order and augmentation (0)"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=text)


def run(options):
    from kseg.data.spec import DataSpec
    from kseg.runs.run import Run

    screen = console()
    if options.resume:
        saved = Run.open(options.run)
        if not saved.data:
            raise ValueError(f"{options.run!r} was started from Python: resume it with kseg.fit.")
        spec = DataSpec.from_json(saved.data)
    elif not options.data:
        raise ValueError(f"no data: give {DATA}, or --resume.")
    else:
        spec = data_spec(options)
    train, val = spec.open("train"), spec.open("val")
    model = settings = None
    if not options.resume:
        import keras

        keras.utils.set_random_seed(options.seed or 0)
        settings = settings_of(options)
        model = built(options, train.num_classes)
    screen.print(f"training on {len(train)} images, validating on {len(val)}", highlight=False)
    train_and_report(screen, model, train, val, options, settings, spec)


def built(options, num_classes):
    """The network that the options of `fit` ask for; what is not given is the builder's default."""
    names = ("encoder", "weights", "width", "depth", "logits_stride")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.freeze:
        given["freeze"] = True
    if options.model != "unet":
        for name in ("depth", "logits_stride"):
            if name in given:
                raise ValueError(
                    f"--{name.replace('_', '-')} {given[name]} goes with --model unet, but the "
                    f"model is {options.model}: leave it out."
                )
    elif options.encoder is None:
        given = {"width": 32, **given}  # half the paper's: a quarter of its time
    from kseg import models

    return getattr(models, f"build_{options.model}")(num_classes, **given)


def train_and_report(screen, model, train, val, options, settings, spec):
    """Trains, scores the best model and draws; prints what came of it."""
    from kseg.models.contract import contract, part
    from kseg.pictures.chart import curve
    from kseg.reports.sheet import write_sheet
    from kseg.runs.run import Run
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
            data=dataclasses.asdict(spec),
            check_data=not getattr(options, "no_check", False),
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

    return Settings(**given(options, [field.name for field in dataclasses.fields(Settings)]))

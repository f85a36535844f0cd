"""`kseg fit`: trains a network, scores it and draws what it does."""

import dataclasses
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
)
from kseg.cli.settings import NETWORK, add_settings, asked
from kseg.cli.tables import evaluated, print_scores
from kseg.runs.run import KEPT, SHOWN, Run


def add_arguments(parser):
    parser.add_argument("data", nargs="?", help=f"{DATA}; by default that of --settings")
    parser.add_argument("--run", help="folder for the run (runs/MODEL)")
    parser.add_argument(
        "--plan", action="store_true", help="settings by what the data hold, as of `kseg plan`"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's last step")
    add_overwrite(parser)
    parser.add_argument(
        "--no-check",
        dest="check_data",
        action="store_false",
        help="train in spite of errors that the check finds",
    )
    add_settings(parser)
    add_data_options(parser)


def run(options):
    from kseg.training.devices import finding, started

    started.join()
    with started.first_speaks():
        _run(options)
    finding.meet()


def _run(options):
    screen = console()
    values, named = asked(options)
    if options.plan:
        values = with_plan(screen, options, values)
    if options.run is None:
        options.run = f"runs/{values.get('model') or 'unet'}"
    if options.resume:
        spec, settings = resumed(screen, options, values, named)
    else:
        spec, settings = begun(screen, options, values, named)
        spec = spec.for_task(task_asked(options, settings))
        # what the folder would lose is looked at by `kseg.fit`; of this file it does not know
        weights = settings.network.get("weights")
        outputs = [("run", Path(options.run) / name) for name in (*KEPT, *SHOWN)]
        check_outputs(outputs, [weights] if weights else [], overwrite=True)
    train, val = spec.open("train"), spec.open("val")
    screen.print(f"training on {len(train)} images, validating on {len(val)}", highlight=False)
    train_and_report(screen, None, train, val, options, settings, spec)


def task_asked(options, settings):
    """The task that is to be learned: of the network that is named, or else of the start."""
    from kseg.models.contract import contract
    from kseg.training import network

    if settings.start is not None and settings.model is None:
        from kseg.training.start import opened

        if options.multilabel:
            return "multilabel"
        return contract(opened(settings.start).model).task
    network.check(settings)
    if options.multilabel:
        network.check_goes_with(settings.model or "unet", "multilabel", True)
        return "multilabel"
    return network.learned_by(settings)


def with_plan(screen, options, values):
    """What `kseg plan` proposes, printed; what is asked for stands before it.

    Raises:
        ValueError: a run is resumed, or settings come from a file; or there are no data.
    """
    from kseg.cli.plan import planned

    for name in ("resume", "settings"):
        if getattr(options, name):
            remedy = "A plan is for a new run."
            raise refused("plan", True, f"no --plan beside --{name}", remedy)
    if not options.data:
        raise ValueError(f"no data: give {DATA} beside --plan.")
    proposed = planned(data_spec(options, screen, values.get("model") == "mask_rcnn"))
    screen.print(proposed.to_toml(), markup=False, highlight=False)
    own = {name: getattr(proposed.settings, name) for name in proposed.reasons if "." not in name}
    network = {**proposed.settings.network, **values.get("network", {})}
    if values.get("model") not in (None, proposed.settings.model):
        network = values.get("network", {})  # of another network than the plan's
    if values.get("start") is not None and values.get("model") is None:  # then that says it
        own.pop("model", None)
        network = values.get("network", {})
    return {**own, **values, "network": network}


def begun(screen, options, values, named):
    """Data and settings of a new run; the file of settings may name the data too."""
    from kseg.data.spec import DataSpec
    from kseg.training.settings import Settings

    if options.data:  # a mistake in it is said before Keras is loaded, which takes seconds
        spec = data_spec(options, screen)
    elif "spec" in named:
        spec = DataSpec.from_json({**named, **given(options, DATA_OPTIONS)})
    else:
        raise ValueError(f"no data: give {DATA}, or --resume.")
    return spec, Settings(**values)


def resumed(screen, options, values, named):
    """Data and settings to go on with; whatever else is given must be as the run has it.

    Raises:
        ValueError: an option is another than the run's.
    """
    from kseg.data.spec import DataSpec
    from kseg.runs.folds import FILE, Folds
    from kseg.training.settings import from_dict

    of_folds = (Path(options.run) / FILE).is_file()
    saved = (Folds if of_folds else Run).open(options.run)
    if not saved.data:
        raise ValueError(f"{options.run!r} was started from Python: resume it with kseg.fit.")
    flags = (*(name for name, *_ in NETWORK), "freeze", "overwrite", "model")
    for name, value in given(options, flags).items():
        if value:
            expected = "None with resume=True: a run goes on with its own network"
            raise refused(name, value, expected, "Leave it out, or begin a new run.")
    spec = DataSpec.from_json(saved.data)
    if options.data:
        named = {"spec": data_spec(options, screen).spec}
    for name, value in {**named, **given(options, DATA_OPTIONS)}.items():
        own = getattr(spec, name)
        if value != own:
            expected = f"{own!r}, with which the run was begun"
            name = "data" if name == "spec" else name
            raise refused(name, value, expected, "Leave it out, or begin a new run.")
    return spec, from_dict({**saved.settings, **values})


def train_and_report(screen, model, train, val, options, settings, spec):
    """Trains, scores the best model and draws; prints what came of it."""
    from kseg.models.contract import contract, part
    from kseg.pictures.chart import curve
    from kseg.reports.sheet import write_sheet
    from kseg.runs.folds import FILE as FOLDS
    from kseg.training.devices.started import is_first
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
        if any((Path(options.run) / name).exists() for name in ("last.keras", FOLDS)):
            print(
                f"kseg: stopped; `kseg fit --resume --run {options.run}` goes on", file=sys.stderr
            )
        raise
    if not is_first():
        return
    if (Path(options.run) / FOLDS).is_file():
        seconds = time.perf_counter() - started
        screen.print(f"{seconds:.0f} s; runs and scores in {options.run}", highlight=False)
        return
    run = Run.open(options.run)
    model = run.load_model()
    scores = evaluated(screen, model, val)
    print_scores(screen, scores)
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

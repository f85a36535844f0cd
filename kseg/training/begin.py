"""What `kseg.fit` looks at before the first step: what it is given, the data, the folder."""

import dataclasses
import importlib.util
import warnings

import keras

from kseg.base.arguments import choice, refused
from kseg.base.outputs import check_outputs
from kseg.base.words import say
from kseg.checks.check import check
from kseg.data.source import check_is_source
from kseg.models.contract import check_source, contract, fixed_size
from kseg.models.defaults import is_own
from kseg.models.saving import check_clock, own_words
from kseg.runs.run import KEPT, SHOWN, Run
from kseg.training import augmentation, freezing, losses, network, optimizers
from kseg.training.settings import OF_COMPILE, OF_NETWORK, check_unused
from kseg.training.start import network_of

MOST_SAID = 10  # lines of warnings of the check
FALLBACK_SIZE = (256, 256)  # where no photo could be read
CHECKED_SAMPLES = 1000  # read before the first step; what lies beyond is named when it is met
OWN = "own"  # what `compile` says of a model that keeps its own


def check_types(train, val, augment, callbacks):
    """Raises `TypeError` for an argument that is something else altogether."""
    check_is_source("train", train)
    if val is not None:
        check_is_source("val", val)
    for name, each, what in (
        ("augment", augment, "a list of transforms, as of kseg.data.transforms, or None"),
        ("callbacks", callbacks, "a list of Keras callbacks"),
    ):
        if not isinstance(each, list | tuple | None) or name == "callbacks" and each is None:
            remedy = f"For one write {name}=[...]." if callable(each) or name == "callbacks" else ""
            raise refused(name, each, what, remedy, error=TypeError)


def check_named(settings):
    """Raises `ValueError` for a loss, an optimizer or a transform that there is none of.

    `ImportError` where TensorBoard is to be written and is not installed; `OSError` where the clock
    would let no model be saved.
    """
    check_clock()
    if settings.tensorboard:
        check_tensorboard()
    optimizers.check(settings)
    augmentation.check(settings)
    if settings.jit_compile and keras.backend.backend() == "torch":
        say(
            "jit_compile=True: PyTorch compiles a network in dozens of pieces, for minutes before "
            "the first step; kseg's own way through it needs no compiler. Leave it out unless the "
            "training is long"
        )
    if settings.loss is not None:
        losses.parts_of(settings.loss)


def check_tensorboard():
    """Raises `ImportError` where TensorBoard is not installed, before the first step."""
    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError(
            "tensorboard=True needs tensorboard, which is not installed. Run: pip install "
            "tensorboard"
        )


def new_model(model, settings, train, start=None):
    """The model to train, what is given or what the settings ask for; and the settings of that.

    Args:
        model: As of `kseg.fit`.
        settings: `Settings`.
        train: `Source` to learn from.
        start: `kseg.training.start.Start`, or None.

    Raises:
        ValueError: both are given, or the settings ask for what there is none of.
    """
    if model is None:
        keras.utils.set_random_seed(settings.seed)
        with network.policy(settings.precision):
            if start is not None:
                settings, model = network_of(start, settings, train)
            return model or network.build(settings, train), settings
    contract(model)  # says so if it is none
    check_source(model, train)
    own = network.policy_of(model)
    if settings.precision not in (None, own):
        expected = f"None or {own!r}, which the model is built in"
        remedy = (
            f"Call keras.config.set_dtype_policy({settings.precision!r}) before you build it, or "
            "give None in its place and say by settings what is to be built."
        )
        raise refused("precision", settings.precision, expected, remedy)
    where = "beside a model that is given"
    check_unused(settings, [each for each in OF_NETWORK if each != "precision"], where)
    return model, settings


def compiled_here(model, compile, settings):
    """Whether kseg compiles a model for a new run; says so if the model keeps its own way."""
    choice("compile", compile, (None, OWN, "kseg"))
    own = compile == OWN
    if compile is None and not is_own(model):
        own = True
        say(
            f"the model keeps its own optimizer ({type(model.optimizer).__name__}), loss and "
            'metrics; compile="kseg" would replace them'
        )
    if own:
        if not model.compiled:
            expected = "None or 'kseg': this model is not compiled"
            raise refused("compile", compile, expected, "Call model.compile(...) first.")
        where = "for a model that keeps its own compilation"
        check_unused(settings, (*OF_COMPILE, "freeze_epochs"), where, ', or give compile="kseg"')
        say_if_lost(model)
    return not own


def say_if_lost(model):
    """Says it before the first step if no file could give a model back as it is compiled."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras', of what is then said here
            keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    except Exception as error:  # of a user's code Keras raises whatever it runs into
        say(
            f"warning: this run could not be resumed, for Keras cannot load what it saves of it: "
            f"{own_words(error)}"
        )


def check_folder(run, overwrite, sources, more=()):
    """Raises unless a new run can start in the folder without harm to what is there.

    Args:
        run: The folder.
        overwrite: As of `kseg.fit`.
        sources: What is learned from and validated on.
        more: Paths of what else is read.
    """
    begun = (run / "run.json").exists()
    if begun and Run.open(run).is_trained() and not overwrite:
        raise refused(
            "run",
            str(run),
            "a folder that holds no run",
            "Choose another folder, resume it (resume=True), or begin it anew (overwrite=True).",
        )
    outputs = [("run", run / name) for name in (*KEPT, *SHOWN)]
    read = [file for source in sources for file in source.files()]
    check_outputs(outputs, [*read, *more], overwrite or begun)


def checked(sources, check_data):
    """The report on the data, whose errors are raised if `check_data` and warnings are said."""
    report = check(*sources, limit=CHECKED_SAMPLES, duplicates=False)
    first = report.sources[0] if report.sources else None
    if first and first.bare and first.read < first.samples:  # then all of them decide
        report = check(*sources, duplicates=False)
    if check_data:
        report.raise_on_errors()
    warnings = report.findings if not check_data else report.warnings
    for finding in warnings if len(warnings) <= MOST_SAID else warnings[: MOST_SAID - 1]:
        say(f"{finding.severity}: {finding.source}: {finding}")
    if len(warnings) > MOST_SAID:
        say(f"... and {len(warnings) - MOST_SAID + 1} more; `kseg check` and kseg.check show all")
    return report


def sized(settings, model, report):
    """The settings with the size of the crops, if they leave that open."""
    if settings.size is not None:
        return settings
    own = fixed_size(model)
    fixed = None not in own
    size = own if fixed else report.sources[0].suggested_size or FALLBACK_SIZE
    why = "the model's own size" if fixed else "as kseg check suggests by the photos' sizes"
    say(f"crops of {size[0]}x{size[1]} pixels (height x width), {why}")
    return dataclasses.replace(settings, size=size)


def effective(settings, model, built, here, task_has_loss):
    """The settings with what they leave open as it is in effect, for the run's own record.

    Args:
        settings: `Settings`.
        model: What is trained.
        built: Whether the settings have built it.
        here: Whether kseg compiles it.
        task_has_loss: Whether a loss is chosen for its task.
    """
    chosen = {"precision": network.policy_of(model)}
    if not built:
        chosen["model"] = network.GIVEN
    elif settings.start is None or settings.model:  # else it is that of the start
        chosen["model"] = settings.model or network.named_for(model)
    if here:
        chosen["learning_rate"] = optimizers.rate_of(settings)
        if task_has_loss:
            chosen["loss"] = settings.loss or losses.DEFAULT
    return dataclasses.replace(settings, **chosen)


def check_frozen(model, settings):
    """Raises `ValueError` if the encoder cannot be frozen as the settings say; else freezes it."""
    freezing.check(model, settings)
    freezing.set_frozen(model, settings, 0)


def check_steps(settings, per_epoch):
    """Raises `ValueError` unless an epoch has a whole number of calls of several steps."""
    several = settings.steps_per_execution
    if per_epoch % several:
        divisors = [n for n in range(1, per_epoch + 1) if per_epoch % n == 0]
        near = max(n for n in divisors if n <= several)
        expected = f"a divisor of the {per_epoch} steps of an epoch"
        raise refused("steps_per_execution", several, expected, f"Give {near}.")
    if several > 1 and keras.backend.backend() == "torch":
        raise refused("steps_per_execution", several, "1 on PyTorch", "Leave it out.")

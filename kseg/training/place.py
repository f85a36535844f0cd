"""Where a training stands, and how it goes on from there."""

import dataclasses
import hashlib
import warnings

import keras

from kseg.base.arguments import integer, refused
from kseg.base.words import say
from kseg.models.defaults import build_optimizer, is_own
from kseg.models.graph import step_of
from kseg.models.saving import load_model, optimizer_values, read_note
from kseg.training import freezing, state
from kseg.training.optimizers import accumulated, optimizer, rests_at_zero
from kseg.training.settings import OF_A_START, Settings, from_dict


@dataclasses.dataclass
class Place:
    """Where a training stands.

    Args:
        per_epoch: Steps in an epoch.
        epoch: Epochs that are over.
        done: Steps of the next one.
        ended: Whether it stopped by itself, before its epochs were over.
        patient_from: Rows of the history that `patience` no longer counts: it had ended there.
        rows: The history.
        arrays, remembered, optimizer: See `kseg.training.state`; empty once they are taken up.
    """

    per_epoch: int
    epoch: int = 0
    done: int = 0
    ended: bool = False
    patient_from: int = 0
    rows: list = dataclasses.field(default_factory=list)
    arrays: dict = dataclasses.field(default_factory=dict)
    remembered: list = dataclasses.field(default_factory=list)
    optimizer: dict = dataclasses.field(default_factory=dict)

    @property
    def step(self):
        """Steps of the run that are done."""
        return self.epoch * self.per_epoch + self.done

    @classmethod
    def read(cls, file, run, model, per_epoch):
        """The place of a checkpoint.

        Args:
            file: Path of the checkpoint.
            run: Its `Run`.
            model: What it holds.
            per_epoch: Steps in an epoch, with the data of the run.
        """
        note, arrays = read_note(file)
        if note is None:  # a model that was saved otherwise: what its optimizer and the run say
            epoch, done = divmod(int(model.optimizer.iterations), per_epoch)
            rows = [row for row in run.history() if row["epoch"] <= epoch]
            return cls(per_epoch, epoch, done, rows=rows)
        return cls(
            per_epoch,
            note["epoch"],
            note["done"],
            note["ended"],
            note.get("patient_from", 0),  # not of older checkpoints
            note["rows"],
            arrays,
            note["callbacks"],
            note["optimizer"],
        )


def began_with(train, own):
    """What a run keeps of what it was begun with, as `Run.begun`."""
    names = hashlib.sha256("\n".join(map(str, train.ids)).encode()).hexdigest()
    return {"samples": len(train), "names": names, "own": own}


def resumed(settings, changed, saved):
    """The settings to go on with: those of the run, but for what may be another.

    Args:
        settings: `Settings` as given; None for those of the run. What they leave open, None, is
            the run's.
        changed: dict of single settings that are given.
        saved: `Settings` of the run.

    Raises:
        ValueError: one is another, which may not be.
    """
    given = {} if settings is None else vars(settings)
    given = {name: value for name, value in {**given, **changed}.items() if value is not None}
    for name, value in given.items():
        own = getattr(saved, name)
        left_open = value == getattr(Settings(), name) and value in ({}, None)
        if value != own and name not in OF_A_START and not left_open:
            expected = f"{own!r}, with which the run was begun"
            raise refused(name, value, expected, "Give that, or begin a new run.")
    return dataclasses.replace(
        saved, **{name: value for name, value in given.items() if name in OF_A_START}
    )


def loaded(run):
    """The model of a run's last whole checkpoint, and the file."""
    file = run.checkpoint()
    if file is None:
        raise run.untrained()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        return load_model(file), file


def taken_up(model, file, run, settings, train, per_epoch):
    """Brings a loaded model to where its run stood; says what is otherwise now.

    Args:
        model: Of `loaded`, as is its `file`.
        run: The `Run` as it was.
        settings: `Settings` to go on with.
        train: `Source` to go on with.
        per_epoch: Steps in an epoch of it.

    Returns:
        `Place`.

    Raises:
        ValueError: the run cannot go on like that.
    """
    old, own = from_dict(run.settings), run.begun.get("own", not is_own(model))
    samples = run.begun.get("samples", len(train))
    before = max(1, samples // old.batch_size)
    place = Place.read(file, run, model, before)
    _check_epochs(settings, place)
    new_data = _said_of_data(run, train)
    if per_epoch != before and place.done:
        say(
            f"epoch {place.epoch + 1} begins anew: an epoch has {per_epoch} steps now, not {before}"
        )
        place.done, place.arrays = 0, state.without_metrics(place.arrays)
    place.per_epoch = per_epoch
    steps, steps_before = per_epoch * settings.epochs, before * old.epochs
    if own:
        if place.optimizer:
            state.restore_optimizer(model, place.optimizer)
        _check_rate(model, settings, place, steps_before, steps)
    else:
        values = optimizer_values(file)
        freezing.set_frozen(model, settings, place.epoch)
        compile_again(model, optimizer_of(model, settings, steps))
        _assign(model.optimizer, values)
    if per_epoch != before and not own:
        step_of(model.optimizer).assign(place.step)
    if not own and steps != steps_before:
        say(
            f"the schedule is rebuilt for {settings.epochs} epochs of {per_epoch} steps: the "
            f"learning rate goes on at {rate_at(model, place.step, settings):.3g}"
        )
    if place.ended and (settings.epochs > old.epochs or new_data):  # it is to learn on
        place.ended, place.patient_from = False, len(place.rows)
    elif place.ended and old.patience and settings.patience > old.patience:
        place.ended = False  # of the new patience there is some left
    if place.epoch >= settings.epochs or place.ended:
        _say_over(place, run)
    if not place.done:
        place.arrays = state.without_metrics(place.arrays)
    return place


def optimizer_of(model, settings, steps):
    """The optimizer of kseg's for a model."""
    from kseg.models.contract import part

    return optimizer(settings, steps, model, part("kseg.training", model).CLIPNORM)


def compile_again(model, new):
    """Compiles a model as it is, with another optimizer."""
    from kseg.models.defaults import compile_own

    config = keras.saving.deserialize_keras_object(model.get_compile_config())
    compile_own(model, **{**config, "optimizer": new})
    build_optimizer(model)


def rate_at(model, step, settings):
    """The learning rate of a step of the run, by the model's schedule."""
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return float(inner._learning_rate(step // (accumulated(settings) or 1)))


def _assign(new, values):
    variables = new.variables
    if len(values) != len(variables):
        raise ValueError(
            f"The checkpoint's optimizer has {len(values)} variables and this one "
            f"{len(variables)}: it is of another kseg or Keras. Begin a new run from its model."
        )
    for variable, value in zip(variables, values):
        variable.assign(value)


def _check_epochs(settings, place):
    begun = place.epoch + (place.done > 0)
    remedy = "Give more, or begin a new run."
    integer("epochs", settings.epochs, low=max(1, begun), remedy=remedy)


def _said_of_data(run, train):
    """Says it if the data are others than the run was begun with; whether they are."""
    now = began_with(train, None)
    if not run.begun or run.begun["names"] == now["names"]:
        return False
    if run.begun["samples"] == now["samples"]:
        say(f"other data than the run was begun with: as many, {now['samples']}, of other names")
    else:
        say(f"other data than the run was begun with: {now['samples']}, not {run.begun['samples']}")
    return True


def _check_rate(model, settings, place, steps_before, steps):
    """Raises `ValueError` if what comes would be learned at rate 0."""
    counted = int(step_of(model.optimizer))
    if rests_at_zero(model, max(counted, steps_before), counted + steps - place.step):
        expected = (
            f"at most {steps_before // place.per_epoch}, for the schedule that the model keeps is "
            "at rate 0 from there on"
        )
        remedy = "Begin a new run from its model, compiled with a longer schedule."
        raise refused("epochs", settings.epochs, expected, remedy)


def _say_over(place, run):
    why = "it had stopped by itself" if place.ended else "all its epochs are over"
    say(f"nothing is left to learn in {str(run.path)!r}: {why}. Give more epochs= to go on.")

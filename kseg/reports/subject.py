"""One run of a report: its model, what it was trained on, and what came of it, photo by photo."""

import dataclasses
import json

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.data.bad_files import naming_bad_files
from kseg.data.errors import MissingData
from kseg.data.images import image_array
from kseg.data.sample import samples
from kseg.data.source import check_is_source, spread
from kseg.data.spec import DataSpec
from kseg.evaluation.batches import unweighted_void
from kseg.evaluation.evaluate import evaluate
from kseg.evaluation.groups import FOLDER, folders_of, groups_of
from kseg.models.contract import check_source, contract, part, task_of
from kseg.runs.folds import FILE as FOLDS
from kseg.runs.folds import Folds
from kseg.runs.run import Run

FROM_PYTHON = (
    "The run was made from Python, with a Source that only that program knows: nothing says where "
    "its photos are."
)


def opened_run(path):
    """A run, or the folds that answer as one."""
    of_folds = (arguments.path("run", path, "a run folder") / FOLDS).is_file()
    return (Folds if of_folds else Run).open(path)


class Subject:
    """A run that is reported on.

    Args:
        run: A `kseg.Run`.
        model: Its model; None to load the best.

    Attributes:
        numbers: What `kseg.evaluate` gives; of a run whose data are not at hand what `kseg fit`
            has kept of it, or None.
        seen: What was counted photo by photo, of `kseg.reports.seen`; None without data.
        images: Position, id and score of each photo.
    """

    def __init__(self, run, model=None):
        self.run, self.model = run, run.load_model() if model is None else model
        self.task = task_of(self.model)
        self.about = part("kseg.reports.seen", self.model)
        about = FOLDS if isinstance(run, Folds) else "run.json"
        self.told = json.loads((run.path / about).read_text())
        self.numbers, self.seen, self.images = self._kept(), None, []

    @property
    def name(self):
        return self.run.path.resolve().name

    def _kept(self):
        try:
            kept = json.loads((self.run.path / "evaluation.json").read_text())
            return kept.get("ensemble") if isinstance(self.run, Folds) else kept
        except (OSError, ValueError):
            return None

    def check_same(self, other):
        """Raises `ValueError` unless another run can be laid beside this one."""
        for name, mine, its in (
            ("task", self.task, other.task),
            ("classes", list(self.run.class_names), list(other.run.class_names)),
        ):
            if mine != its:
                expected = f"a run of the {name} of {self.name!r}, {mine}, and it has {its}"
                raise refused("other", str(other.run.path), expected, "Report on them apart.")

    def look(self, source, chosen, group, progress):
        """Scores the model, and looks at each photo once more for what is no score.

        Args:
            source: A `Source`.
            chosen: Positions of the photos to score; the whole source as a rule.
            group: As of `kseg.evaluate`.
            progress: Function of the number of photos done.
        """
        check_source(self.model, source)
        part_of = source if len(chosen) == len(source) else source.subset(chosen)
        asked = {**self.about.SCORED, "per_image": True, "group": group}
        self.numbers = evaluate(self.model, part_of, progress=progress, **asked)
        self.images = [
            Seen(index, source.ids[index], each[self.about.KEY])
            for index, each in zip(chosen, self.numbers["per_image"])
        ]
        self.seen = self.about.Seen(source)
        with naming_bad_files(part_of):
            for done, sample in enumerate(samples(part_of), 1):
                sample = self.scored(sample, source)
                self.seen.add(sample, self.predict(sample["image"]))
                progress(len(chosen) + done)

    def scored(self, sample, source):
        """A sample as it is scored: pixels of weight 0 are void."""
        if "weight" in sample:
            sample = {**sample, "label": unweighted_void(sample, source.void)}
        return sample

    def predict(self, image):
        """What the model says of a photo, as `kseg.reports.seen` takes it."""
        return predicted(self.model, self.about, image)


def predicted(model, about, image):
    """What a model says of a photo as a source gives it.

    Args:
        model: The model.
        about: The module of its task in `kseg.reports.seen`.
        image: `(H, W, channels)`.
    """
    own = contract(model)
    return about.predict(model, image_array(image, own.channels, value_range=own.value_range))


@dataclasses.dataclass(frozen=True)
class Seen:
    """A photo that was looked at: its position, id and score, NaN where it has none."""

    index: int
    id: str
    score: float


def data_of(subject, data, split):
    """The photos to look at, or why there are none.

    Args:
        subject: A `Subject`.
        data: A `Source`; None for the run's own.
        split: Of these.

    Returns:
        The `Source` and None; or None and a sentence.
    """
    if data is not None:
        check_is_source("data", data)
        return data, None
    if not subject.run.data:
        return None, FROM_PYTHON
    try:
        spec = DataSpec.from_json(subject.run.data).for_task(subject.task)
        return spec.open(split), None
    except (MissingData, FileNotFoundError) as error:
        return None, f"The photos are not where they were: {error}"


def groups_in(source, group):
    """What photos are grouped by: as asked for, else by folder where there are several, or None.

    Raises:
        ValueError: a photo has no group, be it scored or not.
    """
    if group is None:
        return FOLDER if folders_of(source) else None
    groups_of(group, source)
    return group


def chosen_of(source, limit):
    """Positions of the photos that are looked at, evenly spread."""
    return spread(len(source), limit or len(source))


def worst_and_best(subjects, count):
    """The photos that are shown: half of them the worst, half the best; of two runs, by which
    photos the second loses most and gains most.

    Returns:
        Two lists of positions in `subject.images`.
    """
    scores = np.array([[each.score for each in subject.images] for subject in subjects])
    value = scores[-1] - scores[0] if len(subjects) > 1 else scores[0]
    known = [i for i in np.argsort(value, kind="stable").tolist() if value[i] == value[i]]
    worst = known[: (count + 1) // 2]
    best = [i for i in known[::-1] if i not in worst][: count // 2]
    return worst, best

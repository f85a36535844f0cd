"""`kseg.card`: what a model is, of which data, how good and where not, as a page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import integer, refused
from kseg.base.atomic import replacing
from kseg.base.outputs import check_outputs
from kseg.base.types import Model, PathLike
from kseg.data.source import Source, check_is_source
from kseg.evaluation.evaluate import evaluate
from kseg.evaluation.protocol import lines
from kseg.models.contract import check_source, contract, fixed_size, part
from kseg.reports.places import Places
from kseg.reports.sections import NONE, settings_of, shown, versions_of
from kseg.reports.subject import FROM_PYTHON, Subject, chosen_of, data_of, groups_in, opened_run

FILE = "card.md"
FEW = 30  # photos, below which intervals say little
LOW = 0.1  # share of the photos that are spoken of as the worst
WEAK = 3  # classes that are named as the weakest
UNSAID = (
    "data",
    "checkpoint_steps",
    "jit_compile",
    "steps_per_execution",
    "remat",
    "tensorboard",
)
ASKS = (
    "Photos unlike these were not scored: `kseg robustness` says what weather, light and noise do."
)


def card(
    model: PathLike | Model,
    path: PathLike | None = None,
    *,
    data: Source | None = None,
    split: str | None = None,
    group: str | PathLike | Mapping[str, str] | Callable[[str], str] | None = None,
    limit: int | None = None,
    surface: bool = False,
    bootstrap: int | None = 1000,
    notes: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Writes the card of a model: Markdown, to be passed on beside it.

    It says what the model is and how to use it, what it was trained on and how, its scores with
    their intervals and protocol, those of each class and group, and what it is weak at. It begins
    with the metadata that the Hugging Face Hub reads. No path of this machine is in it.

    Args:
        model: The folder of a run; or a model, of which no training is known.
        path: The Markdown file. Default None: `card.md` in the folder of the run.
        data: Labelled `Source` to score on. Default None: what the run was trained on, if it says.
        split: Of the run's own data: `"train"`, `"val"` or `"test"`. Default None: `"val"`.
        group: What photos belong together, as of `kseg.evaluate`. Default None: the folder, where
            photos lie in several.
        limit: Photos that are scored, evenly spread. Default None: all.
        surface: Of a semantic model: whether to measure surface distances too, as is usual in
            medicine, and takes longer. Default False.
        bootstrap: How many times the photos are drawn anew for the intervals. Default 1000; None
            for no intervals.
        notes: Markdown of your own, which stands at the end: what the model is for, whose the data
            are, the licence. Default None: none.
        overwrite: Whether to replace a file that is there. Default False.
        progress: Function of how many photos are scored, called after each batch. Default None.

    Returns:
        Path of the card.

    Raises:
        TypeError: an argument is of another type.
        FileNotFoundError: there is no run, or it has no model yet.
        FileExistsError: the card is there already.
        ValueError: an argument is out of its range; or the data are not of the model's task or
            classes, or not at hand.

    Example:

    >>> kseg.card("runs/mine", "mine.md", data=kseg.data.shapes("val", count=4), bootstrap=None)
    PosixPath('mine.md')

    Source: Mitchell et al., "Model Cards for Model Reporting", FAT* 2019 (arXiv:1810.03993).
    """
    if limit is not None:
        integer("limit", limit)
    if notes is not None and not isinstance(notes, str):
        raise refused("notes", notes, "text, as Markdown", error=TypeError)
    if data is not None and split is not None:
        expected = "None with data=, which is of a split already"
        raise refused("split", split, expected, "Leave it out.")
    split = "val" if split is None else split
    subject, path, own = _opened(model, path)
    check_outputs([("path", path)], own, overwrite)
    source = _source(subject, model, data, split)
    check_outputs([("path", path)], source.files(), overwrite)
    scored = subject.model if subject else model
    check_source(scored, source)
    asked = {"bootstrap": bootstrap, "progress": progress, "surface": surface}
    numbers = _numbers(scored, source, group, limit, asked)
    places = Places([source], _folders(subject))
    parts = _Parts(scored, source, numbers, subject, _name(path), places)
    text = parts.text(split if data is None else None, notes)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _opened(model, path):
    """The run as a `Subject`, or None of a model; where the card goes; files it is made of."""
    if not isinstance(model, (str, Path)):
        contract(model)  # says so if it is none
        if path is None:
            raise refused("path", path, "the name of a file, for a model has no folder")
        return None, arguments.path("path", path, "a Markdown file"), []
    run = opened_run(model)
    path = run.path / FILE if path is None else arguments.path("path", path, "a Markdown file")
    return Subject(run), path, run.files()


def _name(path):
    """Of a model without a run: that of its card, or of the folder of a `card.md`."""
    return path.resolve().parent.name if path.name == FILE else path.stem


def _source(subject, model, data, split):
    if data is not None:
        check_is_source("data", data)
        return data
    if subject is None:
        raise refused("data", data, "a labelled Source to score the model on")
    source, why = data_of(subject, None, split)
    if source is None:
        why = FROM_PYTHON if why is None else why
        raise refused("data", data, f"a labelled Source. {why}")
    return source


def _numbers(model, source, group, limit, asked):
    asked = {**part("kseg.reports.seen", model).SCORED, **asked}
    group = groups_in(source, group)
    chosen = chosen_of(source, limit)
    scored = source if len(chosen) == len(source) else source.subset(chosen)
    return evaluate(model, scored, per_image=True, group=group, **asked)


def _folders(subject):
    spec = (subject.run.data or {}).get("spec", "") if subject else ""
    kind, _, place = spec.partition(":")
    named = [place] if place and kind not in ("tfds", "shapes") else []
    return [*named, *([str(subject.run.path.resolve().parent)] if subject else [])]


class _Parts:
    """The parts of a card, each a text.

    Args:
        model: What was scored.
        source: The `Source` that it was scored on.
        numbers: What `kseg.evaluate` gave.
        subject: The `Subject` of a run; None of a model alone.
        name: Of the card where there is no run.
        places: `Places`.
    """

    def __init__(self, model, source, numbers, subject, name, places):
        self.model, self.source, self.numbers = model, source, numbers
        self.subject, self.places = subject, places
        self.about, self.own = part("kseg.reports.seen", model), contract(model)
        self.name = subject.name if subject else name

    def text(self, split, notes):
        parts = [
            self.metadata(),
            f"# {self.name}",
            self.what(),
            self.use(),
            self.data(split),
            self.training(),
            self.scores(),
            self.classes(),
            self.groups(),
            self.limits(split),
            notes.strip() if notes else "",
        ]
        return "\n\n".join(each for each in parts if each) + "\n"

    def metadata(self):
        """What the Hub reads, YAML: strings in quotes of JSON, which YAML knows."""
        data = self.places(self.source.name)
        found = [
            "---",
            "library_name: keras",
            "pipeline_tag: image-segmentation",
            f"tags: [kseg, {self.own.task}]",
            "model-index:",
            f"- name: {json.dumps(self.name)}",
            "  results:",
            "  - task: {type: image-segmentation}",
            f"    dataset: {{name: {json.dumps(data)}, type: {json.dumps(data)}}}",
            "    metrics:",
        ]
        for key, value in self._known():
            found.append(f"    - {{type: {key}, value: {value:.4f}}}")
        return "\n".join([*found, "---"])

    def what(self):
        own, size = self.own, fixed_size(self.model)
        color = {1: "grey photos", 3: "photos in colour"}.get(own.channels, f"{own.channels} bands")
        fixed = f", resized to {'x'.join(map(str, size))}" if all(size) else " of any size"
        weights = f"{self.model.count_params():,} weights"
        what = f"`{self.model.name}`, {weights}. Of {color}{fixed} it says {self.about.SAYS}."
        return f"{what}\n\nClasses: {', '.join(self.source.class_names)}."

    def use(self):
        place = self.name if self.subject else "model.keras"
        return (
            "```python\nimport kseg\n\n"
            f'kseg.load("{place}").predict("photo.jpg")\n```\n\n'
            f"or `kseg predict {place} photo.jpg -o out`."
        )

    def data(self, split):
        """What was learned from, and what was scored."""
        told = self.subject.run if self.subject else None
        rows = []
        if told:
            spec = (told.data or {}).get("spec")
            rows.append(("learned from", self.places(spec) if spec else "a set given in Python"))
            if told.begun.get("samples"):
                rows.append(("photos learned from", f"{told.begun['samples']:,}"))
        images, all_images = self.numbers["images"], len(self.source)
        spread = f" of {all_images:,}, evenly spread" if images < all_images else ""
        where = f", split {split}" if split else ""
        rows += [
            ("scored on", f"{self.places(self.source.name)}{where}"),
            ("photos scored", f"{images:,}{spread}"),
            (self.about.COUNT, f"{sum(r[self.about.COUNT] for r in self._rows()):,}"),
        ]
        return "## Data\n\n" + table(("", ""), rows)

    def training(self):
        if not self.subject:
            return ""
        history, told = self.subject.run.history(), self.subject.told
        rows = [
            (name, value)
            for name, (value,), _ in settings_of([self.subject], self.places)
            if name not in UNSAID and value != NONE
        ]
        if history:
            epochs, steps = (int(history[-1][name]) for name in ("epoch", "step"))
            rows.insert(0, ("done", f"{epochs} epochs, {steps:,} steps"))
        versions = ", ".join(f"{n} {v[0]}" for n, v in versions_of([told]))
        return f"## Training\n\n{table(('', ''), rows)}\n\nTrained with {versions}."

    def scores(self):
        spans = self.numbers.get("intervals", {})
        rows = [
            (name, shown(self.numbers[key]), span(spans.get(key))) for key, name in self._tiles()
        ]
        more = self.numbers["protocol"].get("confidence")
        headings = ["", "score"] + ([f"{more:.0%} interval"] if more else [])
        told = [f"- {self.places(line)}" for line in lines(self.numbers["protocol"])]
        rows = [row[: len(headings)] for row in rows]
        return "\n\n".join(["## Scores", table(headings, rows), "\n".join(told)])

    def classes(self):
        columns = [(k, n) for k, n in self.about.COLUMNS if all(k in row for row in self._rows())]
        rows = [
            (name, *(shown(row[key]) for key, _ in columns), f"{row[self.about.COUNT]:,}")
            for name, row in self.numbers["classes"].items()
        ]
        headings = ("class", *(name for _, name in columns), self.about.COUNT)
        return f"## Classes\n\n{table(headings, rows)}"

    def groups(self):
        groups, key = self.numbers.get("groups", {}), self.about.KEY
        if len(groups) < 2:
            return ""
        worst_first = sorted(groups.items(), key=lambda each: -np.nan_to_num(-each[1][key], nan=-9))
        rows = [
            (name, f"{row['images']:,}", shown(row[key]), span(row.get("intervals", {}).get(key)))
            for name, row in worst_first
        ]
        headings = ("group, worst first", "photos", self.about.SCORE, "interval")
        return f"## Groups\n\n{table(headings, rows)}"

    def limits(self, split):
        """What follows from the numbers."""
        about, numbers = self.about, self.numbers
        found = []
        known = [
            (r[about.BAR], n) for n, r in numbers["classes"].items() if r[about.BAR] == r[about.BAR]
        ]
        if len(known) > WEAK:
            weak = ", ".join(f"{name} {value:.3f}" for value, name in sorted(known)[:WEAK])
            found.append(f"Weakest classes, by {about.BAR.replace('_', ' ')}: {weak}.")
        each = np.array([image[about.KEY] for image in numbers["per_image"]])
        if np.isfinite(each).sum() > 1:
            low = np.nanquantile(each, LOW)
            found.append(f"One photo in ten has a {about.SCORE} below {low:.3f}.")
        if len(numbers.get("groups", {})) > 1:
            worst = numbers["worst_group"]
            value = numbers["groups"][worst].get(about.KEY, np.nan)
            found.append(f"Worst group: {worst}, {about.SCORE} {shown(value)}.")
        error = numbers.get("calibration_error", np.nan)
        if error == error:
            found.append(f"Its confidence is off by {error:.3f} in the mean (calibration error).")
        if numbers["images"] < FEW:
            found.append(f"{numbers['images']} photos are few: other ones may score differently.")
        if split == "train":
            found.append("The photos that were scored are those that it learned from.")
        return "## Limits\n\n" + "\n".join(f"- {line}" for line in [*found, ASKS])

    def _rows(self):
        return self.numbers["classes"].values()

    def _tiles(self):
        return [(key, name) for key, name in self.about.TILES if key in self.numbers]

    def _known(self):
        return [(k, self.numbers[k]) for k, _ in self._tiles() if np.isfinite(self.numbers[k])]


def table(headings, rows):
    """A table of Markdown.

    >>> print(table(("class", "IoU"), [("a|b", "0.5")]))
    | class | IoU |
    |---|---|
    | a\\|b | 0.5 |
    """
    lines_ = [headings, *rows]
    text = [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines_
    ]
    return "\n".join([text[0], "|---" * len(headings) + "|", *text[1:]])


def span(ends):
    """The ends of an interval as text.

    >>> span([0.25, 0.5]), span(None)
    ('0.250 to 0.500', '')
    """
    return f"{shown(ends[0])} to {shown(ends[1])}" if ends else ""

"""`kseg.robustness`: a model scored on photos as they are, and as other days would give them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kseg.base.arguments import integer
from kseg.base.outputs import check_outputs
from kseg.base.types import Model, PathLike
from kseg.data.source import Source, check_is_source, spread
from kseg.deployment.load import load
from kseg.evaluation.evaluate import evaluate
from kseg.models.contract import check_source, names_and_colors, part, scored_contract
from kseg.prediction.predictor import KerasPredictor, Predictor
from kseg.shifts.conditions import CLEAN, EXPOSURES, SCALES, SEVERITIES, conditions, is_common
from kseg.shifts.progress import Kept, fingerprint
from kseg.shifts.results import Robustness, mean, tables
from kseg.shifts.scenes import looked_at, scenes

WORST = 8  # photos that are named
LOOKED_AT = 100  # photos, evenly spread, that are scored one by one to find them
# Score of a class, by that of all
OF_CLASS = {"mean_iou": "iou", "mask_ap": "mask_ap"}


def robustness(
    model: Model | Predictor | PathLike,
    source: Source,
    *,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = SEVERITIES,
    scales: Sequence[float] = SCALES,
    exposures: Sequence[float] = EXPOSURES,
    group: str | None = None,
    class_map: Mapping[str, str | None] | None = None,
    images: int | None = None,
    worst: int = WORST,
    seed: int = 0,
    file: PathLike | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], object] | None = None,
) -> Robustness:
    """Scores a model under corruptions, at other scales and in other light, and scene by scene.

    The fifteen common corruptions of Hendrycks and Dietterich 2019 (arXiv:1903.12261) are looked
    at, each in five severities, as in Kamann and Rother 2020 (arXiv:1908.05005), and rain and night
    beside them; `kseg.data.corrupt` makes them. One photo is in memory at a time, or one batch.

    Args:
        model: As of `kseg.evaluate`: mean IoU is taken of what labels pixels, mask AP of what finds
            objects.
        source: A `Source` of the model's task. Of another data set with other classes, give
            `class_map`.
        corruptions: Names of `kseg.data.CORRUPTIONS`, `"rain"`, `"night"`; none is `[]`. Default
            None: all, but JPEG of photos that no JPEG holds.
        severities: From 1 to 5. Default all five.
        scales: Factors of the photos' sides. Default 0.5, 0.75, 1.5 and 2.
        exposures: Factors of their light. Default 0.25, 0.5, 2 and 4.
        group: What a scene is: `"folder"`, that of a photo; or a regular expression, searched in a
            photo's id, whose first group is the scene, as `"(.*)_"`. Default None: no scenes.
        class_map: Of one class a pixel: the source's class names -> the model's, or None for those
            that are not scored; names that both have need not be there. The model's names are those
            of its run, or ids as text. Default None: the classes are the same.
        images: Photos to look at, evenly spread over the source. Default None: all.
        worst: Photos that are named as the worst, as they are and under the worst condition; up to
            100 are scored one by one for it. Default 8.
        seed: Of all that is random in corruptions.
        file: A JSON file for the scores, written after each condition: called again with the same
            model and photos, what it holds is not computed anew. Default None.
        overwrite: Whether a file of another model, or other photos, is replaced. Default False.
        progress: Optional function of conditions done, of all there are, and the next one's name.

    Returns:
        A dict: `"score"`, what the numbers are (`"mean_iou"`, `"mask_ap"`); `"images"`;
        `"clean"`; `"mean_corrupted"`, over the severities of each of the fifteen, and then over
        them; `"retained"`, that as a share of `"clean"`; `"corruptions"` (name -> dict of
        `"severities"`, `"mean"`, `"common"`, whether one of the fifteen); `"scales"` and
        `"exposures"` (factor as text -> score); `"scenes"` (name -> dict of `"images"`, `"score"`)
        and `"worst_scene"`; `"classes"` (name -> dict of `"clean"`, `"corrupted"`); `"worst"`, a
        list of `"id"`, `"index"` in the source, `"condition"` and `"score"`, the worst first; and
        `"protocol"`. A notebook shows it as tables; `write_csv(path)` writes a row each.

    Raises:
        TypeError: `model` or `source` is something else.
        ValueError: as of `kseg.evaluate`; or an argument is out of its range.
        ImportError: the model is one of instances and pycocotools is not installed.

    Example:

    >>> val = kseg.data.shapes("val", count=4)
    >>> model = kseg.build_unet(val.num_classes, width=2, depth=2)
    >>> found = kseg.robustness(model, val, corruptions=["fog"], severities=[1, 5], scales=[0.5])
    >>> sorted(found["corruptions"]["fog"]["severities"]), list(found["scales"])
    (['1', '5'], ['0.5'])
    """
    check_is_source("source", source)
    integer("seed", seed, low=0)
    integer("worst", worst, low=0)
    model, names = _opened(model)
    source = looked_at(source, names, class_map, images)
    check_source(model, source)
    under = conditions(source, corruptions, severities, scales, exposures)
    by_scene = scenes(source, group)
    if file is not None:
        check_outputs([("file", file)], source.files(), overwrite=True)  # it may go on, see Kept
    kept = Kept(file, _protocol(model, source, class_map, seed), overwrite)
    work = _Work(model, source, kept, seed, progress)
    work.total = len(under) + len(by_scene) + (2 if worst else 0)
    found = {condition: work.score(condition) for condition in under}
    by_scene = {name: work.scene(name, rows) for name, rows in by_scene.items()}
    numbers = _numbers(work, found, by_scene)
    numbers["worst"] = work.worst(found, worst) if worst else []
    numbers["protocol"] = {**kept.protocol, "worst_of": min(LOOKED_AT, len(source))}
    summary = f"{part('kseg.evaluation', model).SCORE_NAME} {numbers['clean']:.3f} of {source.name}"
    if not np.isnan(numbers["mean_corrupted"]):
        summary += f", {numbers['mean_corrupted']:.3f} under corruption"
    return Robustness(numbers, summary, tables(numbers, summary))


class _Work:
    """What is scored, and what was: of a model and a source.

    Args:
        model, source: They.
        kept: `Kept`.
        seed, progress: As of `robustness`.
    """

    def __init__(self, model, source, kept, seed, progress):
        self.model, self.source, self.kept, self.seed = model, source, kept, seed
        self.progress = progress
        self.key = scored_contract(model).score
        self.done, self.total = 0, 0

    def score(self, condition):
        """The score under a condition, of all classes and of each."""
        return self._kept(
            condition.key, lambda: self._evaluated(condition.make(self.source, self.seed))
        )

    def scene(self, name, rows):
        """The same of the clean photos of a scene."""
        key = f"scene {name}, photos {_hashed(rows)}"  # another group may have one of that name
        return self._kept(key, lambda: self._evaluated(self.source.subset(rows)), f"scene {name}")

    def worst(self, found, count):
        """The photos of the lowest scores, as they are and under the worst condition."""
        scored = [each for each in found if not np.isnan(found[each]["score"])]
        hardest = min(scored, key=lambda each: found[each]["score"], default=None)
        clean = next(each for each in found if each.group == CLEAN)
        of_clean = self._rows(clean)
        of_hardest = [] if hardest in (None, clean) else self._rows(hardest)
        rest = of_hardest[: count // 2]
        return [*of_clean[: count - len(rest)], *rest]

    def _rows(self, condition):
        """What is said of each photo that was looked at under a condition, the worst first."""
        rows = [
            {
                "id": self.source.ids[index],
                "index": index,
                "condition": condition.key,
                "score": value,
            }
            for index, value in self._photos_under(condition)
            if not np.isnan(value)
        ]
        return sorted(rows, key=lambda row: row["score"])

    def _photos_under(self, condition):
        """Pairs of position and score under a condition, of photos evenly spread."""

        def scored():
            source = condition.make(self.source, self.seed)
            return [
                (index, self._evaluated(source.subset([index]))["score"])
                for index in spread(len(source), LOOKED_AT)
            ]

        return self._kept(f"photos, {condition.key}", scored)

    def _evaluated(self, source):
        scores = evaluate(self.model, source)
        own = OF_CLASS.get(self.key, self.key)
        classes = {name: row.get(own, float("nan")) for name, row in scores["classes"].items()}
        return {"score": scores[self.key], "images": scores["images"], "classes": classes}

    def _kept(self, key, make, shown=None):
        if self.progress:
            self.progress(self.done, self.total, shown or key)
        self.done += 1
        return self.kept.get(key, make)


def _opened(model):
    """A model, or an export, and the names of its classes: of a run's its own."""
    if isinstance(model, (str, os.PathLike)):
        model = load(model)
    if isinstance(model, KerasPredictor):
        return model.model, model.class_names
    scored_contract(model)  # says so if it is none
    return model, tuple(names_and_colors(model)[0])


def _hashed(rows):
    return hashlib.sha256(repr(list(map(int, rows))).encode()).hexdigest()[:12]


def _protocol(model, source, class_map, seed):
    """What scores are of."""
    return {
        "model": fingerprint(model),
        "source": source.name,
        "images": list(source.ids),
        "classes": list(source.class_names),
        "class_map": None if class_map is None else dict(class_map),
        "seed": seed,
    }


def _numbers(work, found, by_scene):
    clean = next(scores for each, scores in found.items() if each.group == CLEAN)
    rows = {}
    for each, scores in found.items():
        if each.group == "corruptions":
            row = rows.setdefault(each.name, {"severities": {}, "common": is_common(each)})
            row["severities"][f"{each.amount:g}"] = scores["score"]
    for row in rows.values():
        row["mean"] = mean(row["severities"].values())
    common = [scores for each, scores in found.items() if is_common(each)]
    corrupted = mean(row["mean"] for row in rows.values() if row["common"])
    scored = {name: scores["score"] for name, scores in by_scene.items()}
    known = {name: score for name, score in scored.items() if not np.isnan(score)}
    return {
        "score": work.key,
        "images": clean["images"],
        "clean": clean["score"],
        "mean_corrupted": corrupted,
        "retained": corrupted / clean["score"] if clean["score"] else float("nan"),
        "corruptions": rows,
        **{
            group: {f"{c.amount:g}": s["score"] for c, s in found.items() if c.group == group}
            for group in ("scales", "exposures")
        },
        "scenes": {
            name: {"images": scores["images"], "score": scores["score"]}
            for name, scores in by_scene.items()
        },
        "worst_scene": min(known, key=known.get, default=None),
        "classes": {
            name: {
                "clean": value,
                "corrupted": mean(scores["classes"][name] for scores in common),
            }
            for name, value in clean["classes"].items()
        },
    }

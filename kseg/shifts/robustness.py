"""`kseg.robustness`: a model scored on photos as they are, and as other days would give them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kseg.base.arguments import integer
from kseg.base.outputs import check_outputs
from kseg.base.types import Model, PathLike
from kseg.data.source import Source, check_is_source
from kseg.deployment.load import load
from kseg.evaluation.evaluate import evaluate
from kseg.evaluation.groups import groups_of
from kseg.models.contract import check_source, names_and_colors, part, scored_contract
from kseg.prediction.predictor import KerasPredictor, Predictor
from kseg.shifts.classes import looked_at
from kseg.shifts.conditions import CLEAN, EXPOSURES, SCALES, SEVERITIES, conditions, is_common
from kseg.shifts.progress import Kept, fingerprint
from kseg.shifts.results import Robustness, mean, tables

WORST = 8  # photos that are named
KEPT = 100  # photos of each condition, its worst, that a file of scores keeps
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
    group: str | PathLike | Mapping[str, str] | Callable[[str], str] | None = None,
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
        group: What a scene is, as of `kseg.evaluate`: `"folder"`, that of a photo; a regular
            expression, searched in a photo's id, whose group is the scene, as `"(.*)_"`; a `.csv`
            file; a dict or a function from an id to its scene. Default None: no scenes.
        class_map: Of one class a pixel: the source's class names -> the model's, or None for those
            that are not scored; names that both have need not be there. The model's names are those
            of its run, or ids as text. Default None: the classes are the same.
        images: Photos to look at, evenly spread over the source. Default None: all.
        worst: Photos that are named as the worst, as they are and under the worst condition; 100 at
            most. Default 8.
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
    integer("worst", worst, low=0, high=KEPT)
    model, names = _opened(model)
    source = looked_at(source, names, class_map, images)
    check_source(model, source)
    under = conditions(source, corruptions, severities, scales, exposures)
    scenes = None if group is None else groups_of(group, source)
    if file is not None:
        check_outputs([("file", file)], source.files(), overwrite=True)  # it may go on, see Kept
    kept = Kept(file, _protocol(model, source, class_map, seed), overwrite)
    found = {}
    for done, condition in enumerate(under):
        if progress:
            progress(done, len(under), condition.key)
        by = (group, scenes) if condition.group == CLEAN else (None, None)
        found[condition] = _score(kept, model, condition, source, seed, *by)
    numbers = _numbers(scored_contract(model).score, found)
    numbers["worst"] = _worst(found, source, worst)
    numbers["protocol"] = kept.protocol
    summary = f"{part('kseg.evaluation', model).SCORE_NAME} {numbers['clean']:.3f} of {source.name}"
    if not np.isnan(numbers["mean_corrupted"]):
        summary += f", {numbers['mean_corrupted']:.3f} under corruption"
    return Robustness(numbers, summary, tables(numbers, summary))


def _score(kept, model, condition, source, seed, group, scenes):
    """The scores under a condition, of all photos, of each scene if there are any, and the worst.

    Args:
        kept: `Kept`.
        model, source, seed, group: As of `robustness`.
        condition: `Condition`.
        scenes: The scene of each photo; None for none.
    """
    key = condition.key if scenes is None else f"{condition.key}, scenes {_hashed(scenes)}"
    return kept.get(key, lambda: _scored(model, condition.make(source, seed), group))


def _scored(model, source, group):
    scores = evaluate(model, source, per_image=True, group=group)
    key = scored_contract(model).score
    own = OF_CLASS.get(key, key)
    photos = [(index, each[key]) for index, each in enumerate(scores["per_image"])]
    known = [each for each in photos if not np.isnan(each[1])]
    return {
        "score": scores[key],
        "images": scores["images"],
        "classes": {name: row.get(own, float("nan")) for name, row in scores["classes"].items()},
        "scenes": {
            name: {"images": row["images"], "score": row[key]}
            for name, row in scores.get("groups", {}).items()
        },
        "photos": sorted(known, key=lambda each: each[1])[:KEPT],
    }


def _worst(found, source, count):
    """The photos of the lowest scores, as they are and under the worst condition."""
    scored = [each for each in found if not np.isnan(found[each]["score"])]
    hardest = min(scored, key=lambda each: found[each]["score"], default=None)
    clean = _clean(found)
    rest = [] if hardest in (None, clean) else _named(hardest, found, source)[: count // 2]
    return [*_named(clean, found, source)[: count - len(rest)], *rest]


def _named(condition, found, source):
    """What is said of the worst photos of a condition."""
    return [
        {"id": source.ids[index], "index": index, "condition": condition.key, "score": value}
        for index, value in found[condition]["photos"]
    ]


def _clean(found):
    return next(each for each in found if each.group == CLEAN)


def _opened(model):
    """A model, or an export, and the names of its classes: of a run's its own."""
    if isinstance(model, (str, os.PathLike)):
        model = load(model)
    if isinstance(model, KerasPredictor):
        return model.model, model.class_names
    scored_contract(model)  # says so if it is none
    return model, tuple(names_and_colors(model)[0])


def _hashed(names):
    return hashlib.sha256(repr(list(names)).encode()).hexdigest()[:12]


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


def _numbers(score, found):
    clean = found[_clean(found)]
    rows = {}
    for each, scores in found.items():
        if each.group == "corruptions":
            row = rows.setdefault(each.name, {"severities": {}, "common": is_common(each)})
            row["severities"][f"{each.amount:g}"] = scores["score"]
    for row in rows.values():
        row["mean"] = mean(row["severities"].values())
    common = [scores for each, scores in found.items() if is_common(each)]
    corrupted = mean(row["mean"] for row in rows.values() if row["common"])
    scored = {name: row["score"] for name, row in clean["scenes"].items()}
    known = {name: value for name, value in scored.items() if not np.isnan(value)}
    return {
        "score": score,
        "images": clean["images"],
        "clean": clean["score"],
        "mean_corrupted": corrupted,
        "retained": corrupted / clean["score"] if clean["score"] else float("nan"),
        "corruptions": rows,
        **{
            group: {f"{c.amount:g}": s["score"] for c, s in found.items() if c.group == group}
            for group in ("scales", "exposures")
        },
        "scenes": clean["scenes"],
        "worst_scene": min(known, key=known.get, default=None),
        "classes": {
            name: {
                "clean": value,
                "corrupted": mean(scores["classes"][name] for scores in common),
            }
            for name, value in clean["classes"].items()
        },
    }

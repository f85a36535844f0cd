"""Model + Source -> a dict of numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from kseg.base.arguments import integer, number, refused
from kseg.base.types import Dataset, Model, PathLike, Size, Threshold, Tta
from kseg.data.source import Source
from kseg.evaluation.batches import scored
from kseg.evaluation.groups import group_scores, groups_of, members
from kseg.evaluation.protocol import lines, protocol
from kseg.evaluation.resampling import intervals
from kseg.evaluation.scores import Scores
from kseg.evaluation.table import tables_of_images
from kseg.evaluation.tally import Tally
from kseg.models.contract import check_source, options, part, scored_contract
from kseg.prediction.predictor import EnsemblePredictor, KerasPredictor, Predictor

CONFIDENCE = 0.95


def evaluate(
    model: Model | Predictor | PathLike | Sequence[PathLike],
    source: Source | Dataset,
    *,
    batch_size: int | None = None,
    progress: Callable[[int], object] | None = None,
    resize: Size | None = None,
    tile: int | None = None,
    tta: Tta | None = None,
    boundary: bool = False,
    surface: bool = False,
    calibration: bool = False,
    threshold: Threshold | None = None,
    detections: int | None = None,
    overlap: float | None = None,
    min_score: float | None = None,
    max_detections: int | None = None,
    results: PathLike | None = None,
    per_image: bool = False,
    group: str | PathLike | Mapping[str, str] | Callable[[str], str] | None = None,
    bootstrap: int | None = None,
    confidence: float | None = None,
) -> Scores:
    """Scores a model on every labelled pixel or object of a source, each photo at its own size.

    Of a semantic model, one confusion matrix is counted over the whole source in 64-bit integers
    and every number follows from it; void pixels are left out, nothing else is. Contours, distances
    and confidences are looked at only if asked for, for they take longer.

    Of a multilabel model, true and false positives and negatives of each class are counted, as of a
    binary problem; labels that are void are left out.

    Of an instance model, average precision (AP) and recall (AR) are pycocotools' on the objects as
    the source has them, `kseg.metrics.average_precision`: boxes and areas are those that the
    annotation file gives, or else the masks'; crowds count neither for nor against. Panoptic
    quality, `kseg.metrics.PanopticQuality`, and the nuclei field's AP, `kseg.metrics.NucleiAP`, are
    of one map of objects: detections with a score of at least `min_score`, those of a higher score
    on top; what is then hidden by more than half is left out. Where true objects overlap, the
    smaller lies on top.

    Of each image a few numbers are kept and nothing else.

    Args:
        model: A kseg model, semantic, multilabel or of instances; what `kseg.load` gives; or the
            path of a run, a `.keras` file or an export, which is loaded; or a list of paths, or the
            folder of folds, for an ensemble (`kseg.load`). An export answers by
            itself, photo sizes and all: of an instance model without the objects of a score below
            the `min_score` that it was told, so that its AP is lower unless that was 0.
        source: A `Source` of the model's task, with its classes; or a `tf.data.Dataset` of
            `(images, labels)`, as for `model.evaluate`, whose void is 255. Colour becomes grey for
            a model of one channel.
        batch_size: Photos of the same size predicted at once. Defaults to 8; of an instance model
            to 2.
        progress: Optional function called with the number of photos done.
        resize, tile: Of a model that labels pixels, as of `kseg.predict`. Default to None: photos
            go in as they are, in tiles only where they do not fit into memory.
        tta: Ways to see each photo besides as it is, as of `kseg.predict`. Defaults to None.
        boundary: Of a semantic model, as the next two: whether to score contours too, `BoundaryIoU`
            and `BoundaryF1` of each class. Defaults to False.
        surface: Whether to measure surface distances too, in pixels (`SurfaceDistances`). Defaults
            to False.
        calibration: Whether to compare confidence and accuracy too (`ExpectedCalibrationError`).
            Defaults to False.
        threshold: Of a multilabel model: the probability above which a pixel has a class, a number,
            or one for each class. Defaults to None: 0.5; of an export what it was told.
        detections: Of an instance model, as what follows: objects of a photo that it finds at most.
            Defaults to None: as many as it was built for.
        overlap: Intersection over union above which the better of two detections of a class drops
            the other. Defaults to None: as it was built.
        min_score: Score from which on a detection has a place in the map of objects, which
            panoptic quality and nuclei AP are of. Defaults to None: 0.5.
        max_detections: Detections of a photo and class that count in AP and AR, the best ones.
            Defaults to None: 100, as in COCO, or more where the model finds more.
        results: A file for the detections in the format of COCO's results, which appears whole or
            not at all. Photos and classes have the source's `image_ids` and `category_ids`, or else
            1, 2, 3, ... by position. Defaults to None: none is written.
        per_image: Whether to give the scores of each image too. Defaults to False.
        group: What images belong together, as scenes or patients, to score each group: `"folder"`,
            the folder of the photo; a pattern with one group in parentheses that is found in the
            sample's name, as `"^([a-z]+)_"`; a `.csv` file with a line of headings, `image,group`;
            a dict or a function from a sample's name to its group. Defaults to None.
        bootstrap: How many times to draw the images anew, with replacement, for an interval of each
            score; 1000 as a rule. Defaults to None: no intervals.
        confidence: With `bootstrap`: the share of those draws that lie within the interval.
            Defaults to None: 0.95.

    Returns:
        Of a semantic model, a dict with `"images"`, `"pixels"`, `"mean_iou"`, `"mean_dice"`,
        `"mean_accuracy"`, `"pixel_accuracy"`, `"frequency_weighted_iou"`, `"classes"` (class name
        -> dict of `"iou"`, `"dice"`, `"accuracy"`, `"precision"`, `"pixels"`) and `"confusion"`
        (rows are the truth).
        A class that is neither in the truth nor predicted is NaN and left out of the means.
        With `boundary` also `"mean_boundary_iou"`, `"mean_boundary_f1"` and, by class,
        `"boundary_iou"`, `"boundary_f1"`. With `surface` also `"mean_hd95"`, `"mean_asd"` and, by
        class, `"hd95"`, `"asd"`, `"surface_images"` (photos that the mean is over) and
        `"surface_missed"` (those with the class in truth or prediction only, which count as one
        image diagonal). With `calibration` also `"calibration_error"` and `"calibration"`, by bin
        the `"pixels"`, mean `"confidence"` and `"accuracy"`.

        Of a multilabel model, the same without contours, distances and calibration: `"labels"` is
        the number of labels that were scored, each of a pixel and a class, `"pixel_accuracy"` the
        share of them that is right, `"accuracy"` of a class its recall, and `"confusion"` has
        `(C, 2, 2)` counts, rows the truth: of a class not there and there.

        Of an instance model, a dict with `"images"`, `"objects"`, `"crowds"`, `"detections"`,
        `"max_detections"` (counts); COCO's twelve numbers, `"box_ap"`, `"box_ap50"`, `"box_ap75"`,
        `"box_ap_small"`, `"box_ap_medium"`, `"box_ap_large"`, `"box_ar1"`, `"box_ar10"`,
        `"box_ar"`, `"box_ar_small"`, `"box_ar_medium"`, `"box_ar_large"`, and the same of masks,
        `"mask_ap"` and so on; `"pq"`, `"sq"`, `"rq"`; `"nuclei_ap"`, `"nuclei_ap50"`,
        `"nuclei_ap75"`, `"nuclei_ap_pooled"`; `"classes"` (class name -> dict of `"box_ap"`,
        `"mask_ap"`, `"pq"`, `"sq"`, `"rq"`, `"nuclei_ap"`, `"objects"`); and `"confusion"`, objects
        of each class by what they are found as, where the map of objects has an IoU above 0.5 with
        them: rows are the truth, the last row and column are nothing. Scores are 0..1, NaN where
        there is nothing to score; means are over the classes that have a score.
        With `per_image` also `"per_image"`, a list of dicts in the order of the source: `"name"`,
        that of the sample, and its scores, over the classes that it has. Of labels `"iou"` holds
        those of each such class; of objects `"found"`, `"invented"` and `"missed"` count what the
        map of objects has and has not.
        With `group` also `"groups"` (name -> dict of `"images"` and the scores of those),
        `"mean_of_groups"` and `"worst_group"`, the name of the one of the lowest mean IoU or mask
        AP. With `bootstrap` also `"intervals"`, score -> `[low, high]`, and those of each group.
        Always `"protocol"`: what the numbers depend on beside the model.
        The dict is a `kseg.evaluation.scores.Scores`, which a notebook shows as tables.

    Raises:
        ImportError: the model is one of instances and pycocotools is not installed.
        TypeError: `model` or `source` is something else.
        ValueError: the source's task or classes are not the model's, an option is not the model's,
            a file cannot be read, an image is not of 0..255, or the network's outputs are not
            finite.

    Example:

    >>> scores = kseg.evaluate(model, kseg.data.camvid("CamVid", split="val"))
    >>> 0 <= scores["mean_iou"] <= 1, list(scores["classes"])[:3]
    (True, ['Sky', 'Building', 'Pole'])
    >>> val = kseg.data.coco("val2017", "annotations/instances_val2017.json", instances=True)
    >>> scores = kseg.evaluate(mask_rcnn, val, results="detections.json")
    >>> 0 <= scores["mask_ap"] <= 1
    True
    """
    more = _looked_over(per_image, bootstrap, confidence)
    given = {
        "resize": resize,
        "tile": tile,
        "tta": tta,
        "boundary": boundary,
        "surface": surface,
        "calibration": calibration,
        "threshold": threshold,
        "detections": detections,
        "overlap": overlap,
        "min_score": min_score,
        "max_detections": max_detections,
        "results": results,
    }
    groups = None

    def look(source):  # before anything is scored
        nonlocal groups
        groups = None if group is None else groups_of(group, source)

    path = path_of(model)
    model, source, chosen, batch_size, counted = counted_of(
        model, source, given, batch_size, progress, look
    )
    scoring, score = part("kseg.evaluation", model), scored_contract(model).score
    numbers = counted.report() if isinstance(counted, Tally) else counted
    numbers |= _of_images(counted, source, per_image, groups, more, score)
    if group is not None:
        more = {**more, "group": str(group) if isinstance(group, (str, os.PathLike)) else "given"}
    about = {"path": path, "images": numbers["images"], "batch_size": batch_size, "more": more}
    numbers["protocol"] = protocol(model, source, chosen, **about)
    summary = f"{scoring.SCORE_NAME} {numbers[score]:.3f} of {source.name}"
    tables = [*scoring.tables(source, numbers), *tables_of_images(model, numbers)]
    notes = [*scoring.notes(numbers), *lines(numbers["protocol"])]
    return Scores(numbers, summary, tables, notes)


def counted_of(model, source, given, batch_size, progress, look=None):
    """Scores a model on every image of a source.

    Args:
        model, source, batch_size, progress: As of `evaluate`.
        given: Options of all tasks, by name; None, or False of a switch, is not given.
        look: Optional function of the source, called before anything is scored.

    Returns:
        The model that was scored, the `Source` or what stands for it, the options of its task, the
        size of batches, and the `Tally`, or of a task without one a dict of numbers.
    """
    from kseg.prediction.network import check_weights

    model = _opened(model)
    scored_contract(model)  # says so if it is none
    chosen = options("kseg.evaluation", model, given)
    source = scored(model, source)
    check_source(model, source)
    check_weights(model)
    if look is not None:
        look(source)
    scoring = part("kseg.evaluation", model)
    batch_size = integer("batch_size", scoring.BATCH_SIZE if batch_size is None else batch_size)
    counted = scoring.evaluate(model, source, batch_size=batch_size, progress=progress, **chosen)
    return model, source, chosen, batch_size, counted


def _looked_over(per_image, bootstrap, confidence):
    """What the result as a whole is asked for, for its protocol; `ValueError` if it is nonsense."""
    if bootstrap is None:
        if confidence is not None:
            remedy = "Give bootstrap=1000 beside it."
            raise refused("confidence", confidence, "None without bootstrap", remedy)
        return {}
    integer("bootstrap", bootstrap)
    if confidence is not None:
        number("confidence", confidence, above=0, below=1)
    return {"bootstrap": bootstrap, "confidence": CONFIDENCE if confidence is None else confidence}


def _of_images(counted, source, per_image, groups, more, score):
    """What is said of single images, of groups of them, and of images drawn anew."""
    if not (per_image or groups or more):
        return {}
    if not isinstance(counted, Tally):
        given = {"per_image": per_image, "group": groups, "bootstrap": more.get("bootstrap")}
        name, value = next((name, value) for name, value in given.items() if value)
        expected = f"none for a model of task {source.task!r}: nothing is kept of its images"
        raise refused(name, value, expected, "Leave it out.")
    found = {}
    if per_image:
        found["per_image"] = counted.per_image(source.ids)
    if groups:
        found |= group_scores(counted, groups, score)
    if more:
        found["intervals"] = intervals(counted, more["bootstrap"], more["confidence"])
        for name, within in zip(*members(groups)) if groups else ():
            ends = intervals(counted, more["bootstrap"], more["confidence"], within)
            found["groups"][name]["intervals"] = ends
    return found


def path_of(model):
    """Where a model was loaded from, of an ensemble a list of those; or None."""
    if isinstance(model, (list, tuple)):
        return list(model)
    if isinstance(model, EnsemblePredictor):
        return [each.path for each in model.members]
    if isinstance(model, Predictor):
        return model.path
    return model if isinstance(model, (str, os.PathLike)) else None


def _opened(model):
    """What is to be scored: a Keras model, or an export behind `kseg.load`."""
    if isinstance(model, (str, os.PathLike, list, tuple)):
        from kseg.deployment.load import load

        model = load(model)
    return model.model if isinstance(model, KerasPredictor) else model

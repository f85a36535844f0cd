"""Model + Source -> a plain dict of numbers."""

import numpy as np

from kseg.evaluate_instances import evaluate_instances
from kseg.instances import is_instance

HELD = 64  # photos of other sizes that wait for their batch to be full


def evaluate(
    model,
    source,
    *,
    batch_size=None,
    progress=None,
    boundary=False,
    surface=False,
    calibration=False,
    detections=None,
):
    """Scores a model on every labelled pixel or object of a source, each photo at its own size.

    Of a semantic model, one confusion matrix is counted over the whole source in 64-bit integers
    and every number follows from it; void pixels are left out, nothing else is. Contours, distances
    and confidences are looked at only if asked for, for they take longer.

    Of an instance model, average precision (AP) is pycocotools' on the objects as the source has
    them, `kseg.metrics.average_precision`: areas are pixels of masks, boxes are the masks', crowds
    count neither for nor against. Panoptic quality is `kseg.metrics.PanopticQuality` of detections
    with a score of at least 0.5, those of a higher score on top; what is then hidden by more than
    half is left out. Where true objects overlap, the smaller lies on top.

    Args:
        model: A kseg model, semantic or of instances.
        source: A `Source` of the model's task, with its classes.
        batch_size: Photos of the same size predicted at once. Defaults to 8; of an instance model
            to 2.
        progress: Optional function called with the number of photos done.
        boundary: Of a semantic model, as the next two: whether to score contours too, `BoundaryIoU`
            and `BoundaryF1` of each class. Defaults to False.
        surface: Whether to measure surface distances too, in pixels (`SurfaceDistances`, which
            needs SciPy). Defaults to False.
        calibration: Whether to compare confidence and accuracy too (`ExpectedCalibrationError`).
            Defaults to False.
        detections: Of an instance model: a file for the detections in the format of COCO's results,
            which appears whole or not at all. Photos and classes have the source's `image_ids` and
            `category_ids`, or else 1, 2, 3, ... by position. Defaults to None: none is written.

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

        Of an instance model, a dict with `"images"`, `"objects"`, `"crowds"`, `"detections"`
        (counts); `"box_ap"`, `"box_ap50"`, `"box_ap75"`, `"box_ap_small"`, `"box_ap_medium"`,
        `"box_ap_large"` and the same of `"mask_ap"`; `"pq"`, `"sq"`, `"rq"`; and `"classes"` (class
        name -> dict of `"box_ap"`, `"mask_ap"`, `"pq"`, `"sq"`, `"rq"`, `"objects"`). Scores are
        0..1, NaN where there is nothing to score; means are over the classes that have a score.

    Raises:
        ImportError: `surface` is asked for and SciPy is not installed, or the model is one of
            instances and pycocotools is not installed.
        ValueError: the source's task or classes are not the model's, an option is not the model's,
            or a file cannot be read.

    Example:

    >>> scores = kseg.evaluate(model, kseg.data.camvid("CamVid", split="val"))
    >>> scores["mean_iou"], scores["classes"]["Road"]["iou"]
    >>> val = kseg.data.coco("val2017", "annotations/instances_val2017.json", instances=True)
    >>> kseg.evaluate(mask_rcnn, val, detections="detections.json")["mask_ap"]
    """
    if is_instance(model):
        options = {"boundary": boundary, "surface": surface, "calibration": calibration}
        for name, value in options.items():
            if value:
                raise ValueError(f"{name}={value!r} is of semantic models; this one finds objects.")
        return evaluate_instances(
            model, source, batch_size=batch_size or 2, progress=progress, detections=detections
        )
    if detections is not None:
        raise ValueError(f"detections={detections!r} is of instance models; this one has none.")
    if source.task != "semantic":
        raise ValueError(
            f"source={source.name!r} has objects, but the model labels pixels: open the source "
            "with instances=False."
        )
    batch_size = batch_size or 8
    from kseg.data.check import check_classes, naming_bad_files
    from kseg.metrics.confusion import confusion_matrix, scores

    check_classes(model, source)
    classes = max(2, model.outputs[0].shape[-1])
    confusion = np.zeros((classes, classes), np.int64)
    extras = []
    if boundary:
        extras.append(_Boundary(source, classes))
    if surface:
        extras.append(_Surface(source, classes))
    if calibration:
        extras.append(_Calibration(source, classes))
    done = 0
    with naming_bad_files(source):
        for images, labels in _same_sized(source, batch_size):
            count = len(images)
            images = _filled(images, batch_size)
            predicted, confidence = _predicted(model, images, count, calibration)
            confusion += confusion_matrix(labels, predicted, classes, ignore_class=source.void)
            for extra in extras:
                extra.update(labels, predicted, confidence)
            done += count
            if progress:
                progress(done)
    result = scores(confusion)
    per_class = ("iou", "dice", "accuracy", "precision", "pixels")
    report = {
        "images": done,
        "pixels": int(confusion.sum()),
        **{name: float(value) for name, value in result.items() if name not in per_class},
        "classes": {
            class_name: {name: result[name][i].item() for name in per_class}
            for i, class_name in enumerate(source.class_names)
        },
        "confusion": confusion.tolist(),
    }
    for extra in extras:
        extra.add_to(report)
    return report


class _Boundary:
    """Scores of contours, from counts."""

    def __init__(self, source, classes):
        from kseg.metrics import BoundaryF1, BoundaryIoU

        options = {"class_names": source.class_names, "ignore_class": source.void}
        self.metrics = [metric(classes, **options) for metric in (BoundaryIoU, BoundaryF1)]

    def update(self, labels, predicted, confidence):
        for metric in self.metrics:
            metric.update_arrays(labels, predicted)

    def add_to(self, report):
        for metric in self.metrics:
            _add_column(report, metric.name, metric.per_class().values())


class _Surface:
    """Distances of contours, averaged over photos."""

    def __init__(self, source, classes):
        from kseg.metrics import SurfaceDistances

        self.distances = SurfaceDistances(classes, ignore_class=source.void)

    def update(self, labels, predicted, confidence):
        for truth, found in zip(labels, predicted):
            self.distances.update(truth, found)

    def add_to(self, report):
        result = self.distances.result()
        for name in ("hd95", "asd"):
            _add_column(report, name, result[name].tolist())
        for row, images, missed in zip(
            report["classes"].values(), result["images"], result["missed"]
        ):
            row.update(surface_images=int(images), surface_missed=int(missed))


class _Calibration:
    """Confidence against accuracy."""

    def __init__(self, source, classes):
        from kseg.metrics import ExpectedCalibrationError

        self.void = source.void
        self.metric = ExpectedCalibrationError(classes, ignore_class=-1)

    def update(self, labels, predicted, confidence):
        valid = ~np.isin(labels, () if self.void is None else self.void)
        count = int(valid.sum())
        if not count:
            return
        # A row of 2**n pixels, filled up with void: JAX compiles for every shape anew.
        rows = np.full((3, 1, 1 << (count - 1).bit_length()), -1.0, "float32")
        for row, values in zip(rows, (labels, predicted, confidence)):
            row[0, :count] = values[valid]
        self.metric.update_confidence(*rows)

    def add_to(self, report):
        bins = self.metric.reliability()
        error = float(self.metric.result()) if bins["pixels"].any() else np.nan
        report["calibration_error"] = float(error)
        report["calibration"] = {name: values.tolist() for name, values in bins.items()}


def _add_column(report, name, values):
    """Puts a score of each class into the report, and its mean over the classes that have one."""
    for row, value in zip(report["classes"].values(), values, strict=True):
        row[name] = value
    defined = [row[name] for row in report["classes"].values() if not np.isnan(row[name])]
    report[f"mean_{name}"] = float(np.mean(defined)) if defined else np.nan


def _predicted(model, images, count, with_confidence):
    """Ids of the first `count` images, and their confidence, or None where it is not asked for."""
    from kseg.predict import confident_labels_on_batch, labels_on_batch

    if not with_confidence:
        return labels_on_batch(model, images)[:count], None
    labels, confidence = confident_labels_on_batch(model, images)
    return labels[:count], confidence[:count]


def _same_sized(source, batch_size):
    """Batches of photos of one size, as arrays; at most `HELD` photos wait for others like them."""
    from kseg.data.pipeline import samples

    waiting = {}

    def taken(shape):
        return tuple(map(np.stack, zip(*waiting.pop(shape))))

    for sample in samples(source):
        image, label = sample["image"], sample["label"]
        alike = waiting.setdefault(image.shape, [])
        alike.append((image, label))
        if len(alike) == batch_size:
            yield taken(image.shape)
        elif sum(map(len, waiting.values())) > HELD:
            yield taken(max(waiting, key=lambda shape: len(waiting[shape])))
    for shape in list(waiting):
        yield taken(shape)


def _filled(images, batch_size):
    """An incomplete batch, on JAX filled up to 1, 2, 4, ...: it compiles for every shape anew."""
    import keras

    count = len(images)
    if keras.backend.backend() != "jax" or count == batch_size:
        return images
    wanted = min(1 << (count - 1).bit_length(), batch_size)
    return np.concatenate([images, np.repeat(images[-1:], wanted - count, axis=0)])

"""Makes metrics.npz: the scores of other implementations on the cases of metric_cases.py.

Run in an environment with torch, scikit-learn, segmentation-models-pytorch, monai, scipy and
opencv-python-headless:

    python tests/parity/make_metrics.py

Where two references define the same number, both are run and must agree. Void pixels are taken out
before scikit-learn is called; MONAI's surface distances are asked for only without void, and those
with void follow SciPy's erosion and distance transform. Boundary IoU and the contours' F are
written here with OpenCV after the authors' descriptions, mask by mask, and with void.
"""

import warnings
from importlib.metadata import version
from pathlib import Path

import cv2
import monai.metrics as monai
import numpy as np
import segmentation_models_pytorch.metrics as smp
import sklearn.metrics as sklearn
import torch
from metric_cases import BINS, COUNT, case, predicted_ids
from scipy import ndimage
from sklearn.calibration import calibration_curve

MOST = 6  # classes of any case; rows of fewer are filled with NaN


def main():
    warnings.simplefilter("ignore")  # of the references, on absent classes
    columns = {}
    for index in range(COUNT):
        y_true, y_pred, distance = case(index)
        classes = max(y_pred.shape[-1], 2)
        ids = predicted_ids(y_pred)
        row = {"input": y_pred.astype("float64").sum() + y_true.sum()}
        row |= overlaps(y_true, ids, classes)
        row |= per_image(y_true, ids, classes)
        row |= surfaces(y_true, ids, classes)
        row |= boundary_iou(y_true, ids, classes, distance)
        row |= boundary_f1(y_true, ids, classes, distance)
        row |= calibration(y_true, y_pred, ids)
        for name, value in row.items():
            columns.setdefault(name, []).append(filled(name, np.asarray(value, "float64")))
    columns = {name: np.array(rows) for name, rows in columns.items()}
    packages = ("scikit-learn", "segmentation_models_pytorch", "monai", "scipy")
    packages += ("opencv-python-headless", "torch", "numpy")
    versions = [f"{name} {version(name)}" for name in packages]
    path = Path(__file__).with_name("metrics.npz")
    np.savez_compressed(path, versions=versions, **columns)
    print(path, f"{path.stat().st_size / 1e3:.0f} kB", *versions, sep="\n")


def filled(name, value):
    """A score's row with its class axis of length MOST, and its image axis, if any, of 3."""
    if value.ndim == 0 or name == "bin_pixels":
        return value
    pad = [(0, 0)] * (value.ndim - 1) + [(0, MOST - value.shape[-1])]
    if name == "confusion":
        pad[0] = pad[1]
    if name in ("dice_image", "iou_image", "hd95", "asd", "boundary_f1"):
        pad[0] = (0, 3 - value.shape[0])
    return np.pad(value, pad, constant_values=np.nan)


def overlaps(y_true, ids, classes):
    """Scores over all pixels: scikit-learn, and segmentation-models-pytorch where it agrees."""
    valid = y_true != 255
    true, predicted, labels = y_true[valid], ids[valid], range(classes)
    confusion = sklearn.confusion_matrix(true, predicted, labels=labels)
    tp, fp, fn, _ = (
        part.sum(0)
        for part in smp.get_stats(
            torch.tensor(ids),
            torch.tensor(y_true.astype("int64")),
            mode="multiclass",
            num_classes=classes,
            ignore_index=255,
        )
    )
    np.testing.assert_array_equal(tp, np.diag(confusion))
    np.testing.assert_array_equal(tp + fp, confusion.sum(0))
    np.testing.assert_array_equal(tp + fn, confusion.sum(1))

    options = {"labels": labels, "average": None}
    iou = sklearn.jaccard_score(true, predicted, zero_division=0, **options)
    iou[confusion.sum(0) + confusion.sum(1) == 0] = np.nan
    result = {
        "iou": iou,
        "dice": sklearn.f1_score(true, predicted, zero_division=np.nan, **options),
        "precision": sklearn.precision_score(true, predicted, zero_division=np.nan, **options),
        "recall": sklearn.recall_score(true, predicted, zero_division=np.nan, **options),
    }
    smp_result = {
        "iou": smp.iou_score(tp, fp, fn, 0 * tp, zero_division=np.nan),
        "dice": smp.f1_score(tp, fp, fn, 0 * tp, zero_division=np.nan),
        "precision": smp.precision(tp, fp, fn, 0 * tp, zero_division=np.nan),
        "recall": smp.recall(tp, fp, fn, 0 * tp, zero_division=np.nan),
    }
    for name, value in result.items():
        np.testing.assert_allclose(smp_result[name], value, rtol=1e-6)
    return {
        "confusion": confusion,
        **result,
        "pixel_accuracy": sklearn.accuracy_score(true, predicted),
        "frequency_weighted_iou": sklearn.jaccard_score(
            true, predicted, labels=labels, average="weighted", zero_division=0
        ),
    }


def one_hot(ids, classes):
    """(B, C, H, W), all zero at void."""
    return torch.tensor(ids[:, None] == np.arange(classes)[:, None, None])


def per_image(y_true, ids, classes):
    """MONAI's Dice and IoU of each image and class; NaN where the class is not in the truth."""
    predicted = one_hot(np.where(y_true == 255, 255, ids), classes)
    true = one_hot(y_true, classes)
    dice = monai.DiceMetric(include_background=True, reduction="none")
    iou = monai.MeanIoU(include_background=True, reduction="none")
    return {"dice_image": dice(predicted, true), "iou_image": iou(predicted, true)}


def surfaces(y_true, ids, classes):
    """95 % Hausdorff and average symmetric surface distance of each image and class."""
    hd95, asd = np.full((2, len(y_true), classes), np.nan)
    for image, (truth, predicted) in enumerate(zip(y_true, ids)):
        void = truth == 255
        for c in range(classes):
            edges = [
                (mask & ~void) & ~ndimage.binary_erosion(mask | void)
                for mask in (truth == c, predicted == c)
            ]
            if edges[0].any() and edges[1].any():
                there, back = (
                    ndimage.distance_transform_edt(~other)[one]
                    for one, other in (edges, edges[::-1])
                )
                hd95[image, c] = max(np.percentile(there, 95), np.percentile(back, 95))
                asd[image, c] = np.concatenate([there, back]).mean()
            elif edges[0].any() or edges[1].any():
                hd95[image, c] = asd[image, c] = np.inf
    if not (y_true == 255).any():
        true, predicted = one_hot(y_true, classes).float(), one_hot(ids, classes).float()
        both = np.isfinite(hd95)
        reference = monai.compute_hausdorff_distance(
            predicted, true, include_background=True, percentile=95
        )
        np.testing.assert_allclose(hd95[both], reference.numpy()[both], rtol=1e-5)
        reference = monai.compute_average_surface_distance(
            predicted, true, include_background=True, symmetric=True
        )
        np.testing.assert_allclose(asd[both], reference.numpy()[both], rtol=1e-5)
    return {"hd95": hd95, "asd": asd}


def whole_pixels(share, shape, rounding):
    return share if share >= 1 else int(rounding(share * np.sqrt(shape[0] ** 2 + shape[1] ** 2)))


def boundary_iou(y_true, ids, classes, distance):
    """Counts of Cheng et al. 2021: a mask less its erosion by d times a 3x3 kernel, zero outside.

    Void belongs to every mask while it is eroded, and to none when pixels are counted.
    """
    d = max(whole_pixels(distance, y_true.shape[1:], np.round), 1)
    counts = np.zeros((3, classes))
    for truth, predicted in zip(y_true, ids):
        void = truth == 255
        for c in range(classes):
            bands = []
            for mask in (truth == c, predicted == c):
                padded = np.pad((mask | void).astype("uint8"), 1)
                eroded = cv2.erode(padded, np.ones((3, 3), "uint8"), iterations=d)[1:-1, 1:-1]
                bands.append(mask & ~void & (eroded == 0))
            counts[:, c] += [(bands[0] & bands[1]).sum(), bands[0].sum(), bands[1].sum()]
    return {"boundary_iou": counts}


def boundary_f1(y_true, ids, classes, distance):
    """Counts of Perazzi et al. 2016 (DAVIS), each image: contours matched within a disk.

    A pixel is on a mask's contour where it differs from its right, lower or lower right neighbour;
    where either is void they do not differ.
    """
    r = whole_pixels(distance, y_true.shape[1:], np.ceil)
    y, x = np.ogrid[-r : r + 1, -r : r + 1]
    disk = (y * y + x * x <= r * r).astype("uint8")

    def contour(mask, valid):
        line = np.zeros_like(mask)
        here, there = np.s_[:-1, :-1], np.s_[1:, 1:]
        line[here] |= (mask[here] != mask[there]) & valid[here] & valid[there]
        line[:-1] |= (mask[:-1] != mask[1:]) & valid[:-1] & valid[1:]
        line[:, :-1] |= (mask[:, :-1] != mask[:, 1:]) & valid[:, :-1] & valid[:, 1:]
        return line

    counts = np.zeros((len(y_true), 4, classes))
    for image, (truth, guess) in enumerate(zip(y_true, ids)):
        valid = truth != 255
        for c in range(classes):
            true, predicted = contour(truth == c, valid), contour(guess == c, valid)
            near_true, near_predicted = (
                cv2.dilate(line.astype("uint8"), disk) > 0 for line in (true, predicted)
            )
            matched = (true & near_predicted).sum(), (predicted & near_true).sum()
            counts[image, :, c] = [true.sum(), matched[0], predicted.sum(), matched[1]]
    return {"boundary_f1": counts}


def calibration(y_true, y_pred, ids):
    """ECE of Guo et al. 2017 in float64, bin by bin; scikit-learn's curve must agree with it."""
    valid = y_true != 255
    logits = y_pred[valid].astype("float64")
    if logits.shape[-1] == 1:
        logits = np.concatenate([0 * logits, logits], -1)
    probability = np.exp(logits - logits.max(-1, keepdims=True))
    confidence = (probability / probability.sum(-1, keepdims=True)).max(-1)
    correct = ids[valid] == y_true[valid]
    error, pixels, accuracies, confidences = 0.0, [], [], []
    for low in range(BINS):
        inside = (confidence > low / BINS) & (confidence <= (low + 1) / BINS)
        pixels.append(inside.sum())
        if inside.any():
            accuracies.append(correct[inside].mean())
            confidences.append(confidence[inside].mean())
            error += inside.mean() * abs(accuracies[-1] - confidences[-1])
    curve = calibration_curve(correct, confidence, n_bins=BINS)
    np.testing.assert_allclose(curve, (accuracies, confidences), rtol=1e-9)
    return {"calibration_error": error, "bin_pixels": pixels}


if __name__ == "__main__":
    main()

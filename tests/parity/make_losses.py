"""Makes losses.npz: the losses of other implementations on the cases of loss_cases.py.

Run in an environment with torch, segmentation-models-pytorch, monai and scipy:

    python tests/parity/make_losses.py

Void pixels are taken out before a reference is called, so no reference's own handling of them
enters. Where two references define the same loss, both are run and must agree. Comments say with
which arguments a reference computes what kseg does; `smooth` is kseg's 1e-5 throughout.
"""

import warnings
from importlib.metadata import version
from pathlib import Path

import monai.losses as monai
import numpy as np
import segmentation_models_pytorch.losses as smp
import torch
import torch.nn.functional as F
from loss_cases import CLASS_WEIGHT, COUNT, case
from scipy.ndimage import distance_transform_edt
from segmentation_models_pytorch.losses import _functional, lovasz

SMOOTH = 1e-5


class Pixels:
    """The valid pixels of some images: `x` float64 (N, channels), `t` int64 (N,)."""

    def __init__(self, y_true, y_pred):
        valid = y_true != 255
        self.x = torch.tensor(y_pred[valid].astype("float64"))
        self.t = torch.tensor(y_true[valid].astype("int64"))
        self.binary = y_pred.shape[-1] == 1
        self.classes = max(y_pred.shape[-1], 2)
        self.present = [c for c in range(self.classes) if (self.t == c).any()]

    @property
    def flat(self):
        """Logits (1, channels, N), and labels (1, N)."""
        return self.x.T[None], self.t[None]

    @property
    def logits(self):
        """Logits of two classes and more: those of one channel x are (0, x)."""
        return torch.cat([0 * self.x, self.x], 1) if self.binary else self.x


def main():
    warnings.simplefilter("ignore")  # of the references, on their own arguments
    columns = {}
    for index in range(COUNT):
        y_true, y_pred, _ = case(index)
        pixels = Pixels(y_true, y_pred)
        images = [Pixels(t, p) for t, p in zip(y_true, y_pred) if (t != 255).any()]
        row = {"input": y_pred.astype("float64").sum() + y_true.sum()}
        row |= pixelwise(pixels) | overlaps(pixels, images) | lovaszes(pixels, images)
        row |= boundaries(y_true, y_pred, pixels)
        for name, value in row.items():
            columns.setdefault(name, []).append(float(value))
    packages = ("torch", "segmentation-models-pytorch", "monai", "scipy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    columns = {name: np.array(values) for name, values in columns.items()}
    np.savez_compressed(Path(__file__).with_name("losses.npz"), versions=versions, **columns)
    print(versions, {name: len(values) for name, values in columns.items()})


def pixelwise(pixels):
    """Means over pixels."""
    x, t = pixels.logits, pixels.t
    weight = torch.tensor(CLASS_WEIGHT[: pixels.classes], dtype=torch.float64)
    every = F.cross_entropy(x, t, reduction="none")
    count = max(1, round(0.25 * len(t)))
    p = F.softmax(x, 1)
    one_hot = F.one_hot(t, pixels.classes).double()
    p, one_hot = (p[:, 1:], one_hot[:, 1:]) if pixels.binary else (p, one_hot)
    row = {
        "cross_entropy": F.cross_entropy(x, t),
        "cross_entropy_weighted": F.cross_entropy(x, t, weight=weight),
        "cross_entropy_smooth": F.cross_entropy(x, t, label_smoothing=0.1),
        "cross_entropy_ohem": torch.topk(every, count).values.mean(),
        # torch divides by the number of channels too
        "l1": F.l1_loss(p, one_hot) * p.shape[1],
        "l2": F.mse_loss(p, one_hot) * p.shape[1],
    }
    if pixels.binary:
        same(row["cross_entropy"], F.binary_cross_entropy_with_logits(pixels.x[:, 0], t.double()))
    row["focal"] = focal(pixels, gamma=2.0, alpha=None)
    row["focal_alpha"] = focal(pixels, gamma=1.5, alpha=0.25)
    return row


def focal(pixels, gamma, alpha):
    logits, labels = pixels.flat
    loss = monai.FocalLoss(
        to_onehot_y=not pixels.binary, use_softmax=not pixels.binary, gamma=gamma, alpha=alpha
    )
    # MONAI's mean runs over classes too, of which all but the true one cost 0
    value = loss(logits, labels[:, None]) * logits.shape[1]
    if pixels.binary:  # smp's multi-class mode is one sigmoid a class: another loss
        other = smp.FocalLoss("binary", gamma=gamma, alpha=alpha)(logits, labels)
        return same(other, value)
    if alpha is None:
        other = _functional.softmax_focal_loss_with_logits(logits, labels, gamma=gamma)
        return same(other, value)
    return value


def overlaps(pixels, images):
    """Dice, Jaccard and Tversky. smp costs absent classes nothing, MONAI counts them."""
    return {
        # smp has I + s over I + FP / 2 + FN / 2 + s where kseg has 2 I + s over P + T + s
        "dice": of_present(smp.DiceLoss, pixels, smooth=SMOOTH / 2),
        "dice_weighted": of_present(smp.DiceLoss, pixels, weighted=True, smooth=SMOOTH / 2),
        "dice_penalize": monai_overlap(monai.DiceLoss, pixels, SMOOTH),
        "dice_image": np.mean([monai_overlap(monai.DiceLoss, p, SMOOTH) for p in images]),
        "jaccard": of_present(smp.JaccardLoss, pixels, smooth=SMOOTH),
        # MONAI doubles both parts of the fraction: 2 I + s over 2 (P + T - I) + s
        "jaccard_penalize": monai_overlap(monai.DiceLoss, pixels, 2 * SMOOTH, jaccard=True),
        "tversky": of_present(smp.TverskyLoss, pixels, smooth=SMOOTH, alpha=0.3, beta=0.7),
        "tversky_penalize": monai_overlap(monai.TverskyLoss, pixels, SMOOTH, alpha=0.3, beta=0.7),
        # smp takes the power of the mean, kseg the mean of the powers: class by class here
        "focal_tversky": np.mean(
            [
                float(
                    smp.TverskyLoss(*mode, smooth=SMOOTH, alpha=0.3, beta=0.7, gamma=0.75)(
                        *pixels.flat
                    )
                )
                for mode in (
                    [("binary",)]
                    if pixels.binary
                    else [("multiclass", [c]) for c in pixels.present]
                )
            ]
        ),
    }


def of_present(loss, pixels, weighted=False, **options):
    """smp's mean runs over all classes, with 0 for the absent ones; kseg's over those present."""
    if pixels.binary:
        return float(loss("binary", **options)(*pixels.flat))
    weights = np.array(CLASS_WEIGHT[: pixels.classes] if weighted else [1.0] * pixels.classes)
    value = loss("multiclass", class_weights=list(weights), **options)(*pixels.flat)
    return float(value) * weights.sum() / weights[pixels.present].sum()


def monai_overlap(loss, pixels, smooth, **options):
    logits, labels = pixels.flat
    options |= {"softmax": not pixels.binary, "to_onehot_y": not pixels.binary}
    options |= {"sigmoid": pixels.binary, "smooth_nr": smooth, "smooth_dr": smooth, "batch": True}
    return float(loss(**options)(logits, labels[:, None]))


def lovaszes(pixels, images):
    """In float32, as smp's running sums are."""
    nan = float("nan")
    return {
        "lovasz": lovasz_softmax(pixels),
        "lovasz_image": np.mean(
            [lovasz_softmax(p) for p in images if not p.binary or 1 in p.present] or [0.0]
        ),
        "lovasz_hinge": smp.LovaszLoss("binary")(pixels.x[:, 0].float()[None], pixels.t[None])
        if pixels.binary
        else nan,
        "lovasz_hinge_image": np.mean(
            [float(smp.LovaszLoss("binary")(p.x[:, 0].float()[None], p.t[None])) for p in images]
        )
        if pixels.binary
        else nan,
    }


def lovasz_softmax(pixels):
    """smp has the hinge alone for a single channel; its softmax of two classes is the sigmoid."""
    if not pixels.binary:
        logits, labels = pixels.flat
        return float(smp.LovaszLoss("multiclass")(logits.float()[..., None], labels))
    if 1 not in pixels.present:
        return 0.0
    p = F.softmax(pixels.logits.float(), 1)
    return float(lovasz._lovasz_softmax_flat(p, pixels.t, classes=[1]))


def boundaries(y_true, y_pred, pixels):
    """SciPy's exact distances, image by image and class by class."""
    scored = range(1 if pixels.binary else 0, pixels.classes)
    phi = np.zeros((*y_true.shape, pixels.classes, 2))
    for image, labels in enumerate(y_true):
        for c in scored:
            inside = labels == c
            others = ~inside & (labels != 255)
            if inside.any() and others.any():
                outer, inner = distance_transform_edt(~inside), distance_transform_edt(~others)
                for k, limit in enumerate((np.inf, 2.5)):
                    cut = np.minimum(inner, limit), np.minimum(outer, limit)
                    phi[image, ..., c, k] = np.where(inside, 1 - cut[0], cut[1])
    phi = phi[y_true != 255][:, list(scored)]  # (N, C, 2)
    p = F.softmax(pixels.logits, 1).numpy()[:, list(scored), None]
    exact, cut = (p * phi).mean((0, 1))
    return {"boundary": exact, "boundary_cut": cut}


def same(value, other):
    assert abs(float(value) - float(other)) <= 1e-6 * max(1, abs(float(value))), (value, other)
    return value


if __name__ == "__main__":
    main()

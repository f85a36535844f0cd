"""The checkpoints that torchvision publishes: where they are, and whether a file is the one meant.

The eight hexadecimal digits in a file's name are the beginning of its SHA-256, so the table needs
no other fingerprint. Scores and licence terms stand on torchvision's model pages.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import keras

from kseg.base.arguments import choice, refused
from kseg.base.types import PathLike

BASE = "https://download.pytorch.org/models/"

# model -> {weights: file}, the best last
FILES = {
    "resnet18": {"IMAGENET1K_V1": "resnet18-f37072fd.pth"},
    "resnet34": {"IMAGENET1K_V1": "resnet34-b627a593.pth"},
    "resnet50": {
        "IMAGENET1K_V1": "resnet50-0676ba61.pth",
        "IMAGENET1K_V2": "resnet50-11ad3fa6.pth",
    },
    "resnet101": {
        "IMAGENET1K_V1": "resnet101-63fe2227.pth",
        "IMAGENET1K_V2": "resnet101-cd907fc2.pth",
    },
    "resnet152": {
        "IMAGENET1K_V1": "resnet152-394f9c45.pth",
        "IMAGENET1K_V2": "resnet152-f82ba261.pth",
    },
    "fcn_resnet50": {"COCO_WITH_VOC_LABELS_V1": "fcn_resnet50_coco-1167a1af.pth"},
    "fcn_resnet101": {"COCO_WITH_VOC_LABELS_V1": "fcn_resnet101_coco-7ecb50ca.pth"},
    "deeplabv3_resnet50": {"COCO_WITH_VOC_LABELS_V1": "deeplabv3_resnet50_coco-cd0a2569.pth"},
    "deeplabv3_resnet101": {"COCO_WITH_VOC_LABELS_V1": "deeplabv3_resnet101_coco-586e9e4e.pth"},
    "maskrcnn_resnet50_fpn": {"COCO_V1": "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"},
}


def fetch(model: str, weights: str | None = None, *, cache_dir: PathLike | None = None) -> Path:
    """Downloads a published checkpoint, once, and checks that it is the one that was published.

    Args:
        model: A name out of `FILES`, for example `"deeplabv3_resnet50"`.
        weights: torchvision's name of the weights, such as `"IMAGENET1K_V1"`; None for the best.
        cache_dir: Folder to keep it under; None for Keras' own (`$KERAS_HOME` or `~/.keras`).

    Returns:
        `pathlib.Path` of the local file.

    Raises:
        ValueError: no such name, or the file is not the published one.
        ConnectionError: the download failed.

    Example:

    >>> model = kseg.build_deeplabv3(num_classes=21)  # doctest: +SKIP
    >>> file = kseg.weights.fetch("deeplabv3_resnet50")  # doctest: +SKIP
    >>> kseg.weights.torchvision.load(model, file)  # doctest: +SKIP
    """
    files = FILES[choice("model", model, tuple(FILES))]
    weights = list(files)[-1] if weights is None else choice("weights", weights, tuple(files))
    url = BASE + files[weights]
    try:
        path = keras.utils.get_file(origin=url, cache_subdir="kseg", cache_dir=cache_dir)
    except Exception as error:  # get_file raises bare Exception where a download fails
        raise ConnectionError(
            f"{url} could not be downloaded ({error}). Without a network, copy the file here by "
            "other means and pass its path in place of fetch(...)."
        ) from error
    check(path)
    return Path(path)


def check(path):
    """Raises `ValueError` unless a file's SHA-256 begins as its name says (`name-01234567.pth`)."""
    path = Path(path)
    expected = re.search(r"-([0-9a-f]{8,})\.pth$", path.name).group(1)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(expected):
        raise refused(
            f"SHA-256 of {str(path)!r}",
            digest[: len(expected)],
            f"{expected!r} as its beginning",
            "The file is damaged or incomplete. Delete it to download it again.",
        )

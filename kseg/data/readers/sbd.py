"""The masks of the Semantic Boundaries Dataset, as PNGs.

Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011. SBD outlines 11,355 photos
of Pascal VOC, in MATLAB files that TensorFlow cannot read; they are converted once.
"""

import dataclasses
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from kseg.data.errors import DataError, MissingData
from kseg.data.files import PALETTE
from kseg.data.listing import MASKS, list_files, stem
from kseg.data.texts import text_of

CONVERTED = "kseg_png"  # folder beside the MATLAB files


KINDS = {"cls": "GTcls", "inst": "GTinst"}  # folder -> the variable in its files


@dataclasses.dataclass(frozen=True)
class Masks:
    """Paths by photo id. `photos` and `objects` are empty for a folder of PNGs of classes."""

    classes: dict
    objects: dict
    photos: dict


def sbd_masks(sbd, exclude, instances=False):
    """The masks of SBD's train and val photos, converted where they are not yet.

    Args:
        sbd: Folder that holds `benchmark_RELEASE`, or that, or its `dataset`; or a folder of PNGs
            of class ids, named by photo id.
        exclude: Set of photo ids to leave out.
        instances: Whether the masks of objects are wanted too.

    Returns:
        `Masks`.

    Raises:
        FileNotFoundError: the folder holds neither, or lacks a file of its lists.
        ValueError: a MATLAB file is damaged, or `instances` is asked of PNGs of classes.
    """
    sbd = Path(sbd).expanduser()
    dataset = next(
        (
            folder
            for folder in (sbd, sbd / "dataset", sbd / "benchmark_RELEASE" / "dataset")
            if (folder / "cls").is_dir()
        ),
        None,
    )
    if dataset is None:
        if not sbd.is_dir() or not any(sbd.glob("*.png")):
            raise MissingData(
                "missing",
                sbd,
                f"sbd={str(sbd)!r}: expected benchmark_RELEASE of SBD, with dataset/cls in it, or "
                "a folder of PNGs such as SegmentationClassAug.",
            )
        if instances:
            raise DataError(
                "unsuitable",
                sbd,
                f"sbd={str(sbd)!r} holds masks of classes alone, but instances=True needs those of "
                "objects.",
                "Give SBD's own benchmark_RELEASE.",
            )
        pngs = {stem(path): path for path in list_files(sbd, MASKS, "sbd")}
        return Masks({name: pngs[name] for name in sorted(set(pngs) - exclude)}, {}, {})

    ids = sorted(_listed(dataset) - exclude)
    return Masks(
        _converted(dataset, "cls", ids),
        _converted(dataset, "inst", ids) if instances else {},
        {name: str(dataset / "img" / f"{name}.jpg") for name in ids},
    )


def _listed(dataset):
    ids = set()
    for split in ("train.txt", "val.txt"):
        path = dataset / split
        if not path.is_file():
            message = f"{str(path)!r} does not exist: expected SBD's list of photos."
            raise MissingData("missing", path, message)
        ids |= set(text_of(path).split())
    return ids


def _converted(dataset, kind, ids):
    """Paths of the PNGs of these photos' masks of one kind, by id."""
    folder = dataset / CONVERTED / kind
    folder.mkdir(parents=True, exist_ok=True)
    there = set(os.listdir(folder))
    for name in ids:
        if f"{name}.png" not in there:
            _convert(dataset / kind / f"{name}.mat", KINDS[kind], folder / f"{name}.png")
    return {name: str(folder / f"{name}.png") for name in ids}


def _convert(path, variable, png):
    mask = read_mat(path, variable)
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)
    # under a name of its own first: whoever is stopped half-way leaves no half PNG, and two
    # programs may convert at the same time
    handle, temporary = tempfile.mkstemp(prefix=png.stem, suffix=".tmp", dir=png.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            image.save(file, "png")
        os.replace(temporary, png)
    except BaseException:
        os.unlink(temporary)
        raise


def read_mat(path, variable):
    """The mask in one of SBD's MATLAB files: `{variable}.Segmentation`, uint8 `(H, W)`."""
    from scipy.io import loadmat

    if not path.is_file():
        message = f"{str(path)!r} is in SBD's lists but does not exist."
        raise MissingData("missing", path, message, "Unpack it.")
    try:
        mask = loadmat(path, variable_names=[variable])[variable]["Segmentation"][0, 0]
    except Exception as error:  # scipy raises whatever a damaged file leads it to
        raise DataError(
            "unreadable",
            path,
            f"{str(path)!r} holds no readable {variable}.Segmentation ({error}).",
            "Unpack it again.",
        ) from error
    if mask.ndim != 2 or mask.dtype.kind not in "ui" or mask.max(initial=0) > 255:
        raise DataError(
            "malformed",
            path,
            f"{str(path)!r}: {variable}.Segmentation is {mask.dtype} {mask.shape}; expected a map "
            "of ids 0..255.",
        )
    return mask.astype(np.uint8)

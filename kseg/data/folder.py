"""Any pair of folders: photos in one, masks of the same names in the other."""

import os
import zlib

import numpy as np
from PIL import Image

from kseg.data.decode import decode_colors, decode_mask, read_photo, relabel
from kseg.data.files import MASKS, PHOTOS, column, list_files, load_mask, pair_by_name, stem
from kseg.data.source import VOID, Source, default_colors

PROBED = 16  # masks looked into before the set is accepted


def folder(
    images,
    masks,
    class_names,
    *,
    values=None,
    palette=None,
    colors=None,
    void_values=(VOID,),
    mask_suffix="",
    split=None,
    val_fraction=0.2,
    name="folder",
):
    """Reads a folder of photos and a folder of masks, paired by file name.

    A mask is a PNG or BMP of class ids: grey of up to 16 bits, or palette (its *indices* count,
    its colours do not). With `palette` it is colour-coded instead.

    Args:
        images: Folder of photos (.jpg, .jpeg, .png, .bmp).
        masks: Folder of masks (.png, .bmp).
        class_names: Name of each class.
        values: The value that stands for each class in the masks, for example `(0, 255)` for black
            and white masks; None for 0, 1, 2, ...
        palette: RGB of each class in colour-coded masks; None for masks of ids.
        colors: RGB of each class in pictures; None for the palette or Pascal VOC's colours.
        void_values: Mask values (with `palette`: colours) of pixels without a label.
        mask_suffix: What a mask's name adds to its photo's: `"_mask"` pairs `a.jpg`, `a_mask.png`.
        split: None for all samples, `"train"` or `"val"` for a fixed random part.
        val_fraction: Share of `"val"`, above 0 and below 1.
        name: Name of the source in messages.

    Returns:
        `Source` with void = 255.

    Raises:
        FileNotFoundError: a folder is missing or empty, or a photo has no mask.
        ValueError: an argument does not fit the masks, or a sampled mask the arguments.

    Example:

    >>> source = kseg.data.folder("photos", "masks", ["background", "cell"], values=(0, 255))
    """
    class_names = tuple(class_names)
    images = list_files(images, PHOTOS, "images")
    masks = pair_by_name(images, list_files(masks, MASKS, "masks"), mask_suffix)
    values = _check_values(class_names, values, palette)
    stored = [_packed(color) for color in palette] if palette else values
    voids = [v for v in void_values if not palette and v not in values]
    if palette:
        voids = [_packed(color) for color in void_values if color != VOID]
    if split is not None:
        chosen = _part(list(map(stem, images)), split, val_fraction)
        images, masks = [images[i] for i in chosen], [masks[i] for i in chosen]
    _probe(masks, class_names, values, palette)
    wide = max(*stored, *voids, 0) > 255
    read_mask = decode_colors if palette else (lambda path: decode_mask(path, wide))

    def decode(row):
        label = relabel(read_mask(row["label"]), stored, voids, VOID, row["label"])
        return {"image": read_photo(row["image"]), "label": label}

    return Source(
        name=f"{name}/{split}" if split else name,
        columns={
            "image": column(images),
            "label": column(masks),
        },
        decode=decode,
        class_names=class_names,
        colors=tuple(tuple(c) for c in (colors or palette or default_colors(len(class_names)))),
        ids=tuple(map(stem, images)),
    )


def _check_values(class_names, values, palette):
    if not class_names:
        raise ValueError("class_names is empty: expected the name of each class.")
    if len(class_names) > VOID:
        raise ValueError(
            f"class_names has {len(class_names)} names: expected at most {VOID}, because label "
            f"{VOID} means void."
        )
    for argument, given in (("values", values), ("palette", palette)):
        if given is not None and len(given) != len(class_names):
            raise ValueError(
                f"{argument} has {len(given)} entries for {len(class_names)} class_names: expected "
                "one for each class."
            )
        if given is not None and len({str(entry) for entry in given}) != len(given):
            raise ValueError(f"{argument}={given!r}: expected a different entry for each class.")
    return tuple(values) if values is not None else tuple(range(len(class_names)))


def _packed(color):
    red, green, blue = color
    return (red << 16) + (green << 8) + blue


def _part(stems, split, val_fraction):
    """Positions of a split: the names in the order of their checksums, the first of them "val"."""
    if split not in ("train", "val"):
        raise ValueError(f"split={split!r}: expected 'train', 'val' or None.")
    if not 0 < val_fraction < 1:
        raise ValueError(f"val_fraction={val_fraction!r}: expected a number between 0 and 1.")
    if len(stems) < 2:
        raise ValueError("A single image cannot be split into train and val: use split=None.")
    order = sorted(range(len(stems)), key=lambda i: (zlib.crc32(stems[i].encode()), stems[i]))
    held_out = min(max(1, round(val_fraction * len(stems))), len(stems) - 1)
    return sorted(order[:held_out] if split == "val" else order[held_out:])


def _probe(masks, class_names, values, palette):
    """Looks into a few masks for the two mistakes that would train without an error."""
    seen = set()
    for index in np.linspace(0, len(masks) - 1, min(PROBED, len(masks))).astype(int):
        mask = load_mask(masks[index])
        if palette is None and mask.ndim == 3:
            found = np.unique(mask.reshape(-1, 3), axis=0)[:4].tolist()
            raise ValueError(
                f"{masks[index]!r} is a colour mask (colours {found} ...), but ids were "
                "expected. Give palette=[(r, g, b), ...], the colour of each class."
            )
        if palette is None:
            with Image.open(masks[index]) as image:
                one_bit = image.mode == "1"
            seen |= set(np.unique(mask).tolist()) if not one_bit else {0}
    if seen == {0, VOID} and VOID not in values and len(class_names) > 1:
        raise ValueError(
            f"The masks in {os.path.dirname(masks[0])!r} hold only 0 and 255, and 255 means void: "
            f"nothing of {class_names[1]!r} would ever be learnt. "
            "Give values=(0, 255) if 255 is the object."
        )

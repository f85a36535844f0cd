"""Scenes of overlapping shapes, whose classes can be read off their colours: a class a channel."""

import numpy as np
from PIL import Image

import kseg

NAMES = ("disc", "bar", "square")


def scene(rng, size=(32, 48)):
    """uint8 photo (H, W, 3) and label (H, W, 3): each shape brightens the channel of its class."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    label = np.zeros((*size, 3), np.uint8)
    center, radius = rng.integers(8, (height - 8, width - 8)), rng.integers(6, 10)
    label[..., 0] = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
    top = rng.integers(4, height - 10)
    label[top : top + 7, :, 1] = 1
    top, left = rng.integers(0, (height - 14, width - 14))
    label[top : top + 14, left : left + 14, 2] = 1
    image = rng.normal(60, 10, (*size, 3)) + 130.0 * label
    return image.clip(0, 255).astype("uint8"), label


def scenes(count, seed=0, size=(32, 48)):
    """Arrays (N, H, W, 3) of photos and of labels."""
    rng = np.random.default_rng(seed)
    return tuple(map(np.stack, zip(*(scene(rng, size) for _ in range(count)))))


def source_of(images, labels, name="scenes"):
    """A multilabel `Source` of arrays."""
    return kseg.data.Source(
        name=name,
        columns={"image": images, "label": labels},
        decode=lambda row: dict(row),
        class_names=NAMES[: labels.shape[-1]],
        colors=((200, 0, 0), (0, 200, 0), (0, 0, 200))[: labels.shape[-1]],
        ids=tuple(f"{name}{i}" for i in range(len(images))),
        task="multilabel",
    )


def write(root, layout, images, labels, values=(0, 255), empty=True):
    """Writes photos and masks; `layout` is "class", "photo", "npy" or "npz".

    Without `empty` a class that is nowhere in a photo has no file.
    """
    (root / "masks").mkdir(parents=True)
    (root / "images").mkdir()
    (root / "classes.txt").write_text("\n".join(NAMES))
    for index, (image, label) in enumerate(zip(images, labels)):
        name = f"p{index}"
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        if layout == "npy":
            np.save(root / "masks" / f"{name}.npy", label)
        elif layout == "npz":
            np.savez_compressed(root / "masks" / f"{name}.npz", label.astype(bool))
        else:
            for c, class_name in enumerate(NAMES):
                pair = (class_name, name) if layout == "class" else (name, class_name)
                path = root.joinpath("masks", *pair).with_suffix(".png")
                path.parent.mkdir(exist_ok=True)
                if empty or label[..., c].any():
                    Image.fromarray(np.array(values, np.uint8)[label[..., c]]).save(path)
    return root


def opened(root, **options):
    """The folder as a `Source`."""
    names = options.pop("class_names", NAMES)
    return kseg.data.folder(root / "images", root / "masks", names, multilabel=True, **options)

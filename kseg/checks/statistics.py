"""What a check has counted in a source: classes, sizes of photos, weights that follow from them."""

from __future__ import annotations

import collections
import dataclasses
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kseg.base.types import Size


def class_rows(source):
    """Rows of text for a table of classes, the first of them the headings."""
    headings = ["class", "pixels", "share", "images"]
    if source.instances is not None:
        headings.append("instances")
    headings.append("class_weight")
    total = max(1, int(source.pixels.sum()))
    if source.task == "multilabel":  # whose classes overlap: shares of all pixels
        total = max(1, sum(height * width * n for (height, width), n in source.sizes.items()))
    weights = source.class_weight or [0.0] * len(source.class_names)
    rows = [headings]
    for index, name in enumerate(source.class_names):
        row = [name, f"{source.pixels[index]:,}", f"{source.pixels[index] / total:.2%}"]
        row.append(f"{source.images[index]:,}")
        if source.instances is not None:
            row.append(f"{source.instances[index]:,}")
        rows.append([*row, f"{weights[index]:.2f}"])
    return rows


def size_line(source):
    """One line on the sizes of the photos and the crop they suggest."""
    if not source.sizes:
        return "no photo could be read"
    heights, widths = zip(*source.sizes)
    if len(source.sizes) == 1:
        spread = f"all photos {heights[0]}x{widths[0]}"
    else:
        spread = (
            f"photos of {len(source.sizes)} sizes, {min(heights)}x{min(widths)} to "
            f"{max(heights)}x{max(widths)}"
        )
    suggested = "x".join(map(str, source.suggested_size))
    line = f"{spread} (height x width); suggested training size {suggested}"
    if source.most_instances is not None:
        line += f"; {source.most_instances} objects a photo at most"
    if source.bands in (3, None) and source.dtype == "uint8":
        return line
    low, high = (f"{each:g}" for each in source.numbers)
    return f"{line}; {source.bands} bands of {source.dtype}, numbers from {low} to {high}"


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What a source holds; of the samples that were read.

    Args:
        name, task, class_names, colors: Those of the source.
        samples: Samples of the source.
        read: Samples read without an error.
        pixels: int64 `(num_classes,)`, labelled pixels of each class.
        images: int64 `(num_classes,)`, samples that show each class.
        instances: int64 `(num_classes,)` of an instance source, else None; without crowd regions.
        most_instances: Objects of the photo that has most of them; None likewise.
        void_pixels: Pixels without a label.
        sizes: `(height, width)` -> number of photos.
        bands, dtype: Of the photos.
        numbers: The least and the largest number in them; None if none was read.
    """

    name: str
    task: str
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    samples: int
    read: int
    pixels: np.ndarray
    images: np.ndarray
    instances: np.ndarray | None
    void_pixels: int
    sizes: Counter
    most_instances: int | None = None
    bands: int | None = None
    dtype: str = "uint8"
    numbers: tuple[float, float] | None = None

    @property
    def bare(self) -> bool:
        """Whether no two classes, or no object, were seen: nothing can be learnt from that."""
        if self.task == "instance":
            return not self.instances.any()
        return self.task == "semantic" and np.count_nonzero(self.pixels) < 2

    @property
    def class_weight(self) -> list[float] | None:
        """Suggested weights of the cross-entropy: square root of the inverse frequency."""
        return class_weights(self.pixels, 0.5) if self.pixels.any() else None

    @property
    def suggested_size(self) -> Size | None:
        """Size of a training crop: most photos hold it; multiples of 32, 512 at most."""
        if not self.sizes:
            return None
        sides = np.array(list(self.sizes.elements()))
        small = np.percentile(sides, 10, axis=0)
        return tuple(int(side) for side in np.clip(small // 32 * 32, 32, 512))

    def to_dict(self) -> dict[str, Any]:
        sizes = [
            {"height": int(h), "width": int(w), "photos": n}
            for (h, w), n in self.sizes.most_common()
        ]
        rows = {
            "pixels": self.pixels.tolist(),
            "images": self.images.tolist(),
            "instances": self.instances.tolist() if self.instances is not None else None,
            "class_weight": self.class_weight,
        }
        return {
            "name": self.name,
            "task": self.task,
            "samples": self.samples,
            "read": self.read,
            "classes": [
                {"name": name} | {key: row[i] for key, row in rows.items() if row is not None}
                for i, name in enumerate(self.class_names)
            ],
            "void_pixels": int(self.void_pixels),
            "most_instances": self.most_instances,
            "sizes": sizes,
            "bands": self.bands,
            "dtype": self.dtype,
            "numbers": self.numbers,
            "suggested_size": self.suggested_size,
        }


def class_weights(pixels: ArrayLike, balance: float) -> list[float] | None:
    """`frequency ** -balance` of each class, scaled so that the mean over pixels is 1.

    Args:
        pixels: Labelled pixels of each class; a class that never occurs gets weight 0.
        balance: 0 for no weighting, 0.5 for the square root, 1 for inverse frequency.

    Returns:
        List of floats, or None when `balance` is 0.

    Example:

    >>> class_weights([90, 10], 1.0)  # 90 * w0 == 10 * w1, (90 * w0 + 10 * w1) / 100 == 1
    [0.5555555555555556, 5.0]
    """
    if not balance:
        return None
    pixels = np.asarray(pixels, np.float64)
    frequency = pixels / pixels.sum()
    raw = np.where(pixels > 0, np.maximum(frequency, 1e-12) ** -balance, 0.0)
    return (raw / (raw * frequency).sum()).tolist()


def _extent(numbers):
    """Least and largest of several pairs of them; None of none."""
    if not numbers:
        return None
    lows, highs = zip(*numbers)
    return min(lows), max(highs)


def statistics(source, seen):
    """Statistics of a source by the facts of its samples that could be read."""
    read = [facts for facts in seen if facts.counts is not None]
    counts = np.zeros((0, source.num_classes + 1), np.int64)
    if read:
        counts = np.stack([facts.counts for facts in read])
    instances = most = None
    if source.task == "instance":
        most = int(max((f.instances.sum() for f in read), default=0))
        instances = sum((f.instances for f in read), np.zeros(source.num_classes, np.int64))
    return Statistics(
        name=source.name,
        task=source.task,
        class_names=source.class_names,
        colors=source.colors,
        samples=len(source),
        read=len(read),
        pixels=counts[:, :-1].sum(0),
        images=np.count_nonzero(counts[:, :-1], axis=0),
        instances=instances,
        void_pixels=int(counts[:, -1].sum()),
        sizes=collections.Counter(facts.size for facts in read),
        most_instances=most,
        bands=source.channels,
        dtype=source.dtype,
        numbers=_extent([facts.numbers for facts in read if facts.numbers]),
    )

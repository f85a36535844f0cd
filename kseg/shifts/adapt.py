"""`kseg.adapt`: a model gets used to photos of a new scene, of which nobody has drawn labels."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kseg.base.arguments import integer, number, path, refused
from kseg.base.outputs import check_outputs
from kseg.base.platform import is_torch
from kseg.base.types import Model, PathLike, Photo
from kseg.data.images import image_array, image_arrays
from kseg.data.sample import samples
from kseg.data.source import Source
from kseg.models.contract import contract, fixed_size
from kseg.models.ensemble import members_of
from kseg.models.graph import layers_of
from kseg.models.saving import load_model, save_model
from kseg.ops.resize import bilinear, resized_size
from kseg.prediction.network import check_weights
from kseg.prediction.predictor import KerasPredictor
from kseg.runs.folds import Folds

PRIOR = 16  # photos that the old statistics count as
OF_A_RUN = ("run.json", "best.keras")  # what a run of an adapted model consists of
EACH = "Adapt the run, or the .keras file, of each by itself: those can answer together again."
LONGEST = 1536  # pixels of a side, beyond which a photo is shrunk: statistics need no more


def adapt(
    model: Model | KerasPredictor | PathLike,
    photos: Photo | Sequence[Photo] | Source,
    *,
    prior: float = PRIOR,
    passes: int = 1,
    file: PathLike | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Model:
    """A copy of a model, whose batch norms have the statistics of photos of a new scene.

    A batch norm takes the mean from its features and divides by their deviation, as both were in
    training. In other light or weather they are others, and the features leave the range that the
    next layer knows. Here they are measured anew, and mixed with those of training, which count as
    `prior` photos (Schneider et al. 2020, "Improving robustness against common corruptions by
    covariate shift adaptation", arXiv:2006.16971). No label is needed, nothing is trained, and no
    weight but these statistics changes.

    Photos go through one by one, each normalised by the statistics up to then. Score the result
    where there are some labels: where photos differ among themselves more than from those of
    training, it can lose.

    Args:
        model: A model with batch norm; what `kseg.load` gives; or the path of a run or of a
            `.keras` file. It is left as it is.
        photos: What `kseg.predict` takes: paths, arrays, a folder; or a `Source`, whose labels are
            not looked at. Sides beyond 1,536 pixels are shrunk to that.
        prior: Photos that the statistics of training count as; 0 forgets them. Default 16.
        passes: How often the photos go through; each further one begins with the statistics that
            the last one found. Default 1.
        file: A `.keras` file for the result. Default None: none is written.
        overwrite: Whether an earlier one, that is not the model's own, is replaced. Default False.
        progress: Optional function called with the number of photos done.

    Returns:
        A new `keras.Model`, not compiled.

    Raises:
        TypeError: the model is none, or an export, which no longer has batch norms of its own.
        ValueError: it is several that find objects, there is no batch norm in it, there is no
            photo, a photo cannot be read, or an argument is out of its range.
        FileExistsError: there is such a file, and `overwrite` is False.

    Example:

    >>> model = kseg.build_unet(num_classes=4, width=2, depth=2)
    >>> dark = [np.full((32, 32, 3), level, "uint8") for level in (10, 20, 30)]
    >>> adapted = kseg.adapt(model, dark, prior=0)
    >>> kseg.predict(adapted, dark[0]).shape
    (32, 32)
    """
    number("prior", prior, at_least=0)
    integer("passes", passes)
    if hasattr(photos, "__next__"):  # each pass goes through them again
        photos = list(photos)
    inputs = []
    if isinstance(model, (str, os.PathLike)):
        from kseg.deployment.load import load

        model = load(model)
    if isinstance(model, KerasPredictor):
        model, inputs = model.model, model.files()
    if len(members_of(model)) > 1:
        expected = f"one model, and it is {len(model.members)} that answer together"
        raise refused("model", model.name, expected, EACH)
    if not hasattr(model, "weights") or not hasattr(model, "layers"):
        expected = "a Keras model, which still has its batch norms"
        remedy = "An export has them no more: give the run, or the .keras file, that it came from."
        raise refused("model", model, expected, remedy, TypeError)
    own = contract(model)
    if file is not None:
        file = path("file", file, "a .keras file")
        if file.suffix != ".keras":
            raise refused("file", str(file), "a name that ends in .keras")
        check_outputs([("file", file)], [*inputs, *_files(photos)], overwrite)
    check_weights(model)
    copy = _copied(model)
    norms = norms_of(copy)
    if not norms:
        remedy = "Only batch norm has statistics of the photos: train one with batch norm."
        raise refused("model", getattr(model, "name", model), "one with batch norm in it", remedy)
    for _ in range(passes):
        if not _measure(copy, norms, _photos(photos, own), prior, progress):
            raise refused("photos", photos, "at least one photo")
    if file is not None:
        save_model(copy, file)
    return copy


def check_adapted(loaded, output, photos=(), overwrite=False):
    """Raises unless `write_adapted` may write there.

    Args:
        loaded: What was adapted, as `kseg.load` gives it.
        output: A path that ends in `.keras`; or of a run, a folder.
        photos: Paths of what is read.
        overwrite: Whether what is there may be replaced.

    Raises:
        FileExistsError, ValueError: something is there, or it is no such path.
    """
    if output.suffix != ".keras" and getattr(loaded, "run", None) is None:
        expected = "a name that ends in .keras"
        raise refused("output", str(output), expected, "Only a run is written as a run folder.")
    if output.suffix != ".keras" and isinstance(loaded.run, Folds):
        expected = "a name that ends in .keras, for several runs that answer together"
        raise refused("output", str(output), expected, EACH)
    files = [output] if output.suffix == ".keras" else [output / name for name in OF_A_RUN]
    check_outputs([("output", each) for each in files], [*loaded.files(), *photos], overwrite)


def write_adapted(model, loaded, output):
    """Writes an adapted model, as a `.keras` file or as a run with the names of its origin's.

    Args:
        model: The adapted one.
        loaded, output: As of `check_adapted`.
    """
    if output.suffix == ".keras":
        save_model(model, output)
        return
    run = dataclasses.replace(loaded.run, path=output)
    save_model(model, output / OF_A_RUN[1])
    run.write()


def norms_of(model):
    """The batch norms of a model, each once, those of nested models too."""
    import keras

    kind = keras.layers.BatchNormalization
    return list(dict.fromkeys(each for each in layers_of(model) if isinstance(each, kind)))


def _files(photos):
    """Paths of the photos, those that are files."""
    if isinstance(photos, Source):
        return photos.files()
    several = photos if isinstance(photos, (list, tuple)) else [photos]
    return [each for each in several if isinstance(each, (str, os.PathLike))]


def _photos(photos, own):
    """The photos `(H, W, channels)` as the model takes them, one by one."""
    if isinstance(photos, Source):
        for sample in samples(photos):
            yield image_array(sample["image"], own.channels, value_range=own.value_range)
    else:
        yield from image_arrays(photos, own.channels, own.value_range)[0]


def _copied(model):
    """A model of the same weights that shares none with it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "copy.keras"
        save_model(model, file)
        return load_model(file, compile=False)


class _Norm:
    """The statistics of one batch norm: those of training, and of the photos up to now.

    Args:
        layer: The batch norm.
        prior: Photos that those of training count as.
    """

    def __init__(self, layer, prior):
        import keras

        self.layer, self.prior, self.count = layer, prior, 0
        old = layer.moving_mean, layer.moving_variance
        self.mean, self.variance = (keras.ops.convert_to_numpy(each) for each in old)
        self.means = self.squares = 0.0  # sums over photos: of means, of means of squares
        self.axes = None

    def call(self, inputs, training=None, mask=None):
        """What the layer gives, by statistics that the inputs now belong to."""
        import keras
        from keras import ops

        x = ops.cast(inputs, "float32")
        axis = self.layer.axis % len(x.shape)
        others = [each for each in range(len(x.shape)) if each != axis]
        mean = ops.convert_to_numpy(ops.mean(x, axis=others)).astype(np.float64)
        square = ops.convert_to_numpy(ops.mean(ops.square(x), axis=others)).astype(np.float64)
        self.means, self.squares = self.means + mean, self.squares + square
        self.count += 1
        self.layer.moving_mean.assign(self.mixed()[0])
        self.layer.moving_variance.assign(self.mixed()[1])
        return keras.layers.BatchNormalization.call(self.layer, inputs, training=False)

    def mixed(self):
        """Mean and variance: of training times `prior`, and of each photo once."""
        mean = self.means / self.count
        variance = np.maximum(self.squares / self.count - mean**2, 0)
        whole = self.prior + self.count
        return tuple(
            ((self.prior * old + self.count * new) / whole).astype(np.float32)
            for old, new in ((self.mean, mean), (self.variance, variance))
        )


def _measure(model, norms, photos, prior, progress):
    """Sends photos through, each batch norm measuring what comes; returns how many there were."""
    measured = [_Norm(layer, prior) for layer in norms]
    done = 0
    with _calling(measured), _without_gradients():
        for photo in photos:
            model(_input_of(model, photo), training=False)
            done += 1
            if progress:
                progress(done)
    return done


@contextlib.contextmanager
def _calling(measured):
    """Within it the layers' calls are those of their `_Norm`."""
    for each in measured:
        each.layer.__dict__["call"] = each.call
    try:
        yield
    finally:
        for each in measured:
            each.layer.__dict__.pop("call", None)


def _without_gradients():
    if not is_torch():
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def _input_of(model, photo):
    """A batch of one photo, at the size at which the model sees it."""
    size = photo.shape[:2]
    own = getattr(model, "resize", None)  # of one that finds objects
    inner = resized_size(size, own, within=fixed_size(model)) if own else _held(size)
    inner = tuple(side or seen for side, seen in zip(fixed_size(model), inner))
    if inner != size:
        photo = bilinear(photo, *inner)
    return np.asarray(photo, np.float32)[None]


def _held(size):
    """A size within `LONGEST`, of the same aspect."""
    factor = min(1.0, LONGEST / max(size))
    return tuple(max(1, round(side * factor)) for side in size)

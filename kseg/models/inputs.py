"""What goes into `fit`, `evaluate` and `predict` of a model, looked at while it is plain numbers.

Compiled code cannot raise: in it images of 0..1 are black and a label that is no class is NaN, or
with losses of Keras nothing at all. So arrays are looked at before they go in, and batches of a
`tf.data.Dataset`, a generator, a `keras.utils.PyDataset` or a PyTorch `DataLoader` as they are
made, beside the training; what is right costs next to nothing. Images of a `tf.data.Dataset` are
given the model's channels, as `kseg.data.images` does. A first eager call looks at images too.
"""

import contextlib
import copy
import sys
import types

import keras
import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import mapped, tensorflow
from kseg.data.channels import with_channels_of
from kseg.data.source import VOID
from kseg.data.values import check_range
from kseg.losses.base import SegmentationLoss, WeightedSum
from kseg.models.contract import check_learned, contract
from kseg.models.defaults import build_optimizer
from kseg.models.graph import weights_kept
from kseg.models.learned import called
from kseg.ops.labels import concrete, read_labels, read_multilabel, void_ids
from kseg.ops.warned import looked_before

CHUNK = 32  # images of an array that are looked at, and labels at a time


class LooksAtInputs:
    """Mixed into a Keras model, before it; also makes the optimizer's variables in time."""

    _looked = False  # at an eager call's images

    def __call__(self, inputs, *args, **kwargs):
        if not self._looked:
            images = concrete(images_of(inputs))
            if images is not None:
                check_images(images, contract(self).value_range)
                self._looked = True
        if not args and isinstance(kwargs.get("training"), bool) and len(kwargs) == 1:
            return called(self, inputs, kwargs["training"], super().__call__)
        return super().__call__(inputs, *args, **kwargs)

    def make_train_function(self, force=False):
        build_optimizer(self)
        return super().make_train_function(force)

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.fit`; images and labels that the model cannot mean are refused."""
        check_losses(self)
        build_optimizer(self)  # before `weights_kept` looks at what there is
        with looked_at(self, x, y) as x:
            return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`; refuses as `fit`."""
        check_losses(self)
        with looked_at(self, x, y) as x:
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`; refuses images as `fit`."""
        with looked_at(self, x, None) as x:
            return super().predict(x, *args, **kwargs)

    def check_labels(self, y, images=()):
        """Raises `ValueError` if labels `(B, H, W)` or `(B, H, W, C)` hold what is no class.

        Args:
            y: The labels.
            images: Shape of their images; `()` where it is not known.
        """
        void = void_of(getattr(self, "loss", None))
        if void is None or not hasattr(y, "shape"):
            return
        if len(images) == 4 and tuple(y.shape[:3]) != tuple(images[:3]):
            expected = f"{tuple(map(int, images[:3]))}, as of x, or with an axis of classes"
            raise refused("y.shape", tuple(y.shape), expected)
        channels = contract(self).outputs
        several = any(reads_several(loss) for loss in losses_in(self.loss))
        void_class = void[0] if len(void) == 1 else void
        for labels in chunks(y):
            shape = (*labels.shape[:3], channels)
            if several and not (labels.shape == shape and np.isin(labels, (0, 1, *void)).all()):
                read_multilabel(labels, shape, void_class)
            elif not several and may_be_wrong(labels, channels, void):
                read_labels(labels, shape, void_class)

    def check_structure(self, y):
        """Raises `ValueError` if labels of a graph, not yet numbers, have not their structure."""


@keras.saving.register_keras_serializable(package="kseg")
class SemanticModel(LooksAtInputs, keras.Model):
    """A functional `keras.Model` from images to logits, that says what is wrong with its inputs."""


@contextlib.contextmanager
def looked_at(model, x, y):
    """Gives `x` for the model; what is wrong with it or with `y` is raised, at once or in time."""
    found = []  # the errors at which a data set was stopped
    if is_dataset(x):
        x = _looked_dataset(model, x, found)
    elif isinstance(x, types.GeneratorType):
        x = (look_at(model, batch, found) for batch in x)
    elif isinstance(x, keras.utils.PyDataset):
        x = _looked_batches(model, x, found)
    elif is_loader(x):
        x = _looked_loader(model, x, found)
    elif hasattr(images_of(x), "shape"):
        some = np.asarray(numbers(images_of(x)[:CHUNK]))
        check_images(some, contract(model).value_range)
        if y is not None:
            model.check_labels(y, tuple(images_of(x).shape))
            check_not_black_and_white(model, y)
    try:
        with weights_kept(model), looked_before():
            yield x
    except Exception as error:
        if found:
            raise found[0] from error
        raise


def is_dataset(x):
    """Whether it is a `tf.data.Dataset`; TensorFlow is not imported to know."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(x, tf.data.Dataset)


def is_loader(x):
    """Whether it is a PyTorch `DataLoader`; PyTorch is not imported to know."""
    loaders = sys.modules.get("torch.utils.data")
    return loaders is not None and isinstance(x, loaders.DataLoader)


def images_of(x):
    """The images of what a model is called with."""
    return x.get("image") if isinstance(x, dict) else x


def check_images(images, value_range=None):
    """Raises `ValueError` unless these are images of 0..255, or of the range that a model takes."""
    if images.dtype == np.uint8 and value_range is None or not images.size:
        return
    if images.dtype.kind == "b":
        raise refused("x.dtype", "bool", "numbers of 0..255 (uint8)", "Multiply by 255.")
    if images.dtype.kind in "iuf":
        check_range(images, "x", value_range)


def check_not_black_and_white(model, y):
    """Raises `ValueError` if an array of labels holds 0 and 255 alone, and 255 means void."""
    if VOID not in (void_of(getattr(model, "loss", None)) or ()) or not hasattr(y, "shape"):
        return
    white = False
    for labels in chunks(y):
        is_white = labels == VOID
        if not (is_white | (labels == 0)).all():
            return
        white |= is_white.any()
    if white:
        expected = f"ids of classes, 0..{contract(model).num_classes - 1}; 255 means void"
        raise refused("values in y", [0, VOID], expected, "If 255 is the object, give y // 255.")


def may_be_wrong(labels, channels, void):
    """False where all are surely classes or void: a quick look; `read_labels` has the rule."""
    if labels.dtype.kind not in "iu":
        shares = labels.sum(axis=-1) if labels.ndim == 4 and labels.shape[-1] > 1 else None
        return shares is None or not (np.isin(shares, (0, 1)).all() and labels.min() >= 0)
    beyond = labels >= max(channels, 2)
    if labels.dtype.kind == "i":
        beyond |= labels < 0
    return beyond.any() and not np.isin(labels[beyond], void).all()


def losses_in(loss):
    """The losses of kseg that a loss is made of, in a list; empty of another."""
    if isinstance(loss, WeightedSum):
        return [each for one in loss.losses for each in losses_in(one)]
    return [loss] if isinstance(loss, SegmentationLoss) else []


def reads_several(loss):
    """Whether a loss of kseg takes labels of which a pixel has several."""
    return bool(loss.options.get("multilabel"))


def check_losses(model):
    """Raises `ValueError` if a loss of kseg takes labels of another kind than the model's task."""
    for loss in losses_in(getattr(model, "loss", None)):
        check_learned(model, type(loss).__name__, reads_several(loss))


def void_of(loss):
    """The void ids of a model's loss: a tuple; None where it is not known what it takes."""
    if isinstance(loss, WeightedSum):
        each = [void_of(one) for one in loss.losses]
        return None if None in each else tuple(set(each[0]).intersection(*each))
    if isinstance(loss, SegmentationLoss):
        return void_ids(loss.options["ignore_class"])
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        return void_ids(loss.get_config().get("ignore_class"))
    return () if loss == "sparse_categorical_crossentropy" else None


def chunks(y):
    """The labels as NumPy arrays, a few at a time."""
    return (numbers(y[start : start + CHUNK]) for start in range(0, len(y), CHUNK))


def numbers(values):
    """An array or tensor of any backend as a NumPy array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def look_at(model, batch, found):
    """A batch of plain numbers as it is; what is wrong with it is raised, and left in `found`."""
    several = isinstance(batch, (tuple, list)) and len(batch) > 0
    x, y = (*batch, None)[:2] if several else (batch, None)
    images = images_of(x)
    known = hasattr(images, "shape")
    try:
        if known:
            check_images(numbers(images), contract(model).value_range)
        if y is not None:
            model.check_labels(y, tuple(images.shape) if known else ())
    except ValueError as error:
        found.append(error)
        raise
    return batch


class LookedBatches(keras.utils.PyDataset):
    """A `PyDataset` whose batches a model has looked at.

    Args:
        batches: The data set.
        look: Function of a batch, that gives it back.
    """

    def __init__(self, batches, look):
        super().__init__(batches.workers, False, batches.max_queue_size)
        self.batches, self.look = batches, look

    def __getitem__(self, index):
        return self.look(self.batches[index])

    @property
    def num_batches(self):
        return self.batches.num_batches

    def on_epoch_begin(self):
        self.batches.on_epoch_begin()

    def on_epoch_end(self):
        self.batches.on_epoch_end()


def _looked_batches(model, batches, found):
    if batches.use_multiprocessing:  # the model would go to each process: the first must do
        look_at(model, batches[0], found)
        return batches
    return LookedBatches(batches, lambda batch: look_at(model, batch, found))


def _looked_loader(model, loader, found):
    """The loader, as Keras knows it, by a copy of it that looks at what it gives."""

    class LookedLoader(type(loader)):
        def __iter__(self):
            return (look_at(model, batch, found) for batch in super().__iter__())

    looked = copy.copy(loader)
    looked.__class__ = LookedLoader
    return looked


def for_model(dataset, model):
    """A data set of batches with images of the model's channels: grey repeated, colour made grey.

    Raises:
        ValueError: of these channels the model's cannot be made.
    """
    own = contract(model)

    def fitting(x, *rest):
        images = with_channels_of(images_of(x), own.channels, own.value_range)
        return ({**x, "image": images} if isinstance(x, dict) else images, *rest)

    return mapped(dataset, fitting)


def _looked_dataset(model, dataset, found):
    """The data set; what is wrong with a batch stops it, and is left in `found`."""
    tf = tensorflow()

    def look(check, values):
        """Tensors in any structure, which `check` sees as arrays before they go on."""

        def looking(*arrays):
            try:
                check(*tf.nest.pack_sequence_as(values, arrays))
            except ValueError as error:
                found.append(error)
                raise
            return True

        right = tf.numpy_function(looking, tf.nest.flatten(values), tf.bool)
        with tf.control_dependencies([right]):
            return tf.nest.map_structure(
                lambda each: tf.ensure_shape(tf.identity(each), each.shape), values
            )

    def looked(*element):
        x, *rest = element
        images = images_of(x)
        known = isinstance(images, tf.Tensor)
        own = contract(model)
        if known and (images.dtype != tf.uint8 or own.value_range is not None):
            (images,) = look(lambda x: check_images(x, own.value_range), (images,))
        if rest:
            model.check_structure(rest[0])
        if rest and all(isinstance(each, tf.Tensor) for each in tf.nest.flatten(rest[0])):
            shape = tf.shape(images) if known else ()
            rest[0], _ = look(model.check_labels, (rest[0], shape))
        if known:
            images = with_channels_of(images, own.channels, own.value_range)
            x = {**x, "image": images} if isinstance(x, dict) else images
        return (x, *rest) if rest else x

    return mapped(dataset, looked)

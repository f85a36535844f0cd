"""Batches as `model.fit` takes them, scored as a `Source` is."""

import contextlib

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import tensorflow
from kseg.data.bad_files import naming_bad_files
from kseg.data.errors import data_error
from kseg.data.images import image_array
from kseg.data.sample import WEIGHT, samples
from kseg.data.source import VOID, Source, check_is_source
from kseg.models.contract import names_and_colors, part, scored_contract

EXPECTED = (
    "a Source, as kseg.data.folder gives one, or a tf.data.Dataset of (images, labels), as "
    "kseg.data.batches does"
)


def scored(model, source):
    """A `Source` as it is; a data set of batches with what a source says beside its samples.

    Raises:
        TypeError: it is neither.
        ValueError: the data set never ends.
    """
    if isinstance(source, Source):
        return source
    tf = tensorflow()
    if not isinstance(source, tf.data.Dataset):
        check_is_source("source", source, EXPECTED)
    if source.cardinality() == tf.data.INFINITE_CARDINALITY:
        remedy = "Say how many batches: source.take(10)."
        raise refused("source", source, "a data set that ends", remedy)
    return Batches(model, source)


class Batches:
    """A `tf.data.Dataset` with the words of a `Source` that scoring asks for.

    Args:
        model: Whose classes they are.
        dataset: Of batches or of single photos: images and labels, which are ids, one-hot or with a
            last axis of 1, and maybe weights of their pixels; or what `kseg.data.batches` gives of
            objects.
    """

    name, void = "data set", VOID
    ids = image_ids = category_ids = annotated = None

    def __init__(self, model, dataset):
        own = scored_contract(model)
        self.task, self.num_classes, self.dataset = own.task, own.num_classes, dataset
        self.class_names, self.colors = names_and_colors(model)

    def samples(self):
        """Yields samples as `kseg.data.samples` does, without the padding of objects."""
        for element in self.dataset.as_numpy_iterator():
            if not (isinstance(element, tuple) and len(element) in (2, 3)):
                shown = f"{len(element)} things" if isinstance(element, tuple) else type(element)
                expected = "(images, labels), or (images, labels, weights of pixels)"
                raise refused("source", shown, expected)
            images, labels, *weights = element
            if isinstance(labels, dict):
                yield from _objects(images, labels)
            else:
                yield from self._labels(*map(np.asarray, (images, labels, *weights)))

    def _labels(self, images, labels, *weights):
        if images.ndim == 3:
            images, labels, *weights = (each[None] for each in (images, labels, *weights))
        labels = part("kseg.evaluation", self).labels_of(labels, images, self.void)
        for index, (image, label) in enumerate(zip(images, labels)):
            sample = {"image": image, "label": label}
            if weights:
                sample[WEIGHT] = _of_pixels(weights[0], images.shape[:3])[index]
            yield sample


def _of_pixels(weights, shape):
    """Weights of a batch, `(B, H, W)` or `(B, H, W, 1)`, as `(B, H, W)`."""
    if weights.shape not in (shape, (*shape, 1)):
        remedy = "Without weights: source.map(lambda image, label, *rest: (image, label))."
        expected = f"{shape}, one of each pixel"
        raise refused("shape of the weights in source", weights.shape, expected, remedy)
    return weights.reshape(shape)


def _objects(inputs, labels):
    """The samples of one batch of `kseg.data.batches` of an instance source."""
    for i, (image, (height, width)) in enumerate(zip(inputs["image"], inputs["size"])):
        real = labels["classes"][i] >= 0
        sample = {name: values[i][real] for name, values in labels.items()}
        sample["masks"] = sample["masks"][:, :height, :width]
        sample.setdefault("crowd", np.zeros(len(sample["classes"]), bool))
        yield {**sample, "image": image[:height, :width]}


def samples_for(model, source):
    """Yields the samples of what `scored` gave, their images as the model takes them.

    Raises:
        DataError: a file of a `Source` cannot be read.
        ValueError: an image is none that the model takes.
    """
    own = scored_contract(model)
    batched = isinstance(source, Batches)
    with _naming(source) if batched else naming_bad_files(source):
        for sample in source.samples() if batched else samples(source):
            if WEIGHT in sample:  # what has none in training is not scored either
                sample["label"] = unweighted_void(sample, source.void)
            yield {
                **sample,
                "image": image_array(sample["image"], own.channels, value_range=own.value_range),
            }


def unweighted_void(sample, void):
    """The label of a sample, void where a pixel's weight is 0: metrics count no such pixel."""
    counted = sample[WEIGHT] != 0
    label = sample["label"]
    counted = counted[..., None] if label.ndim > counted.ndim else counted
    return np.where(counted, label, np.asarray(void, label.dtype))


@contextlib.contextmanager
def _naming(source):
    """Turns TensorFlow's error over a data set into what kseg's own reading says, if it does."""
    try:
        yield
    except tensorflow().errors.OpError as error:
        raise data_error(error) from error

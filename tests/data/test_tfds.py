"""TFDS sets through their real loader: small sets that the test builds to disk."""

import warnings

import numpy as np
import pytest

import kseg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own dependencies, on import
    tensorflow_datasets = pytest.importorskip("tensorflow_datasets")
features = tensorflow_datasets.features

COUNT = 6


def photo(index):
    return np.random.default_rng(index).integers(0, 256, (20, 26 + index, 3), dtype=np.uint8)


def mask(index, low, high):
    return np.random.default_rng(100 + index).integers(low, high, (20, 26 + index, 1), np.uint8)


class SetOfTheTest(tensorflow_datasets.core.GeneratorBasedBuilder, skip_registration=True):
    """A set of photos and masks; subclasses say which features, values and name it has."""

    VERSION = tensorflow_datasets.core.Version("1.0.0")
    values = (0, 3)
    photo_name, mask_name = "image", "segmentation_mask"

    def label_feature(self):
        return features.Image(shape=(None, None, 1), use_colormap=True)

    def _info(self):
        return tensorflow_datasets.core.DatasetInfo(
            builder=self,
            features=features.FeaturesDict(
                {
                    self.photo_name: features.Image(shape=(None, None, 3)),
                    "kind": features.ClassLabel(names=["x", "y"]),
                    self.mask_name: self.label_feature(),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, COUNT), "test": self._generate_examples(6, 8)}

    def _generate_examples(self, first, last):
        for index in range(first, last):
            yield (
                index,
                {
                    self.photo_name: photo(index),
                    "kind": index % 2,
                    self.mask_name: mask(index, *self.values),
                },
            )


class Plain(SetOfTheTest, skip_registration=True):
    name = "plain_set"


class OxfordIIITPet(SetOfTheTest, skip_registration=True):
    name = "oxford_iiit_pet"
    values = (1, 4)


class Cityscapes(SetOfTheTest, skip_registration=True):
    name = "cityscapes"
    values = (0, 34)
    photo_name, mask_name = "image_left", "segmentation_label"

    def label_feature(self):
        return features.Image(shape=(None, None, 1))


class DataSpec(SetOfTheTest, skip_registration=True):
    name = "named_set"

    def label_feature(self):
        return features.LabeledImage(shape=(None, None, 1), labels=["sky", "ground", "water"])


class Rgb(SetOfTheTest, skip_registration=True):
    """Masks of three equal channels, as those of scene_parse150."""

    name = "scene_parse150"
    values = (0, 151)
    mask_name = "annotation"

    def label_feature(self):
        return features.Image(shape=(None, None, 3))

    def _generate_examples(self, first, last):
        for key, example in super()._generate_examples(first, last):
            yield key, example | {self.mask_name: np.repeat(example[self.mask_name], 3, axis=2)}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Function from a builder class and arguments of the reader to the Source."""
    folder = tmp_path_factory.mktemp("tfds")

    def reader(kind, split="train", **arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TFDS on Beam, pkg_resources and its own progress
            return kseg.data.tfds(kind(data_dir=str(folder)), split, **arguments)

    return reader


def by_width(source):
    """The samples by their index, which their width tells: TFDS shuffles when it writes."""
    return {s["image"].shape[1] - 26: s for s in kseg.data.samples(source)}


def test_given_classes(opened):
    source = opened(Plain, class_names=("a", "b", "c"))
    assert len(source) == COUNT and source.name == "plain_set/train"
    found = by_width(source)
    assert sorted(found) == list(range(COUNT))
    for index, sample in found.items():
        np.testing.assert_array_equal(sample["image"], photo(index))
        np.testing.assert_array_equal(sample["label"], mask(index, 0, 3)[:, :, 0])
    np.testing.assert_array_equal(source[3]["image"], list(kseg.data.samples(source))[3]["image"])


def test_the_pets_are_shifted_and_their_outline_is_void(opened):
    source = opened(OxfordIIITPet)
    assert source.class_names == ("pet", "background") and source.category_ids == (1, 2)
    for index, sample in by_width(source).items():
        expected = np.array([0, 0, 1, 255])[mask(index, 1, 4)[:, :, 0]]
        np.testing.assert_array_equal(sample["label"], expected)
    three = opened(OxfordIIITPet, class_names=("pet", "ground", "outline"), values=(1, 2, 3))
    for index, sample in by_width(three).items():
        np.testing.assert_array_equal(sample["label"], mask(index, 1, 4)[:, :, 0] - 1)


def test_cityscapes_label_ids_become_train_ids(opened):
    source = opened(Cityscapes)
    assert source.num_classes == 19 and source.category_ids[:3] == (7, 8, 11)
    for index, sample in by_width(source).items():
        stored = mask(index, 0, 34)[:, :, 0]
        expected = np.full(stored.shape, 255)
        for train_id, label_id in enumerate(source.category_ids):
            expected[stored == label_id] = train_id
        np.testing.assert_array_equal(sample["label"], expected)


def test_names_that_tfds_knows(opened):
    assert opened(DataSpec).class_names == ("sky", "ground", "water")


def test_masks_of_three_equal_channels(opened):
    source = opened(Rgb)
    assert source.num_classes == 150
    for index, sample in by_width(source).items():
        stored = mask(index, 0, 151)[:, :, 0].astype(int)
        np.testing.assert_array_equal(sample["label"], np.where(stored == 0, 255, stored - 1))


def test_slices_and_folders(opened):
    whole, half = opened(DataSpec), opened(DataSpec, "train[:50%]")
    assert len(half) == 3 and set(by_width(half)) < set(by_width(whole))
    assert len(opened(DataSpec, "test")) == 2 and len(opened(DataSpec, "train+test")) == 8
    folder = str(half.columns["file"][0]).rsplit("/", 1)[0]
    again = kseg.data.tfds(folder, "train")
    np.testing.assert_array_equal(again[0]["label"], whole[0]["label"])


def test_it_feeds_training(opened):
    ds = kseg.data.batches(opened(DataSpec), size=(16, 16), batch_size=2, augment=True)
    for images, labels in ds:
        assert images.shape == (2, 16, 16, 3) and labels.shape == (2, 16, 16)
        assert set(np.unique(labels)) <= {0, 1, 2, 255}


def test_mistakes(opened, tmp_path):
    with pytest.raises(ValueError, match="class_names"):
        opened(Plain)
    with pytest.raises(
        ValueError, match=r"values=\(1, 2\): expected one for each of the 1 class_names"
    ):
        opened(Plain, class_names=("a",), values=(1, 2))
    with pytest.raises(ValueError, match="split='val'.*train"):
        opened(DataSpec, "val")
    with pytest.raises(ValueError, match="'nothing_at_all'.*Dataset nothing_at_all not found"):
        kseg.data.tfds("nothing_at_all")
    with pytest.raises(FileNotFoundError, match="not prepared"):
        kseg.data.tfds(Plain(data_dir=str(tmp_path)), download=False, class_names=("a",))

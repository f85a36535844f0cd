"""Damaged files, thousands of them: an error that names the file; never a crash or a wrong mask.

Mutations follow from a fixed seed. `pytest -m slow` runs ten times as many.
"""

import json
import random
import struct
import time

import numpy as np
import pytest
import tensorflow as tf
from data.damage import (
    HEIGHT,
    WIDTH,
    chunked,
    chunks_of,
    damaged,
    damaged_image,
    damaged_jpeg,
    damaged_json,
    damaged_png,
    damaged_text,
    encoded,
    ids,
    masks,
    photos,
)
from PIL import Image

import kseg
from kseg.checks.one_sample import SampleReader
from kseg.data.bad_files import explanation, naming_bad_files
from kseg.data.errors import DataError, MissingData
from kseg.data.faults import ManyFaults
from kseg.data.files import load_mask, load_photo
from kseg.data.spec import DataSpec

pytestmark = [
    pytest.mark.backends("tensorflow", reason="nothing of a backend"),
    # Pillow's of large headers, broken EXIF and trailing bytes
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning"),
]
REFUSED = (
    DataError,
    MissingData,
    ManyFaults,
    ValueError,
)  # and nothing that these are the parents of
LIST = "voc/VOC2012/ImageSets/Segmentation/train.txt"
COUNTS = [
    pytest.param(1, id="few"),
    pytest.param(10, id="many", marks=pytest.mark.slow),
]


# Images


def folder_of(root, pairs):
    """A folder source of `(photo, mask)` bytes."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number, (photo, mask) in enumerate(pairs):
        (root / f"images/p{number:05d}.jpg").write_bytes(photo)
        (root / f"masks/p{number:05d}.png").write_bytes(mask)
    return kseg.data.folder(root / "images", root / "masks", ["a", "b", "c"], probe=False)


def outcomes(source):
    """Reads every sample as `check` does: the sample, or its error, which names a file."""
    looker = SampleReader(source, thorough=False)
    for index in range(len(source)):
        files = [str(source.columns[name][index]) for name in ("image", "label")]
        try:
            sample, _ = looker.read(looker.index(index))
            yield files, {key: value.numpy() for key, value in sample.items()}, None
        except tf.errors.OpError:
            yield files, None, str(explanation(source, index))


def checked(source, bad):
    """`check` reports every file in `bad`."""
    report = kseg.check(source, duplicates=False)
    reported = {file for finding in report.errors for file in finding.files}
    assert bad <= reported, sorted(bad - reported)[:3]
    assert all(str(finding) and "\n" not in finding.message for finding in report.findings)


def by_pillow(load, file):
    try:
        return load(file)
    except ValueError as error:
        assert file in str(error)
        return None


@pytest.mark.parametrize("times", COUNTS)
def test_masks(tmp_path, times):
    rng, photo = random.Random(1), encoded(Image.new("RGB", (WIDTH, HEIGHT), 90))
    kinds = list(masks().values())
    pairs = [(photo, damaged_image(kinds[n % 7], rng)) for n in range(700 * times)]
    source, bad, read = folder_of(tmp_path / "set", pairs), set(), 0
    for (_, file), sample, error in outcomes(source):
        if error:
            assert file in error and "{{" not in error
            bad.add(file)
            continue
        expected = by_pillow(load_mask, file)
        if expected is None:
            # A wrong checksum of a chunk that says nothing of the pixels, such as tRNS: libpng
            # leaves the chunk out, Pillow refuses the file. The pixels' own checksums are sound.
            with open(file, "rb") as opened:
                chunks = [c for c in chunks_of(opened.read()) if c[0][:1].isupper()]
            (tmp_path / "plain.png").write_bytes(chunked(chunks))
            expected = load_mask(tmp_path / "plain.png")
        np.testing.assert_array_equal(sample["label"], expected)
        read += 1
    assert len(bad) > 300 * times and read > 50 * times
    checked(source, bad)


@pytest.mark.parametrize("times", COUNTS)
def test_photos(tmp_path, times):
    rng, mask = random.Random(2), encoded(Image.fromarray(ids()))
    kinds = list(photos().values())
    pairs = [(damaged_image(kinds[n % 5], rng), mask) for n in range(600 * times)]
    source, bad, read = folder_of(tmp_path / "set", pairs), set(), 0
    for (file, mask), sample, error in outcomes(source):
        if error:
            assert (file in error or mask in error) and "{{" not in error
            bad.add(mask if mask in error else file)
            continue
        read += 1
        # Both use libjpeg, which fills what is missing of a JPEG that ends properly; where scans of
        # a progressive one are missing, its versions differ in how they smooth the blocks. Of files
        # that no decoder should take for an image, Pillow knows some more by their segments.
        expected = by_pillow(load_photo, file)
        if expected is not None and not Image.open(file).info.get("progressive"):
            assert np.abs(sample["image"] - expected.astype(int)).max() <= 2
    assert len(bad) > 150 * times and read > 50 * times
    checked(source, bad)


def test_a_mask_cut_short_anywhere_is_refused(tmp_path):
    photo = encoded(Image.new("RGB", (WIDTH, HEIGHT), 90))
    contents = [m[:end] for m in masks().values() for end in range(8, len(m) - 12, 3)]
    source = folder_of(tmp_path / "set", [(photo, content) for content in contents])
    for (_, file), sample, error in outcomes(source):
        assert sample is None and file in error


def test_a_header_that_claims_gigapixels_is_refused_at_once(tmp_path):
    def claims(content, side):
        (kind, header), *rest = chunks_of(content)
        return chunked([(kind, struct.pack(">II", side, side) + header[8:]), *rest])

    def claims_in_jpeg(content, side):
        frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) + 5
        return content[:frame] + struct.pack(">HH", side, side) + content[frame + 4 :]

    photo, mask, pairs = photos(), masks(), []
    for side in (16_000, 22_000, 60_000):
        pairs += [(photo["png"], claims(each, side)) for each in mask.values()]
        pairs += [(claims(photo["png"], side), mask["grey 8"])]
        pairs += [
            (claims_in_jpeg(photo[kind], side), mask["grey 8"]) for kind in ("jpeg", "progressive")
        ]
    source = folder_of(tmp_path / "set", pairs)
    before, start = peak(), time.monotonic()
    for files, sample, error in outcomes(source):
        assert sample is None and any(file in error for file in files)
    checked(source, set())
    assert time.monotonic() - start < 20 and peak() - before < 300


def peak():
    """The most memory that this process has held, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.slow
@pytest.mark.parametrize("times", COUNTS)
def test_a_bad_file_within_a_training_is_named(tmp_path, times):
    rng, good = random.Random(3), masks()["grey 8"]
    kinds = list(photos().values())
    for number in range(3 * times):
        pairs = [(kind, good) for kind in kinds * 2]
        photo, mask = pairs[5]
        content = damaged_jpeg(kinds[number % 3], rng)[: rng.choice([30, 200, 600, None])]
        pairs[5] = (content, mask) if number % 3 else (photo, damaged_png(mask, rng)[:-20])
        source = folder_of(tmp_path / str(number), pairs)
        ds = kseg.data.batches(source, size=(16, 16), batch_size=2, augment=True)
        files = [str(source.columns[name][5]) for name in ("image", "label")]
        try:
            with naming_bad_files(source):
                assert len(list(ds)) == 5
            assert source[5]["image"].shape == (HEIGHT, WIDTH, 3)
        except ValueError as error:
            assert any(file in str(error) for file in files)


# Lists, annotations, records


def refusals(root, name, content, mutate, rng, count, read):
    """Damages one file of a set `count` times; every error of `read` is one line that names it."""
    number, path = 0, root / name
    for _ in range(count):
        path.write_bytes(mutate(content, rng))
        try:
            read()
        except REFUSED as error:
            number += 1
            text = str(error)
            assert type(error) in REFUSED, repr(error)
            assert str(root) in text, text
            assert len(text) < 10**5 + 10**4
    path.write_bytes(content)
    return number


@pytest.mark.parametrize("times", COUNTS)
def test_lists(tmp_path, times, pair_folders, write_image):
    rng, root = random.Random(4), pair_folders()
    lists = root / "train.txt"
    content = b"p0\np1.png\nmasks/p2.png images/p2.png\n# p3\np4\n"
    lists.write_bytes(content)
    spec = DataSpec(f"folder:{root}")
    assert spec.open("train").ids == ("p0", "p1", "p2", "p4")
    lists.write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert spec.open("train").ids == ("p0", "p1", "p2", "p4")
    read = lambda: spec.open("train", probe=False)  # noqa: E731
    assert refusals(root, "train.txt", content, damaged_text, rng, 150 * times, read) > 50
    names = root / "classes.txt"
    names.write_bytes(b"\xef\xbb\xbfground\r\nobject\r\n")
    assert spec.open("train").class_names == ("ground", "object")
    refusals(root, "classes.txt", b"ground\nobject\n", damaged_text, rng, 60 * times, read)

    for number in range(3):
        write_image(f"voc/VOC2012/JPEGImages/a{number}.jpg", np.zeros((4, 4, 3), np.uint8))
        write_image(f"voc/VOC2012/SegmentationClass/a{number}.png", np.zeros((4, 4), np.uint8))
    (tmp_path / LIST).parent.mkdir(parents=True)
    read = lambda: kseg.data.voc(tmp_path / "voc")  # noqa: E731
    assert refusals(tmp_path, LIST, b"a0\na1\na2\n", damaged_text, rng, 100 * times, read) > 30


@pytest.mark.parametrize("panoptic", [False, True])
@pytest.mark.parametrize("times", COUNTS)
def test_coco(tmp_path, write_image, times, panoptic):
    pytest.importorskip("pycocotools")
    rng, path, square = random.Random(5), tmp_path / "set/a.json", [[2, 2, 9, 2, 9, 9, 2, 9]]
    write_image("set/photos/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    write_image("set/photos/b.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    image = {"height": HEIGHT, "width": WIDTH}
    runs = {"size": [HEIGHT, WIDTH], "counts": [100, 7, HEIGHT * WIDTH - 107]}
    common = {"category_id": 3, "iscrowd": 0, "area": 49, "bbox": [2, 2, 7, 7]}
    annotations = [
        common | {"id": 1, "image_id": 7, "segmentation": square},
        common | {"id": 2, "image_id": 9, "segmentation": runs, "category_id": 18},
        common | {"id": 3, "image_id": 9, "segmentation": runs | {"counts": ""}},
    ]
    if panoptic:
        write_image("set/a/a.png", np.full((HEIGHT, WIDTH, 3), (5, 0, 0), np.uint8))
        write_image("set/a/b.png", np.full((HEIGHT, WIDTH, 3), (6, 0, 0), np.uint8))
        annotations = [
            {"image_id": key, "file_name": name, "segments_info": [common | {"id": segment}]}
            for key, name, segment in ((7, "a.png", 5), (9, "b.png", 6))
        ]
    else:
        annotations[2]["segmentation"]["counts"] = compressed(runs)
    content = {
        "images": [
            image | {"id": 7, "file_name": "a.png"},
            image | {"id": 9, "file_name": "b.png"},
        ],
        "categories": [
            {"id": 3, "name": "car", "isthing": 1, "color": [9, 8, 7]},
            {"id": 18, "name": "sky", "isthing": 0, "color": [1, 2, 3]},
        ],
        "annotations": annotations,
    }

    def read():
        source = kseg.data.coco(tmp_path / "set/photos", path, instances=rng.random() < 0.5)
        assert all(isinstance(message, str) for i in range(2) for _, message in source.problems(i))
        for index in range(len(source)):
            opened(source, index)

    content = json.dumps(content).encode()
    path.write_bytes(content)
    read()
    before = peak()
    assert refusals(tmp_path, "set/a.json", content, damaged_json, rng, 150 * times, read) > 50
    assert peak() - before < 1000


def opened(source, index):
    """A sample; its error as a training names it."""
    return source[index]


def compressed(runs):
    from pycocotools import mask

    return mask.frPyObjects(runs, *runs["size"])["counts"].decode()


@pytest.mark.parametrize("times", COUNTS)
def test_records(tmp_path, times):
    rng, path = random.Random(6), tmp_path / "set" / "r"
    written = kseg.data.shapes("val", size=(HEIGHT, WIDTH), count=3)
    kseg.data.write_records(written, path)
    expected = {name: written[index]["label"] for index, name in enumerate(written.ids)}

    def read():
        source = kseg.data.records(path)
        for index in range(len(source)):
            label = opened(source, index)["label"]
            np.testing.assert_array_equal(label, expected[source.ids[index]])

    for name, mutate, count in (
        ("source.json", damaged_json, 60),
        ("index.npz", damaged, 60),
        ("data-00000-of-00001.tfrecord", damaged, 60),
    ):
        content = (path / name).read_bytes()
        assert refusals(path, name, content, mutate, rng, count * times, read) > 10

"""Records: what is written is read again, in any order, checked to the byte."""

import json
import os
import sys

import numpy as np
import pytest
import tensorflow as tf

import kseg
from kseg.data import batches, records, write_records
from kseg.data.cache import cached, fingerprint


def assert_equal_samples(first, second):
    assert len(first) == len(second) and first.ids == second.ids
    for a, b in zip(kseg.data.samples(first), kseg.data.samples(second)):
        assert set(a) == set(b)
        for key in a:
            assert a[key].dtype == b[key].dtype
            np.testing.assert_array_equal(a[key], b[key])


@pytest.fixture(params=["semantic", "instance"])
def source(request):
    return kseg.data.shapes("val", size=(30, 44), count=7, instances=request.param == "instance")


@pytest.mark.few("semantic-True", "instance-False")
@pytest.mark.parametrize("decoded", [False, True])
def test_round_trip(tmp_path, source, decoded):
    path = write_records(source, tmp_path / "r", shards=3, decoded=decoded)
    again = records(path)
    for field in ("name", "task", "class_names", "colors", "void", "category_ids"):
        assert getattr(again, field) == getattr(source, field)
    assert_equal_samples(source, again)
    assert sorted(p.name for p in path.iterdir()) == [
        *(f"data-{n:05d}-of-00003.tfrecord" for n in range(3)),
        "index.npz",
        "source.json",
    ]


def test_jpeg_bytes_are_kept_and_windows_decoded_from_them(tmp_path, write_image, rng):
    photo = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    file = write_image("images/a.jpg", photo, quality=90)
    write_image("masks/a.png", rng.integers(0, 3, (40, 60), dtype=np.uint8))
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["a", "b", "c"])
    path = write_records(source, tmp_path / "r")
    assert file.read_bytes() in (path / "data-00000-of-00001.tfrecord").read_bytes()
    assert_equal_samples(source, records(path))
    one, two = (
        next(iter(batches(s, size=(16, 16), batch_size=1, augment=True)))
        for s in (source, records(path))
    )
    np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(one[0], two[0])


def test_wide_labels_and_images_without_instances(tmp_path):
    label = np.array([[[0, 300], [299, 7]]], np.int32)
    wide = kseg.data.Source(
        "wide",
        {"label": label},
        lambda row: {"image": tf.zeros((2, 2, 3), tf.uint8), "label": row["label"]},
        tuple(map(str, range(300))),
        ((0, 0, 0),) * 300,
        ("one",),
        void=300,
    )
    assert_equal_samples(wide, records(write_records(wide, tmp_path / "wide")))

    def nothing(row):
        return {
            "image": tf.zeros((5, 4, 3), tf.uint8),
            "masks": tf.zeros((0, 5, 4), tf.uint8),
            "classes": tf.zeros((0,), tf.int32),
        }

    empty = kseg.data.Source(
        "empty", {"n": np.arange(2)}, nothing, ("a",), ((1, 2, 3),), ("x", "y"), task="instance"
    )
    for decoded in (False, True):
        path = write_records(empty, tmp_path / f"empty{decoded}", decoded=decoded)
        assert_equal_samples(empty, records(path))


def test_hosts_share_the_files(tmp_path, source):
    path = write_records(source, tmp_path / "r", shards=4)
    parts = [records(path, shard=(number, 2)) for number in range(2)]
    assert sorted(parts[0].ids + parts[1].ids) == sorted(source.ids)
    assert not set(parts[0].columns["file"]) & set(parts[1].columns["file"])
    for shard in [(2, 2), (-1, 2), (0, 5)]:
        with pytest.raises(ValueError, match="shard="):
            records(path, shard=shard)


def test_a_flipped_bit_is_noticed(tmp_path, source):
    path = write_records(source, tmp_path / "r", shards=1)
    file = path / "data-00000-of-00001.tfrecord"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError, match="corrupted"):
        list(kseg.data.samples(records(path)))


def test_mistakes(tmp_path, source):
    with pytest.raises(FileNotFoundError, match="source.json"):
        records(tmp_path)
    with pytest.raises(ValueError, match="shards=8"):
        write_records(source, tmp_path / "r", shards=8)
    assert not list(tmp_path.iterdir())
    path = write_records(source, tmp_path / "r")
    with pytest.raises(FileExistsError, match="exists already"):
        write_records(source, path)
    text = (path / "source.json").read_text()
    said = json.loads(text)
    names = json.dumps(said | {"class_names": [0, *said["class_names"][1:]]})
    for broken in ("{", "[]", json.dumps({"files": []}), text.replace('"decoded"', '"x"'), names):
        (path / "source.json").write_text(broken)
        with pytest.raises(ValueError, match="damaged"):
            records(path)
    (path / "source.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="format 2"):
        records(path)
    (path / "source.json").write_text(text)
    os.remove(path / "data-00000-of-00001.tfrecord")
    with pytest.raises(FileNotFoundError, match="record files are missing"):
        records(path)


def test_nothing_is_left_of_an_interrupted_writing(tmp_path, pair_folders):
    root = pair_folders()
    (root / "images" / "p3.png").write_bytes(b"no image")
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    with pytest.raises(ValueError, match="p3.png"):
        write_records(source, tmp_path / "out" / "r")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.few("memory")
@pytest.mark.parametrize(
    "where", ["memory", pytest.param("disk", marks=pytest.mark.slow), "folder"]
)
def test_cached_samples_are_the_same(tmp_path, monkeypatch, pair_folders, where):
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    root = pair_folders()
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    place = str(tmp_path / "mine") if where == "folder" else where
    assert_equal_samples(source, cached(source, place))

    def epoch(**more):
        ds = batches(source, size=(24, 24), batch_size=2, augment=True, **more)
        return np.stack([image.numpy() for image, _ in ds])

    np.testing.assert_array_equal(epoch(), epoch(cache=place))
    if where == "memory":
        return
    folders = list((tmp_path / ("mine" if where == "folder" else "cache")).iterdir())
    assert [f.name for f in folders] == [fingerprint(source)]

    def written_again(*arguments, **more):
        raise AssertionError("the cache was not used")

    monkeypatch.setattr(sys.modules["kseg.data.cache"], "write_records", written_again)
    np.testing.assert_array_equal(epoch(), epoch(cache=place))


def test_the_cache_is_in_the_home_folder(tmp_path, monkeypatch, pair_folders):
    monkeypatch.delenv("KSEG_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = pair_folders(count=1)
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "object"], split=None)
    cached(source, "disk")
    folders = list((tmp_path / "home" / ".cache" / "kseg").iterdir())
    assert [folder.name for folder in folders] == [fingerprint(source)]


def test_the_cache_notices_changed_files(pair_folders, write_image):
    root = pair_folders()
    before = kseg.data.folder(root / "images", root / "masks", ["ground", "object"])
    old = fingerprint(before)
    assert old == fingerprint(before)
    write_image("set/masks/p1.png", np.ones((40, 56), np.uint8))
    assert fingerprint(before) != old

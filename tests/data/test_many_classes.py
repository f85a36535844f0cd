"""More classes than a byte counts: each id as it is, wherever a mask is written or read."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.prediction.semantic import write

pytestmark = pytest.mark.backends("tensorflow", reason="reads files, whatever the backend")

NAMES = tuple(f"c{i}" for i in range(300))
COLORS = tuple((i % 256, i // 256, 7) for i in range(300))


def test_a_mask_of_300_classes_is_written_and_read(tmp_path, rng):
    ids = rng.integers(0, 300, (20, 30))
    ids[0, :3] = 299, 255, 43
    (tmp_path / "images").mkdir()
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(
        tmp_path / "images/a.png"
    )
    write(ids, tmp_path / "masks/a.png", NAMES, COLORS)
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", NAMES)
    np.testing.assert_array_equal(source[0]["label"], ids)
    assert source.void == 65535
    deep = ids.astype(np.uint16)
    deep[1] = 65535
    Image.fromarray(deep).save(tmp_path / "masks/a.png")
    np.testing.assert_array_equal(source[0]["label"], deep)
    for decoded in (False, True):
        path = kseg.data.write_records(source, tmp_path / f"records{decoded}", decoded=decoded)
        np.testing.assert_array_equal(kseg.data.records(path)[0]["label"], deep)


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.int32])
def test_labels_of_any_type_come_back_from_records(tmp_path, decoded, kind):
    label = np.array([[0, 1, 255]], kind)
    columns = {"image": np.zeros((1, 1, 3, 3), np.uint8), "label": label[None]}
    source = kseg.data.Source("a", columns, lambda row: row, ("a", "b"), COLORS[:2], ("x",))
    path = kseg.data.write_records(source, tmp_path / "r", decoded=decoded)
    np.testing.assert_array_equal(kseg.data.records(path)[0]["label"], label)
    source = dataclasses.replace(source, void=-1)
    with pytest.raises(ValueError, match="source.void=-1: expected an integer from 0 to 65535"):
        kseg.data.write_records(source, tmp_path / "other", decoded=decoded)

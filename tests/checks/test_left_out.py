"""Photos that training does not read or hardly sees, and masks that number objects."""

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.checks.mask_values import numbers_objects

pytestmark = pytest.mark.once("torch")


def source_of(root, classes=("ground", "object"), **options):
    return kseg.data.folder(root / "images", root / "masks", classes, probe=False, **options)


@pytest.mark.slow
def test_pictures_with_other_endings_are_counted_and_named(pair_folders, tmp_path, capsys):
    root = pair_folders()
    for name in ("x.HEIC", "y.psd", "z.heic", "notes.txt", ".hidden.tif"):
        (root / "images" / name).write_bytes(b"")
    report = kseg.check(source_of(root, split="train"), source_of(root, split="val"))
    (finding,) = (each for each in report.findings if each.kind == "left_out")
    assert finding.files == tuple(str(root / "images" / n) for n in ("x.HEIC", "y.psd", "z.heic"))
    assert report.ok and "x.HEIC' is left out" in str(finding) and "3 files" in str(finding)
    model = kseg.build_unet(2, width=2, depth=1)
    settings = kseg.Settings(epochs=1, size=(32, 32))
    kseg.fit(model, source_of(root), run=tmp_path / "run", settings=settings)
    assert "x.HEIC' is left out" in capsys.readouterr().out


def test_a_folder_of_other_endings_alone(tmp_path):
    for name in ("a.heic", "b.heic"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=".webp, .*but 2 others: a.heic, b.heic"):
        kseg.data.folder(tmp_path, tmp_path / "masks", ["a"])


@pytest.mark.slow
def test_photos_of_12_bits_in_files_of_16_are_told(pair_folders, tmp_path, capsys):
    """Their numbers end at 4095, so that of the upper 8 bits next to nothing is left."""
    root = pair_folders(count=3, size=(32, 32))
    names = [root / "images" / f"p{i}.png" for i in range(3)]
    photo = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    for name, factor in zip(names, (4, 16, 64)):  # of 12 bits, of 14, of all
        Image.fromarray(photo * np.uint16(factor)).save(name)
    (finding,) = (e for e in kseg.check(source_of(root)).findings if e.kind == "dark_photo")
    assert finding.files == (str(names[0]),) and finding.severity == "warning"
    assert "p0.png' has 16 bits, of which it uses 12 at most: its brightest value is 15 of 255" in (
        str(finding)
    )
    settings = kseg.Settings(epochs=1, size=(16, 16))
    kseg.fit(kseg.build_unet(2, width=2, depth=1), source_of(root), run=tmp_path, settings=settings)
    assert "multiplied by 16" in capsys.readouterr().out
    Image.fromarray(photo * np.uint16(4) * np.uint16(16)).save(names[0])  # the remedy
    assert not [e for e in kseg.check(source_of(root)).findings if e.kind == "dark_photo"]
    assert source_of(root)[0]["image"].max() == 255


def numbered(count, pieces=1):
    """A mask of `count` squares that are numbered, each of so many pieces."""
    mask = np.zeros((40 * pieces, 8 * count), np.uint8)
    for piece in range(pieces):
        for number in range(1, count + 1):
            mask[40 * piece + 4 : 40 * piece + 30, 8 * number - 7 : 8 * number - 2] = number
    return mask


def test_numbers_of_objects_are_told_from_classes(pair_folders):
    assert numbers_objects(numbered(6), {*range(7)})
    assert not numbers_objects(numbered(6, pieces=2), {*range(7)})
    assert not numbers_objects(numbered(3), {*range(4)})
    assert not numbers_objects(numbered(6) * 40, {*range(0, 241, 40)})
    root = pair_folders(count=2, size=(40, 48))
    for path in (root / "masks").iterdir():
        Image.fromarray(numbered(6)).save(path)
    (finding,) = (e for e in kseg.check(source_of(root)).errors if e.kind == "object_numbers")
    assert "instances=True" in finding.remedy and len(finding.files) == 2
    objects = kseg.check(source_of(root, ["object"], instances=True))
    assert objects.ok and objects.sources[0].instances.tolist() == [12]

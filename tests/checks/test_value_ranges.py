"""The check finds the range of a set's numbers, and what it says to do ends the finding."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.checks.one_sample import is_deep


def source_of(images, **options):
    labels = np.zeros(images.shape[:3], np.uint8)
    labels[:, 10:20, 10:30] = 1
    return kseg.data.Source(
        name="made",
        columns={"image": images, "label": labels},
        decode=lambda row: dict(row),
        class_names=("ground", "object"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=tuple(map(str, range(len(images)))),
        **options,
    )


def ranges_in(source):
    kinds = ("no_value_range", "dark_photo", "unsuitable", "unreadable")
    return [each for each in kseg.check(source).findings if each.kind in kinds]


@pytest.mark.once("torch")
@pytest.mark.parametrize(
    "dtype, low, high, said",
    [
        ("float32", 0.0, 0.9, "value_range=(0.0, 1.0)"),
        ("float32", -0.7, 0.9, "value_range=(-1.0, 1.0)"),
        ("float64", -31.0, 4.0, "value_range=(-40.0, 4.0)"),
        ("int16", -380, 2900, "value_range=(-400, 3000)"),
        ("int32", 0, 1000, "bits=10"),
    ],
)
def test_a_range_that_is_not_said_is_proposed(rng, dtype, low, high, said):
    images = rng.uniform(low, high, (3, 24, 32, 2)).astype(dtype)
    images[:, 0, 0], images[:, 0, 1] = low, high
    (finding,) = ranges_in(source_of(images))
    assert finding.kind == "no_value_range" and finding.severity == "error"
    assert f"({dtype})" in finding.message and finding.message.endswith(f"Say {said}.")
    assert len(finding.samples) == 3
    remedied = source_of(images, **eval(f"dict({said})"))
    assert not ranges_in(remedied)
    stats = kseg.check(remedied).sources[0]
    assert stats.bands == 2 and stats.numbers == pytest.approx((low, high))


def test_dark_16_bits_are_told_and_the_remedy_ends_it(rng):
    images = rng.integers(0, 4000, (3, 24, 32, 5)).astype(np.uint16)
    (finding,) = ranges_in(source_of(images))
    assert finding.kind == "dark_photo" and "uses 12 at most" in finding.message
    assert "bits=12" in finding.remedy
    assert not ranges_in(source_of(images, bits=12))
    (again,) = ranges_in(source_of(images, bits=16))
    assert "dark for value_range=(0, 65535): its brightest level is 15 of 255" in again.message


def test_blank_and_duplicate_photos_are_found_in_any_range(rng):
    images = rng.random((3, 24, 32, 5), np.float32)
    images[1], images[2] = 0.5, images[0]
    findings = kseg.check(source_of(images, value_range=(0.0, 1.0))).findings
    by_kind = {each.kind: each.files for each in findings}
    assert by_kind["blank_photo"] == ("1",) and set(by_kind["duplicate_photo"]) == {"0", "2"}


def test_pictures_show_the_bands_that_are_chosen(rng):
    from kseg.pictures.image import as_rgb, picture_of

    images = np.zeros((1, 24, 32, 5), np.uint16)
    images[..., 4], images[:, :12, :, 2] = 100, 4000  # bright in the upper half
    source = source_of(images, bits=12, bands=(2, 2, 2))
    picture = picture_of(source, source[0])
    assert picture.dtype == np.uint8 and picture.shape == (24, 32, 3)
    assert (picture[:12] == 255).all() and (picture[12:] == 0).all()
    assert not picture_of(dataclasses.replace(source, bands=(1,)), source[0]).any()
    assert as_rgb(images[0], (4, 2, 0), (0, 4095)).shape == (24, 32, 3)


def test_16_bits_of_files_are_told_by_their_bytes(rng):
    source = source_of(np.zeros((1, 24, 32, 3), np.uint8))
    pixels = rng.integers(0, 255, (8, 9), np.uint8)

    def content(array, kind):
        saved = io.BytesIO()
        Image.fromarray(array).save(saved, kind)
        return saved.getvalue()

    assert is_deep(source, content(pixels.astype(np.uint16), "PNG"))
    assert not is_deep(source, content(pixels, "PNG"))
    jpeg = bytearray(content(pixels, "JPEG"))
    jpeg[24] = 16  # where a PNG says its depth
    assert not is_deep(source, bytes(jpeg))

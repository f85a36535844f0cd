"""A photo that is none is named by whatever reads it first: a plain `model.fit` too."""

import numpy as np
import pytest

import kseg
from kseg.data import converted, decode
from kseg.data.bad_files import explanation, first_bad_sample
from kseg.data.errors import DataError


@pytest.mark.few("False--the")
@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "the file is empty"), (b"<html>", "no JPEG, PNG, BMP, GIF, TIFF or WebP file")],
)
@pytest.mark.parametrize("augment", [False, True])
def test_batches_name_the_file(pair_folders, content, words, augment):
    root = pair_folders(count=3, size=(24, 32))
    path = root / "images" / "p1.png"
    path.write_bytes(content)
    source = kseg.data.folder(root / "images", root / "masks", ("a", "b"), split=None)
    ds = kseg.data.batches(source, size=(16, 16), batch_size=1, augment=augment)
    with pytest.raises(Exception, match="(?s)images/p1.png.*" + words):
        list(ds)
    with pytest.raises(DataError, match=f"^'{path}' .*Replace or remove") as raised:
        source[1]
    assert raised.value.kind == "unreadable" and raised.value.subject == str(path)


@pytest.mark.parametrize("bad", [None, 0, 1, 2])
def test_the_first_that_cannot_be_read(pair_folders, bad):
    root = pair_folders(count=3, size=(24, 32))
    source = kseg.data.folder(root / "images", root / "masks", ("a", "b"), split=None)
    for index in range(3 if bad is None else bad, 3):
        (root / "images" / f"p{index}.png").write_bytes(b"")
    assert first_bad_sample(source) == bad


@pytest.mark.backends("tensorflow", reason="other backends take the same batches")
def test_fit_names_the_file(pair_folders):
    root = pair_folders(count=2, size=(24, 32))
    (root / "images" / "p1.png").write_bytes(b"")
    source = kseg.data.folder(root / "images", root / "masks", ("a", "b"), split=None)
    model = kseg.build_unet(2, width=2, depth=1)
    with pytest.raises(Exception, match="(?s)images/p1.png.*empty"):
        model.fit(kseg.data.batches(source, batch_size=1), verbose=0, shuffle=False)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_photos_of_every_kind_are_read(tmp_path, kind, rng):
    from PIL import Image

    from kseg.data.decode import decode_photo

    path = tmp_path / "photo"
    image = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    image.save(path, kind)
    with Image.open(path) as stored:
        expected = np.asarray(stored.convert("RGB"))
    np.testing.assert_array_equal(decode_photo(str(path)), expected)


def test_a_mask_of_another_size_is_named_with_both_sizes(pair_folders, write_image):
    root = pair_folders(count=2, size=(24, 32))
    mask = write_image(root / "masks" / "p1.png", np.zeros((23, 32), np.uint8))
    source = kseg.data.folder(root / "images", root / "masks", ("a", "b"), split=None)
    error = explanation(source, 1)
    assert (error.kind, error.subject) == ("size_mismatch", str(mask))
    assert "the mask is 32x23 but its image is 32x24 pixels" in str(error)
    whole = explanation(source, 0)  # nothing is wrong with the other
    assert (whole.kind, whole.subject) == ("unreadable", source.ids[0])


@pytest.mark.once("tensorflow")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_whole_photos_are_read_without_python(tmp_path, kind, rng, monkeypatch):
    from PIL import Image

    def by_python(path):
        raise ValueError("read by Python")

    path = tmp_path / "photo"
    Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path, kind)
    monkeypatch.setattr(converted, "start_of", by_python)
    assert decode.read_photo(str(path)).numpy() == path.read_bytes()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Exception, match="read by Python"):
        decode.read_photo(str(path))

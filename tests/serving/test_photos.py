"""Photos in a graph: each decoded alone, then in groups of one size."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kseg.data.files import photo_array
from kseg.paste import bilinear
from kseg.serving import photos

pytestmark = pytest.mark.usefixtures("on_tensorflow")


def encoded(array, format="PNG", mode=None, **options):
    image = Image.fromarray(array)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, format, **options)
    return stream.getvalue()


def png_header(width, height):
    """A PNG that ends after its header; its checksum is right."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header


def decoded(contents, **options):
    import tensorflow as tf

    # in a graph, as it is served
    function = tf.function(
        lambda x: photos.decode(x, **options),
        input_signature=[tf.TensorSpec((None,), tf.string)],
        autograph=False,
    )
    sizes, pixels, status = function(tf.constant(contents, tf.string, shape=(len(contents),)))
    return sizes.numpy(), pixels, [each.decode() for each in status.numpy()]


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, (13, 17, 3), dtype=np.uint8)


def test_every_kind_is_decoded_as_pillow_does(photo):
    deep = (np.arange(12 * 9).reshape(12, 9) * 601 % 65536).astype(np.uint16)
    contents = [
        encoded(photo),
        encoded(photo, "JPEG", quality=90),
        encoded(photo, "JPEG", mode="CMYK"),
        encoded(photo, "JPEG", mode="L", progressive=True),
        encoded(photo, mode="L"),
        encoded(photo, mode="P"),
        encoded(np.dstack([photo, photo[:, :, :1]])),  # alpha
        encoded(deep),
        encoded(photo[:1, :1]),
    ]
    sizes, pixels, status = decoded(contents)
    assert status == ["ok"] * len(contents)
    for content, size, each in zip(contents, sizes, pixels):
        expected = photo_array(Image.open(io.BytesIO(content)))
        np.testing.assert_array_equal(photos.restore(each[None], size)[0], expected)


def test_a_bad_photo_gets_a_status_and_fails_no_other(photo):
    good = encoded(photo)
    jpeg = encoded(photo, "JPEG")
    contents = [b"", good, b"junk", jpeg[: len(jpeg) // 2], good[:50], encoded(photo, "GIF"), good]
    sizes, _, status = decoded(contents)
    assert [each.split(":")[0] for each in status] == [
        "empty",
        "ok",
        "neither JPEG nor PNG",
        "damaged",
        "damaged",
        "neither JPEG nor PNG",
        "ok",
    ]
    assert sizes.tolist() == [[0, 0], [13, 17], [0, 0], [0, 0], [0, 0], [0, 0], [13, 17]]


def test_nothing_is_decoded_beyond_the_limit(photo):
    # 13 * 17 = 221 pixels; the bomb would be 7.5 GB if it were decoded
    contents = [encoded(photo), png_header(50_000, 50_000), encoded(photo[:, :16])]
    _, _, status = decoded(contents, max_pixels=220)
    assert status == [
        "too large: more than 220 pixels",
        "too large: more than 220 pixels",
        "ok",
    ]


def test_an_empty_request_is_answered_with_nothing():
    sizes, pixels, status = decoded([])
    assert sizes.shape == (0, 2) and pixels.shape == (0,) and status == []


def by_size(sizes, status):
    """The groups that are made, and where each photo's answer ends up: ten times its position."""
    import tensorflow as tf

    groups = []

    def answer(members, size):
        groups.append((members.numpy().tolist(), size.numpy().tolist()))
        return {"x": members * 10}

    empty = {"x": tf.fill([len(status)], -1)}
    result = photos.by_size(tf.constant(sizes, tf.int32), tf.constant(status), empty, answer)
    return groups, result["x"].numpy().tolist()


def test_photos_of_one_size_go_together_and_answers_come_in_order():
    sizes = [[2, 3], [0, 0], [3, 2], [2, 3], [2, 3]]
    groups, answers = by_size(sizes, ["ok", "damaged", "ok", "ok", "ok"])
    assert groups == [([0, 3, 4], [2, 3]), ([2], [3, 2])]
    assert answers == [0, -1, 20, 30, 40]


def test_a_group_is_bounded_by_its_pixels(monkeypatch):
    monkeypatch.setattr(photos, "GROUP_PIXELS", 12)  # two of 2x3; one of 4x4, which is too large
    sizes = [[2, 3], [2, 3], [4, 4], [2, 3], [4, 4], [2, 3], [2, 3]]
    groups, answers = by_size(sizes, ["ok"] * 7)
    assert [members for members, _ in groups] == [[0, 1], [2], [3, 5], [4], [6]]
    assert answers == [0, 10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("size", [(13, 17), (26, 34), (5, 40), (1, 1)])
def test_resizing_is_that_of_predict(photo, size):
    import tensorflow as tf

    found = photos.resized(photo[None], tf.constant(size))[0]
    # TensorFlow's scale is rounded once more: 255 * 2^-20
    np.testing.assert_allclose(found, bilinear(photo, *size), atol=3e-3)


def test_encoded_images_are_what_pillow_reads(photo):
    import tensorflow as tf

    ids = photo[..., :1]
    (png,) = photos.encode_png(ids[None]).numpy()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), ids[..., 0])
    wide = (ids.astype(np.uint16) * 201)[None]
    (png,) = photos.encode_png(tf.constant(wide)).numpy()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), wide[0, ..., 0])
    smooth = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    (jpeg,) = photos.encode_jpeg(smooth[None]).numpy()
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(jpeg))), smooth, atol=3)

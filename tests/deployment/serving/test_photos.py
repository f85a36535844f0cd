"""Photos in a graph: each decoded alone, then in groups of one size."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kseg.data.files import photo_array
from kseg.deployment.saved_model import photos
from kseg.ops.resize import bilinear

pytestmark = pytest.mark.backends("tensorflow", reason="a graph without Keras in it")


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


def seen(contents, max_pixels=10_000):
    """The photos of a request as `answer` sees them, put in order: sums, sizes and status."""
    import tensorflow as tf

    def request(contents):
        def answer(images):
            total = tf.reduce_sum(tf.cast(images, tf.int64), axis=(1, 2, 3))
            # what each image is, without its size: its bytes
            texts = tf.map_fn(tf.io.serialize_tensor, images, fn_output_signature=tf.string)
            return {"total": total, "bytes": texts}

        empty = {
            "total": -tf.ones_like(contents, tf.int64),
            "bytes": tf.fill(tf.shape(contents), ""),
        }
        return photos.answered(contents, empty, answer, max_pixels)

    # in a graph, as it is served
    request = tf.function(
        request, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )
    results, sizes = request(tf.constant(contents, tf.string, shape=(len(contents),)))
    images = [
        tf.io.parse_tensor(text, tf.uint8).numpy() if text else None
        for text in results["bytes"].numpy()
    ]
    return images, sizes.numpy(), [each.decode() for each in results["status"].numpy()]


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
    images, sizes, status = seen(contents)
    assert status == ["ok"] * len(contents)
    for content, size, image in zip(contents, sizes, images):
        expected = photo_array(Image.open(io.BytesIO(content)))
        assert expected.shape[:2] == tuple(size)
        np.testing.assert_array_equal(image, expected)


def test_a_bad_photo_gets_a_status_and_fails_no_other(photo):
    good = encoded(photo)
    jpeg = encoded(photo, "JPEG")
    contents = [b"", good, b"junk", jpeg[: len(jpeg) // 2], good[:50], encoded(photo, "GIF"), good]
    images, sizes, status = seen(contents)
    assert [each.split(":")[0] for each in status] == [
        "empty",
        "ok",
        "neither JPEG nor PNG nor .npy",
        "damaged",
        "damaged",
        "neither JPEG nor PNG nor .npy",
        "ok",
    ]
    assert sizes.tolist() == [[0, 0], [13, 17], [0, 0], [0, 0], [0, 0], [0, 0], [13, 17]]
    assert [image is None for image in images] == [each != "ok" for each in status]
    np.testing.assert_array_equal(images[1], photo)


def test_a_photo_that_breaks_beside_its_like_leaves_them_whole(photo):
    """Of one group: all have the size that their headers say."""
    good, other = encoded(photo), encoded(photo[::-1])
    images, _, status = seen([good, good[:-30], other])
    assert status == ["ok", photos.DAMAGED, "ok"]
    np.testing.assert_array_equal(images[0], photo)
    np.testing.assert_array_equal(images[2], photo[::-1])
    assert seen([good[:-30]])[2] == [photos.DAMAGED]  # a group of none


def test_the_network_sees_no_damaged_photo(photo):
    import tensorflow as tf

    batches = []

    def answer(images):
        tf.py_function(lambda shape: batches.append(shape.numpy().tolist()), [tf.shape(images)], [])
        return {"x": tf.ones_like(images[:, 0, 0, 0])}

    def request(contents):
        return photos.answered(contents, {"x": tf.zeros_like(contents, tf.uint8)}, answer)

    good = encoded(photo)
    contents = tf.constant([png_header(5000, 5000), good, good[:-30], good])
    results, _ = tf.function(request, autograph=False)(contents)
    assert results["x"].numpy().tolist() == [0, 1, 0, 1]
    assert batches == [[2, 13, 17, 3]]


def test_nothing_is_decoded_beyond_the_limit(photo):
    # 13 * 17 = 221 pixels; the bomb would be 7.5 GB if it were decoded
    contents = [encoded(photo), png_header(50_000, 50_000), encoded(photo[:, :16])]
    _, _, status = seen([*contents, png_header(65_501, 1)], max_pixels=220)
    assert status == [
        "too large: more than 220 pixels",
        "too large: more than 220 pixels",
        "ok",
        "too large: a side of more than 65,500 pixels",
    ]


def test_sizes_that_no_photo_has_are_damage(photo):
    contents = [png_header(2**31 + 5, 3), png_header(0, 3), png_header(2**32 - 1, 2**32 - 1)]
    images, sizes, status = seen([*contents, encoded(photo)])
    assert status == [photos.DAMAGED] * 3 + ["ok"] and not sizes[:3].any()


def test_an_empty_request_is_answered_with_nothing():
    images, sizes, status = seen([])
    assert images == [] and sizes.shape == (0, 2) and status == []


LEFT_OUT = 5


def by_size(sizes, status):
    """The groups that are made, and where each photo's answer ends up: ten times its position."""
    import tensorflow as tf

    groups = []

    def answer(members, size):
        groups.append((members.numpy().tolist(), size.numpy().tolist()))
        known = members != LEFT_OUT
        return known, {"x": members[known] * 10}

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
    assert answers == [0, 10, 20, 30, 40, -1, 60]


@pytest.mark.parametrize("size", [(13, 17), (26, 34), (5, 40), (1, 1)])
def test_resizing_is_that_of_predict(photo, size):
    import tensorflow as tf

    actual = photos.resized(photo[None], tf.constant(size))[0]
    # TensorFlow's scale is rounded once more: 255 * 2^-20
    np.testing.assert_allclose(actual, bilinear(photo, *size), atol=3e-3)


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

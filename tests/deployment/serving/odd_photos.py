"""What clients send for photos: odd ones that are sound, and all that is none.

Everything follows from a fixed seed.
"""

import random
import struct
import zlib
from io import BytesIO

import numpy as np
from data.damage import chunked, chunks_of, damaged, damaged_image, encoded, photos
from PIL import Image

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
ADAM7 += ((1, 0, 2, 1),)  # first row and column, steps of both; PNG specification, section 8


def png(size, bits, color, rows, interlace=0):
    """A PNG of these rows, whatever its header says of them."""
    header = struct.pack(">IIBBBBB", size[1], size[0], bits, color, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return chunked([(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")])


def sound():
    """Files that are to be answered as Pillow reads them: dict of name -> bytes."""
    photo = np.random.default_rng(0).integers(0, 256, (13, 17, 3)).astype(np.uint8)
    image = Image.fromarray(photo)
    deep = (photo.astype(">u2") << 8) + 99  # what is below the upper byte is left out
    passes = [photo[y::dy, x::dx] for y, x, dy, dx in ADAM7]
    animated = {"save_all": True, "append_images": [image.rotate(180)]}
    return {
        "1x1": encoded(Image.new("RGB", (1, 1), (9, 99, 199))),
        "30000x1": encoded(Image.new("RGB", (30000, 1), (9, 99, 199)), "JPEG"),
        "1x30000": encoded(Image.new("RGB", (1, 30000), (9, 99, 199))),
        "16 bits": png((13, 17), 16, 2, deep),
        "16 bits grey": encoded(Image.fromarray(photo[:, :, 0].astype(np.uint16) * 256)),
        "interlaced": png((13, 17), 8, 2, [row for each in passes for row in each], interlace=1),
        "palette": encoded(image.quantize(7)),
        "palette, transparent": encoded(image.quantize(7), transparency=0),
        "grey": encoded(image.convert("L"), "JPEG"),
        "1 bit": encoded(image.convert("1")),
        "RGBA": encoded(image.convert("RGBA")),
        "APNG": encoded(image, **animated),
        "CMYK": encoded(image.convert("CMYK"), "JPEG", quality=90),
        "progressive": encoded(image, "JPEG", progressive=True),
        "bytes beyond the end": encoded(image, "JPEG") + b"beyond",
    }


def refused():
    """Files that are to be refused, each by its status: dict of name -> (bytes, its beginning)."""
    image = Image.new("RGB", (40, 30), (9, 99, 199))
    jpeg, row = encoded(image, "JPEG"), [np.zeros(9, np.uint8)]
    frame = jpeg.find(b"\xff\xc0") + 5  # where a JPEG's height and width are
    animated = {"save_all": True, "append_images": [image.rotate(180)]}
    return {
        "empty": (b"", "empty"),
        "text": (b"hello", "neither"),
        "base64 twice": (b"iVBORw0KGgoAAAANSUhEUgAAAeAAAAFoCAAAAACqXHf8AAAR", "neither"),
        "another beginning": (b"\0\0\0" + jpeg[3:], "neither"),
        "animated GIF": (encoded(image, "GIF", **animated), "neither"),
        "WebP": (encoded(image, "WEBP", **animated), "neither"),
        "BMP": (encoded(image, "BMP"), "neither"),
        "PNG bomb": (png((50_000, 50_000), 8, 2, row), "too large"),
        "PNG bomb of few bits": (png((50_000, 50_000), 1, 0, row), "too large"),
        "JPEG bomb": (jpeg[:frame] + b"\xea\x60\xea\x60" + jpeg[frame + 4 :], "too large"),
        "a larger size than data": (png((3000, 3000), 8, 2, row), "damaged"),
        "no pixels": (png((0, 0), 8, 2, []), "damaged"),
        "a negative size": (png((2**32 - 1, 2**32 - 1), 8, 2, row), "damaged"),
        "a header alone": (encoded(image)[:33], "damaged"),
        "cut short": (encoded(image)[:-30], "damaged"),
        "JPEG, cut short": (jpeg[: len(jpeg) // 2], "damaged"),
        "nothing but a beginning": (b"\x89PNG\r\n\x1a\n", "neither"),
        "a JPEG's beginning": (b"\xff\xd8\xff", "damaged"),
    }


def mutations(count, seed=0):
    """Yields files that were sound once, or never: whether one still decodes, nobody knows."""
    rng = random.Random(seed)
    kinds = [content for name, content in photos().items() if name != "bmp"]
    kinds += [each for name, each in sound().items() if "30000" not in name]
    for number in range(count):
        content, way = kinds[number % len(kinds)], rng.randrange(5)
        if way == 0:
            yield content[: rng.randrange(len(content))]
        elif way == 1:
            yield rng.randbytes(rng.randrange(200))
        elif way == 2:
            yield content[: rng.choice([3, 8, 33])] + rng.randbytes(rng.randrange(200))
        else:
            yield rng.choice([damaged, damaged_image])(content, rng)


def size_of(content):
    """Height and width that a file says it has, by its first header; None where it says none."""
    if content[:2] == b"\x89P":
        return struct.unpack(">II", chunks_of(content)[0][1][:8])[::-1]
    try:
        return Image.open(BytesIO(content)).size[::-1]
    except Exception:  # of damaged bytes, Pillow raises whatever it runs into
        return None

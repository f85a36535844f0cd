"""Small photos and masks of every kind, and the ways in which files get damaged."""

import io
import json
import math
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 21, 30
SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDES = (0, 1, 2, 20, 22, 29, 31, 60, 5000, 60000, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
JSON_VALUES = [None, True, 0, -1, 1.5, math.nan, math.inf, 2**31, 10**400, "", "é\0", [], {}, [[]]]
JSON_VALUES += [
    [1, "2"],
    {"counts": "0", "size": [1, 1]},
    {"counts": [2**40], "size": []},
    "\ud800",
]


# What is mutated


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def ids():
    ids = np.random.default_rng(0).integers(0, 3, (HEIGHT, WIDTH)).astype(np.uint8)
    ids[3:12, 4:20] = 1
    return ids


def chunked(chunks, wrong_crc=None):
    """A PNG of `(type, data)`."""
    parts = [SIGNATURE]
    for position, (kind, data) in enumerate(chunks):
        crc = zlib.crc32(kind + data) ^ (position == wrong_crc)
        parts += [struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)]
    return b"".join(parts)


def chunks_of(content):
    chunks, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def grey_png(mask, bits):
    """A grey PNG of a few bits, which Pillow does not write."""
    places = np.arange(bits - 1, -1, -1)
    rows = np.packbits((mask[:, :, None] >> places & 1).reshape(HEIGHT, -1), axis=1)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return chunked([(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")])


def masks():
    mask = ids()
    palette = Image.frombytes("P", (WIDTH, HEIGHT), mask.tobytes())
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return {
        "grey 8": encoded(Image.fromarray(mask)),
        "grey 16": encoded(Image.fromarray(mask.astype(np.uint16))),
        "grey 4": grey_png(mask, 4),
        "grey 2": grey_png(mask, 2),
        "grey 1": encoded(Image.fromarray((mask > 0).astype(np.uint8) * 255).convert("1")),
        "palette 8": encoded(palette, bits=8),
        "palette 4": encoded(palette, bits=4, transparency=0),
    }


def photos():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    photo = Image.fromarray(np.stack([y * 9, x * 8, x + y], axis=-1).astype(np.uint8))
    return {
        "jpeg": encoded(photo, "JPEG", quality=90),
        "progressive": encoded(photo, "JPEG", progressive=True),
        "restarts": encoded(photo, "JPEG", restart_marker_blocks=1),
        "png": encoded(photo),
        "bmp": encoded(photo, "BMP"),
    }


# How


def damaged(content, rng):
    """Any file: bits flipped, bytes overwritten, inserted, deleted, zeroed, swapped; cut short."""
    content, size = bytearray(content), max(1, len(content))
    start, length = rng.randrange(size), rng.randrange(1, 9)
    end, other = start + length, rng.randrange(size)
    way = rng.randrange(8)
    if way == 0:
        for _ in range(rng.randrange(1, 4)):
            content[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif way == 1:
        content[start:end] = rng.randbytes(length)
    elif way == 2:
        content[start:start] = rng.randbytes(length)
    elif way == 3:
        del content[start:end]
    elif way == 4:
        del content[start:]
    elif way == 5:
        content[start:end] = bytes(length)
    elif way == 6:
        content[start], content[other] = content[other], content[start]
    else:
        content += content[start:end]
    return bytes(content)


def damaged_png(content, rng):
    """Sound chunks and checksums, but not what is in them."""
    chunks, way = chunks_of(content), rng.randrange(8)
    place, header = rng.randrange(len(chunks)), bytearray(chunks[0][1])
    kind, data = chunks[place]
    if way == 0:
        rng.shuffle(chunks)
    elif way == 1:
        del chunks[place]
    elif way == 2:
        chunks.insert(place, rng.choice(chunks))
    elif way == 3:
        return chunked(chunks, wrong_crc=place)
    elif way == 4:
        chunks[place] = kind, damaged(data or b"\0", rng)
    elif way == 5:  # bits, colour type, compression, filter, interlace
        header[rng.randrange(8, 13)] = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 16, 255])
        chunks[0] = b"IHDR", bytes(header)
    elif way == 6:
        side = rng.choice([0, 4])
        header[side : side + 4] = struct.pack(">I", rng.choice(SIDES))
        chunks[0] = b"IHDR", bytes(header)
    else:  # the rows: too few, too many, others
        place = [kind for kind, _ in chunks].index(b"IDAT")
        rows = zlib.decompress(chunks[place][1])
        rows = rng.choice([rows[: rng.randrange(len(rows))], rows * 2, damaged(rows, rng)])
        chunks[place] = b"IDAT", zlib.compress(rows)
    return chunked(chunks)


def damaged_jpeg(content, rng):
    """Markers changed, segments left out, sizes that lie, scans cut short with and without end."""
    pairs = zip(content, content[1:])
    markers = [i for i, (a, b) in enumerate(pairs) if a == 255 and b not in (0, 255) and i]
    content, place, way = bytearray(content), rng.choice(markers), rng.randrange(5)
    if way == 0:
        content[place + 1] = rng.randrange(256)
    elif way == 1:
        content[place + 2 : place + 4] = rng.randbytes(2)
    elif way == 2:
        frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) + rng.choice([5, 7])
        content[frame : frame + 2] = struct.pack(">H", rng.choice([s for s in SIDES if s < 2**16]))
    elif way == 3:
        content = content[: rng.randrange(len(content))] + rng.choice([b"", b"\xff\xd9"])
    else:
        first, last = sorted(rng.sample(markers, 2))
        del content[first:last]
    return bytes(content)


def damaged_image(content, rng):
    special = {b"\x89P": damaged_png, b"\xff\xd8": damaged_jpeg}.get(content[:2], damaged)
    return rng.choice([damaged, special])(content, rng)


def damaged_text(content, rng):
    lines = content.decode().splitlines()
    place, way = rng.randrange(len(lines)), rng.randrange(6)
    if way == 0:
        odd = ["\0", "é\u2028", "\ufeff", "x" * 10**5, "../p1", "/", "", "#", " ", "p1 p2", "\r"]
        lines[place] = rng.choice(odd) + rng.choice(["", lines[place]])
    elif way == 1:
        lines.append(lines[place])
    elif way == 2:
        del lines[place]
    elif way == 3:
        lines[place] = "".join(chr(rng.randrange(0xD7FF)) for _ in range(rng.randrange(9)))
    elif way == 4:
        return damaged(content, rng)
    newline, mark, last = rng.choice("\n\r"), rng.choice(["", "\ufeff"]), rng.choice(["", "\n"])
    return (mark + newline.join(lines) + last).encode("utf-8")


def damaged_json(content, rng):
    if rng.random() < 0.3:
        return rng.choice([damaged, damaged_text])(content, rng)
    if rng.random() < 0.02:
        return content.replace(b": ", b": " + rng.choice([b"[", b'{"a":']) * 50_000, 1)
    content = json.loads(content)
    spots = []

    def walk(entry):
        for key in entry if isinstance(entry, dict) else range(len(entry)):
            spots.append((entry, key))
            if isinstance(entry[key], (dict, list)):
                walk(entry[key])

    walk(content)
    entry, key = rng.choice(spots)
    way = rng.randrange(4)
    if way == 0:
        del entry[key]
    elif way == 1 and isinstance(entry, list):
        entry.append(entry[key])
    elif way == 2 and isinstance(entry[key], int):
        entry[key] += rng.choice([1, -1, 20_000, -(2**33)])
    else:
        entry[key] = rng.choice(JSON_VALUES)
    return json.dumps(content).encode()

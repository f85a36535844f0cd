"""Objects of photos that are seen tile by tile: counted once, and whole.

The model of these tests sees what a tile shows, and no more: a pixel's colour is the number of its
object, so that what a tile cuts off is not there.
"""

import json

import numpy as np
import pytest
import tifffile

import kseg
from kseg.prediction.seams import found_in, tiles_of

SIDE = 28


class Seer:
    """Obeys the contract of instance models: finds each number of a photo, in its box."""

    task, channels, score, name, num_classes = "instance", 3, "mask_ap", "seer", 2
    resize, paste = None, "centred"

    def __init__(self, blind=0):
        self.blind = blind  # objects of fewer pixels are not seen
        self.sizes = []

    def predict_on_batch(self, x):
        image, (height, width) = np.asarray(x["image"])[0], np.asarray(x["size"])[0]
        self.sizes.append((height, width))
        ids = image[:height, :width].round().astype(int) @ (1, 256, 65536)
        found = {"boxes": [], "classes": [], "scores": [], "masks": []}
        for number in np.unique(ids)[1:]:
            mask = ids == number
            if np.count_nonzero(mask) <= self.blind:
                continue
            y, x = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box = x[0], y[0], x[-1] + 1, y[-1] + 1
            at = (np.arange(SIDE) + 0.5) / SIDE
            rows = (box[1] + at * (box[3] - box[1])).astype(int)
            columns = (box[0] + at * (box[2] - box[0])).astype(int)
            found["boxes"].append(box)
            found["classes"].append(number % 2)
            found["scores"].append(0.5 + 0.4 * np.count_nonzero(mask) / mask.size)
            found["masks"].append(mask[np.ix_(rows, columns)])
        shapes = {"boxes": (-1, 4), "masks": (-1, SIDE, SIDE)}
        kinds = {"classes": "int32"}
        return {
            name: np.array(values, kinds.get(name, "float32")).reshape(shapes.get(name, (-1,)))[
                None
            ]
            for name, values in found.items()
        }


def as_photo(ids):
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def disks(rng, size, count, radius):
    """Numbers of disks that do not touch, and how many there are."""
    ids, y, x = np.zeros(size, int), *np.mgrid[: size[0], : size[1]]
    number = 0
    for _ in range(count):
        r = rng.integers(*radius)
        cy, cx = rng.integers(r, size[0] - r), rng.integers(r, size[1] - r)
        near = np.hypot(y - cy, x - cx)
        if ids[near <= r + 2].any():
            continue
        number += 1
        ids[near <= r] = number
    return ids, number


def check_counts(found, ids):
    """Each object is found once, with (nearly) its own pixels, and nothing else is."""
    numbers = np.unique(ids)[1:]
    assert len(found) == len(numbers)
    met = []
    for index, mask in enumerate(found.each_mask()):
        seen, counts = np.unique(ids[mask], return_counts=True)
        number = seen[counts.argmax()]
        met.append(number)
        own = ids == number
        assert np.count_nonzero(own & mask) >= 0.8 * np.count_nonzero(own | mask)
        assert found.classes[index] == number % 2
        y, x = np.nonzero(own)
        box = x.min(), y.min(), x.max() + 1, y.max() + 1
        np.testing.assert_allclose(found.boxes[index], box, atol=2)
    assert sorted(met) == numbers.tolist()


@pytest.mark.once("torch")
@pytest.mark.parametrize("blind", [0, 30])
def test_objects_across_seams_are_counted_once(rng, blind):
    ids, count = disks(rng, (400, 500), 180, (4, 14))
    model = Seer(blind)
    found = kseg.predict(model, as_photo(ids), tile=160)
    across = [
        number
        for number in range(1, count + 1)
        if any(_cuts(ids == number, tile) for tile in tiles_of(ids.shape, 160))
    ]
    assert count > 60 and len(across) > 20  # of which as many lie on a tile's end
    assert len(model.sizes) >= 12 and max(map(max, model.sizes)) <= 160
    check_counts(found, ids)
    assert (np.diff(found.scores) <= 0).all()


def _cuts(mask, tile):
    top, left, bottom, right = tile[:4]
    inside = np.count_nonzero(mask[top:bottom, left:right])
    return 0 < inside < np.count_nonzero(mask)


def test_objects_longer_than_tiles_are_put_together():
    ids = np.zeros((300, 900), int)
    ids[40:60, 10:880] = 1  # along, through every tile
    ids[100:290, 440:460] = 2  # down, across the seams of rows
    ids[100:290, 470:490] = 4  # beside it, of the same class
    ids[200:230, 100:140] = 3
    model = Seer()
    check_counts(kseg.predict(model, as_photo(ids), tile=160), ids)


def test_what_only_a_tiles_end_shows_is_no_object():
    """A model that finds something at the end of a tile alone: the neighbour saw better."""

    class Startled(Seer):
        def predict_on_batch(self, x):
            found = super().predict_on_batch(x)
            width = int(np.asarray(x["size"])[0, 1])
            extra = {
                "boxes": np.float32([[[width - 12, 20, width, 40]]]),
                "classes": np.int32([[0]]),
                "scores": np.float32([[0.9]]),
                "masks": np.ones((1, 1, SIDE, SIDE), np.float32),
            }
            return {name: np.concatenate([found[name], extra[name]], axis=1) for name in found}

    ids = np.zeros((150, 900), int)
    found = kseg.predict(Startled(), as_photo(ids), tile=160)
    assert len(found) == 1 and found.boxes[0].tolist() == [888, 20, 900, 40]  # the photo's own end


def test_masks_as_they_are_asked_for(rng):
    ids, _ = disks(rng, (200, 300), 60, (4, 16))
    photo = as_photo(ids)
    binary = kseg.predict(Seer(), photo, tile=160)
    shares = kseg.predict(Seer(), photo, tile=160, masks="probability")
    assert binary.masks.dtype == bool and shares.masks.dtype == np.float32
    np.testing.assert_array_equal(shares.masks >= 0.5, binary.masks)
    pytest.importorskip("pycocotools")
    runs = kseg.predict(Seer(), photo, tile=160, masks="rle")
    np.testing.assert_array_equal(np.stack(list(runs.each_mask())), binary.masks)


def test_into_files(rng, tmp_path):
    ids, count = disks(rng, (400, 500), 150, (4, 16))
    photo = as_photo(ids)
    path = kseg.predict(Seer(), photo, tile=160, output=tmp_path / "numbers.tif")
    numbers = tifffile.imread(path)
    assert numbers.dtype == np.uint32 and numbers.max() == count
    # the same objects, whatever their numbers
    both = np.unique(np.stack([numbers[ids > 0], ids[ids > 0]]), axis=1)
    assert len([a for a, _ in both.T if a]) == count
    path = kseg.predict(Seer(), photo, tile=160, output=tmp_path / "objects.geojson")
    features = json.loads(path.read_text())["features"]
    assert len(features) == count
    assert {f["properties"]["class"] for f in features} == {"0", "1"}


@pytest.mark.parametrize("tile", [127, 1.5, "large"])
def test_what_is_no_tile_is_refused(tile):
    with pytest.raises(ValueError, match="tile="):
        kseg.predict(Seer(), np.zeros((300, 300, 3), np.uint8), tile=tile)


@pytest.mark.once("torch")
def test_nuclei(camvid_root):
    """16 photos of DSB2018 as one of 1024 x 1024: every nucleus once."""
    from PIL import Image

    paths = sorted((camvid_root.parent / "dsb2018/labels").glob("*.png"))
    squares = [np.array(Image.open(path)).astype(int) for path in paths]
    squares = [each for each in squares if each.shape == (256, 256)][:16]
    ids, last = np.zeros((1024, 1024), int), 0
    for index, square in enumerate(squares):
        y, x = divmod(index, 4)
        ids[y * 256 : (y + 1) * 256, x * 256 : (x + 1) * 256] = np.where(square, square + last, 0)
        last = ids.max()
    count = len(np.unique(ids)) - 1
    found = kseg.predict(Seer(), as_photo(ids), tile=320)
    owners = [np.bincount(ids[mask]).argmax() for mask in found.each_mask()]
    assert len(found) == count == len(set(owners)) and count > 200


# Mirrored


def test_mirrored_objects_agree(rng):
    ids, count = disks(rng, (200, 300), 60, (4, 16))
    photo = as_photo(ids)
    for tta in ("horizontal", ("horizontal", "vertical")):
        found = kseg.predict(Seer(), photo, tta=tta)
        plain = kseg.predict(Seer(), photo)
        assert len(found) == count
        mine, theirs = (
            np.lexsort(each.boxes.T) for each in (found, plain)
        )  # some scores are equal
        np.testing.assert_allclose(found.boxes[mine], plain.boxes[theirs], atol=1e-3)
        np.testing.assert_allclose(found.scores[mine], plain.scores[theirs], atol=1e-5)
        assert np.mean(found.masks[mine] != plain.masks[theirs]) < 1e-3
    check_counts(kseg.predict(Seer(), photo, tta="vertical", tile=160), ids)


def test_what_one_view_alone_finds_counts_half():
    class OneEyed(Seer):
        def predict_on_batch(self, x):
            found = super().predict_on_batch(x)
            return {
                name: values[:, : 1 if found["boxes"][0, 0, 0] < 50 else 2]
                for name, values in found.items()
            }

    ids = np.zeros((100, 200), int)
    ids[10:30, 10:40], ids[50:80, 120:180] = 2, 4
    plain = kseg.predict(OneEyed(), as_photo(ids), min_score=0)
    assert len(plain) == 1
    both = kseg.predict(OneEyed(), as_photo(ids), tta="horizontal", min_score=0)
    np.testing.assert_allclose(both.scores, [plain.scores[0], both.scores[1]])
    assert (
        both.scores[1] < 0.5 and len(kseg.predict(OneEyed(), as_photo(ids), tta="horizontal")) == 1
    )
    with pytest.raises(ValueError, match="tta=0.5: expected a sequence of 'horizontal' or"):
        kseg.predict(OneEyed(), as_photo(ids), tta=0.5)


def test_what_a_tile_finds_by_hand():
    """Of a mask that is drawn in a larger window: the rectangle of its pixels, in the photo."""

    class Drawn:
        boxes = np.array([[3, 2, 9, 7], [0, 0, 1, 1]], np.float32)
        classes, scores = np.array([1, 0]), np.array([0.5, 0.25])

        def __len__(self):
            return 2

        def each_mask(self):
            return self

        def part(self, index):
            values = np.zeros((8, 10), bool)
            if index == 0:
                values[2:7, 3:9] = True
            return slice(20, 28), slice(30, 40), values

    tile = (100, 200, 164, 264, 110, 210, 154, 254)
    (found,) = found_in(5, tile, (400, 500), Drawn())  # the other has no pixel
    assert (found.tile, found.class_id, found.score) == (5, 1, 0.5)
    assert (found.top, found.left, found.values.shape) == (122, 233, (5, 6)) and found.values.all()
    assert (found.cut, found.owned) == (False, True)
    np.testing.assert_array_equal(found.box, [203, 102, 209, 107])

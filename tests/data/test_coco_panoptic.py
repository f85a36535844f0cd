"""Panoptic sets in COCO's format: as a map, as objects, and with mistakes."""

import json

import numpy as np
import pytest

import kseg

HEIGHT, WIDTH = 20, 30


class TestPanoptic:
    """One photo: sky (stuff) above, two cars and a crowd of cars on nothing below."""

    KEYS = {"sky": 5, "car": 300, "other car": 70_000, "crowd": 2**24 - 1}

    @pytest.fixture
    def tree(self, tmp_path, write_image):
        ids = np.zeros((HEIGHT, WIDTH), np.int64)
        ids[:8] = self.KEYS["sky"]
        ids[10:15, 2:8] = self.KEYS["car"]
        ids[10:15, 8:12] = self.KEYS["other car"]
        ids[16:, 20:] = self.KEYS["crowd"]
        write_image("photos/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        self.write = lambda ids: write_image(
            "notes/p/a.png",
            np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8),
        )
        self.write(ids)
        self.ids, self.path = ids, tmp_path / "notes" / "p.json"
        segment = {"category_id": 3, "iscrowd": 0, "area": 30, "bbox": [0, 0, 5, 5]}
        self.segments = [
            segment | {"id": self.KEYS["crowd"], "iscrowd": 1},
            segment | {"id": self.KEYS["sky"], "category_id": 187},
            segment | {"id": self.KEYS["other car"]},
            segment | {"id": self.KEYS["car"]},
        ]
        self.save()
        return tmp_path / "photos", self.path

    def save(self, **changes):
        annotation = {"image_id": 1, "file_name": "a.png", "segments_info": self.segments}
        content = {
            "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
            "categories": [
                {"id": 187, "name": "sky", "isthing": 0, "color": [70, 130, 180]},
                {"id": 3, "name": "car", "isthing": 1, "color": [0, 0, 142]},
            ],
            "annotations": [annotation | changes],
        }
        self.path.write_text(json.dumps(content))

    def test_map(self, tree, same_eagerly):
        source = kseg.data.coco(*tree)
        (sample,) = same_eagerly(source)
        label = np.full((HEIGHT, WIDTH), 255)
        label[:8], label[10:15, 2:12] = 1, 0
        np.testing.assert_array_equal(sample["label"], label)
        assert source.class_names == ("car", "sky") and source.category_ids == (3, 187)
        assert source.colors == ((0, 0, 142), (70, 130, 180)) and source.problems(0) == []

    def test_things(self, tree, same_eagerly):
        source = kseg.data.coco(*tree, instances=True, panoptic=tree[1].parent / "p")
        (sample,) = same_eagerly(source)
        assert source.class_names == ("car",) and sample["classes"].tolist() == [0, 0, 0]
        found = {tuple(box): crowd for box, crowd in zip(sample["boxes"], sample["crowd"])}
        assert found == {(2, 10, 8, 15): 0, (8, 10, 12, 15): 0, (20, 16, 30, 20): 1}
        assert sample["masks"].sum() == 5 * 6 + 5 * 4 + 4 * 10

    def test_mistakes(self, tree):
        self.ids[0, 0] = 6
        self.write(self.ids)
        with pytest.raises(Exception, match="p/a.png.*the PNG holds a segment id"):
            kseg.data.coco(*tree)[0]
        self.segments[0]["bbox"] = [0, 0, 99, 5]
        self.segments[1]["area"] = 0
        self.save()
        kinds = [kind for kind, _ in kseg.data.coco(*tree).problems(0)]
        assert kinds == ["box_outside", "empty_instance"]
        self.segments[1]["id"] = self.segments[0]["id"]
        self.save()
        with pytest.raises(ValueError, match="segment id=16777215: expected a different number"):
            kseg.data.coco(*tree)
        for beyond in (0, 1 << 24):
            self.segments[1]["id"] = beyond
            self.save()
            with pytest.raises(ValueError, match=f"segment id={beyond}: expected a different"):
                kseg.data.coco(*tree)
        self.segments = []
        self.save(file_name="b.png")
        with pytest.raises(FileNotFoundError, match="panoptic=.*p/b.png"):
            kseg.data.coco(*tree)
        with pytest.raises(FileNotFoundError, match="panoptic=.*does not exist"):
            kseg.data.coco(*tree, panoptic="none")
        self.save(image_id=2)
        with pytest.raises(ValueError, match="image_id=2"):
            kseg.data.coco(*tree)

"""What to learn from: readers that return a `Source`, and batches made of it."""

from kseg.data.camvid import camvid
from kseg.data.check import check
from kseg.data.cityscapes import cityscapes
from kseg.data.coco import coco
from kseg.data.folder import folder
from kseg.data.pipeline import batches, samples, steps_per_epoch
from kseg.data.records import records, write_records
from kseg.data.shapes import shapes
from kseg.data.source import Source
from kseg.data.tfds import tfds
from kseg.data.voc import voc

__all__ = [
    "Source",
    "batches",
    "camvid",
    "check",
    "cityscapes",
    "coco",
    "folder",
    "records",
    "samples",
    "shapes",
    "steps_per_epoch",
    "tfds",
    "voc",
    "write_records",
]

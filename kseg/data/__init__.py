"""What to learn from: readers that return a `Source`, and batches made of it."""

from kseg.data.pipeline import batches, steps_per_epoch
from kseg.data.readers.camvid import camvid
from kseg.data.readers.cityscapes import cityscapes
from kseg.data.readers.coco import coco
from kseg.data.readers.folder import folder
from kseg.data.readers.records import records
from kseg.data.readers.shapes import shapes
from kseg.data.readers.tfds import tfds
from kseg.data.readers.voc import voc
from kseg.data.sample import samples
from kseg.data.source import Source
from kseg.data.writers.records import write_records

__all__ = [
    "Source",
    "batches",
    "camvid",
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

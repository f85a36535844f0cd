"""What to learn from: readers that return a `Source`, and batches made of it."""

from kseg.data.camvid import camvid
from kseg.data.folder import folder
from kseg.data.pipeline import batches, samples, steps_per_epoch
from kseg.data.shapes import shapes
from kseg.data.source import Source

__all__ = ["Source", "batches", "camvid", "folder", "samples", "shapes", "steps_per_epoch"]

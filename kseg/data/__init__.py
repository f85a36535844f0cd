"""What to learn from: readers that return a `Source`, and batches made of it.

source.py        Source: which samples there are, and how to read one
sample.py        one sample inside `tf.data`: read, completed, moved
pipeline.py      batches(): a Source as batches for training or for evaluation
spec.py          a data set named on the command line
files.py         files of photos and masks: listed, paired, read with Pillow
decode.py        the same decoded by TensorFlow
errors.py        what is wrong with a user's data, in fields
bad_files.py     the first bad file of a training, found and named
tfrecords.py     samples as records
cache.py         samples kept in memory or on disk
pixel_weights.py weights of pixels beside masks
readers/         one file a layout -> Source
writers/         a Source -> an official layout, or records
coco_format/     COCO's annotations, runs and results
transforms/      joint random operations on a photo and its labels
"""

from kseg.data import transforms
from kseg.data.pipeline import batches, steps_per_epoch
from kseg.data.pixel_weights import border_weights
from kseg.data.readers.ade20k import ade20k
from kseg.data.readers.camvid import camvid
from kseg.data.readers.cityscapes import cityscapes
from kseg.data.readers.coco import coco
from kseg.data.readers.cvat import cvat
from kseg.data.readers.folder import folder
from kseg.data.readers.json_lines import json_lines
from kseg.data.readers.labelme import labelme
from kseg.data.readers.nnunet import nnunet
from kseg.data.readers.oxford_pets import oxford_pets
from kseg.data.readers.records import records
from kseg.data.readers.run_lengths import run_lengths
from kseg.data.readers.shapes import shapes
from kseg.data.readers.tfds import tfds
from kseg.data.readers.via import via
from kseg.data.readers.voc import voc
from kseg.data.readers.yolo import yolo
from kseg.data.sample import samples
from kseg.data.source import Source
from kseg.data.transforms.corrupt.corrupt import CORRUPTIONS as CORRUPTIONS
from kseg.data.transforms.corrupt.corrupt import corrupt, corrupted, exposed, rescaled
from kseg.data.writers.convert import convert
from kseg.data.writers.records import write_records

__all__ = [
    "Source",
    "ade20k",
    "cvat",
    "json_lines",
    "labelme",
    "nnunet",
    "oxford_pets",
    "via",
    "yolo",
    "batches",
    "border_weights",
    "convert",
    "corrupt",
    "corrupted",
    "exposed",
    "rescaled",
    "camvid",
    "cityscapes",
    "coco",
    "folder",
    "records",
    "run_lengths",
    "samples",
    "shapes",
    "steps_per_epoch",
    "tfds",
    "transforms",
    "voc",
    "write_records",
]

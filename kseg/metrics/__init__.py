"""Segmentation metrics: exact confusion counts, and the scores computed from them."""

from kseg.metrics.confusion import confusion_matrix as confusion_matrix
from kseg.metrics.confusion import scores as scores
from kseg.metrics.iou import MeanDice as MeanDice
from kseg.metrics.iou import MeanIoU as MeanIoU
from kseg.metrics.iou import PixelAccuracy as PixelAccuracy

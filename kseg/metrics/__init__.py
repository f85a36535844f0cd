"""Segmentation metrics: exact counts of pixels, and the scores computed from them; of objects too.

base.py         exact counts in Keras; scores by class
confusion.py    the confusion matrix and its scores, NumPy and Keras
iou.py          MeanIoU, MeanDice, MeanPrecision, MeanRecall, FrequencyWeightedIoU, PixelAccuracy
contours.py     contours of label maps, all classes at once
boundary.py     BoundaryIoU, BoundaryF1
calibration.py  ExpectedCalibrationError
surface.py      Hausdorff and average surface distance, by SciPy
average_precision.py  COCO's average precision and recall of boxes and masks
overlaps.py     segments of a photo, true and found, and how they overlap
panoptic.py     PanopticQuality
nuclei.py       NucleiAP: TP / (TP + FN + FP), as nuclei are scored
"""

from kseg.metrics.average_precision import AveragePrecision as AveragePrecision
from kseg.metrics.average_precision import average_precision as average_precision
from kseg.metrics.boundary import BoundaryF1 as BoundaryF1
from kseg.metrics.boundary import BoundaryIoU as BoundaryIoU
from kseg.metrics.calibration import ExpectedCalibrationError as ExpectedCalibrationError
from kseg.metrics.confusion import confusion_matrix as confusion_matrix
from kseg.metrics.confusion import scores as scores
from kseg.metrics.iou import FrequencyWeightedIoU as FrequencyWeightedIoU
from kseg.metrics.iou import MeanDice as MeanDice
from kseg.metrics.iou import MeanIoU as MeanIoU
from kseg.metrics.iou import MeanPrecision as MeanPrecision
from kseg.metrics.iou import MeanRecall as MeanRecall
from kseg.metrics.iou import PixelAccuracy as PixelAccuracy
from kseg.metrics.nuclei import NucleiAP as NucleiAP
from kseg.metrics.panoptic import PanopticQuality as PanopticQuality
from kseg.metrics.surface import SurfaceDistances as SurfaceDistances
from kseg.metrics.surface import surface_distances as surface_distances

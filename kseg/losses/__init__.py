"""Losses for segmentation: pure functions, and the Keras classes that hold their options.

base.py            the classes' base, and WeightedSum
pixels.py          reading labels and scores, averaging over pixels, classes and images
cross_entropy.py focal.py l1_l2.py boundary.py           means over pixels
overlap.py -> dice.py jaccard.py tversky.py; lovasz.py   means over classes
"""

from kseg.losses.base import WeightedSum as WeightedSum
from kseg.losses.boundary import BoundaryLoss as BoundaryLoss
from kseg.losses.boundary import boundary as boundary
from kseg.losses.cross_entropy import CrossEntropyLoss as CrossEntropyLoss
from kseg.losses.cross_entropy import cross_entropy as cross_entropy
from kseg.losses.dice import DiceLoss as DiceLoss
from kseg.losses.dice import dice as dice
from kseg.losses.focal import FocalLoss as FocalLoss
from kseg.losses.focal import focal as focal
from kseg.losses.jaccard import JaccardLoss as JaccardLoss
from kseg.losses.jaccard import jaccard as jaccard
from kseg.losses.l1_l2 import L1Loss as L1Loss
from kseg.losses.l1_l2 import L2Loss as L2Loss
from kseg.losses.l1_l2 import l1 as l1
from kseg.losses.l1_l2 import l2 as l2
from kseg.losses.lovasz import LovaszLoss as LovaszLoss
from kseg.losses.lovasz import lovasz as lovasz
from kseg.losses.tversky import FocalTverskyLoss as FocalTverskyLoss
from kseg.losses.tversky import TverskyLoss as TverskyLoss
from kseg.losses.tversky import focal_tversky as focal_tversky
from kseg.losses.tversky import tversky as tversky

"""Losses for segmentation: pure functions, and the Keras classes that hold their options."""

from kseg.losses.base import WeightedSum as WeightedSum
from kseg.losses.cross_entropy import CrossEntropyLoss as CrossEntropyLoss
from kseg.losses.cross_entropy import cross_entropy as cross_entropy
from kseg.losses.dice import DiceLoss as DiceLoss
from kseg.losses.dice import dice as dice

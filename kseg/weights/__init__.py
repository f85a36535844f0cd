"""Other projects' checkpoints: files of named tensors, and what they are called in kseg."""

from kseg.weights import torchvision
from kseg.weights.files import read, write
from kseg.weights.published import fetch

__all__ = ["fetch", "read", "torchvision", "write"]

"""Names for the types of what users pass, for annotations alone: nothing is checked by them.

What is heavy to import stands in quotes, so that `import kseg` stays light.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf
    from PIL import Image

PathLike: TypeAlias = str | os.PathLike[str]
Photo: TypeAlias = "str | os.PathLike[str] | Image.Image | np.ndarray"
Color: TypeAlias = tuple[int, int, int]  # RGB, 0..255
Size: TypeAlias = tuple[int, int]  # height and width in pixels
Range: TypeAlias = tuple[float, float]  # low, high

Model: TypeAlias = "keras.Model"
Dataset: TypeAlias = "tf.data.Dataset"
Tensor: TypeAlias = Any  # of any backend, or NumPy's: they have no type in common
ImageShape: TypeAlias = tuple[int | None, int | None, int]  # height, width, channels
Transform: TypeAlias = Callable[..., dict[str, Any]]  # of a sample and a seed

ClassIds: TypeAlias = int | Sequence[int] | None  # of void
ClassChoice: TypeAlias = int | str | Sequence[int | str] | None
ClassWeight: TypeAlias = Sequence[float] | Mapping[int, float] | None
Tta: TypeAlias = str | float | Sequence[str | float]  # names of mirrorings, and scales
Threshold: TypeAlias = float | Sequence[float]  # of all classes, or of each
Reduce: TypeAlias = Literal["batch", "image"]
Absent: TypeAlias = Literal["ignore", "penalize"]
Masks: TypeAlias = Literal["binary", "probability", "rle"]

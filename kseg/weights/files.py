"""Files of named tensors, as NumPy arrays: .safetensors, and .pth or .pt of PyTorch.

A .pth file is a pickle, which could run code of a stranger; it is opened with PyTorch's
`weights_only=True` alone, which refuses everything but tensors in plain containers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.optional import import_package
from kseg.base.types import PathLike

TORCH_SUFFIXES = (".pth", ".pt")
SUFFIXES = (".safetensors", *TORCH_SUFFIXES)


def read(path: PathLike) -> dict[str, np.ndarray]:
    """Reads every tensor of a file.

    Args:
        path: A .safetensors file, or a .pth or .pt file that holds one dict of tensors.

    Returns:
        dict of name -> NumPy array; bfloat16, which NumPy lacks, comes as float32.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: the package that reads this kind of file is not installed.
        ValueError: another suffix, a damaged file, or one that holds more than tensors.

    Example:

    >>> tensors = kseg.weights.read("resnet50.safetensors")
    >>> tensors["conv1.weight"].shape
    (64, 3, 7, 7)
    """
    path = _known(path)
    if not path.is_file():
        raise refused("path", str(path), "an existing weights file", error=FileNotFoundError)
    return _read_torch(path) if path.suffix in TORCH_SUFFIXES else _read_safetensors(path)


def write(path: PathLike, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes a dict of name -> NumPy array to a .safetensors, .pth or .pt file.

    Args:
        path: The file; an existing one is replaced.
        tensors: dict of name -> NumPy array.

    Raises:
        ImportError: the package that writes this kind of file is not installed.
        TypeError: `tensors` is not such a dict.
        ValueError: another suffix.

    Example:

    >>> kseg.weights.write("model.pth", {"conv1.weight": np.zeros((64, 3, 7, 7), "float32")})
    """
    path = _known(path)
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(array, np.ndarray) for name, array in tensors.items()
    ):
        kind = type(tensors).__name__
        raise refused("tensors", kind, "a dict of name -> NumPy array", error=TypeError)
    # neither package takes a transposed view as it is
    arrays = {name: np.array(array, order="C") for name, array in tensors.items()}
    if path.suffix in TORCH_SUFFIXES:
        torch = _torch(path)
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    else:
        _safetensors(path).numpy.save_file(arrays, path)


def _read_safetensors(path):
    safetensors = _safetensors(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: _as_known_dtype(file.get_tensor(name)) for name in file.keys()}
    except safetensors.SafetensorError as error:
        raise refused("path", str(path), "a readable safetensors file", f"{error}.") from error


def _as_known_dtype(array):
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def _read_torch(path):
    torch = _torch(path)
    try:
        tensors = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # pickle, zip and torch errors of many kinds
        raise refused(
            "path",
            str(path),
            "a file of tensors alone, which PyTorch can read",
            f"It says: {_first_line(error)} If you trust the file's source, load it with PyTorch "
            "and save its state_dict().",
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and torch.is_tensor(tensor) for name, tensor in tensors.items()
    ):
        held = f"the keys {list(tensors)[:10]}" if isinstance(tensors, dict) else type(tensors)
        raise refused(
            "path",
            str(path),
            "one dict of name -> tensor",
            f"It holds {held}. A training checkpoint keeps the model's weights under one of its "
            "keys: save that one alone.",
        )
    return {
        name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        for name, tensor in tensors.items()
    }


def _first_line(error):
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _known(path):
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise refused("path", str(path), f"a file that ends in {', '.join(SUFFIXES)}")
    return path


def _safetensors(path):
    import_package("safetensors.numpy", "weights", f"path={str(path)!r}")
    import safetensors

    return safetensors


def _torch(path):
    """PyTorch; instead of it, .safetensors files need a small package alone."""
    return import_package("torch", "torch", f"path={str(path)!r}")

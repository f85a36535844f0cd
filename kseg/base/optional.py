"""Packages that an extra of kseg brings, and the one sentence that says which."""

import importlib


def import_package(name, extra, what):
    """Imports a module of a package that only an extra of kseg installs.

    Args:
        name: The module.
        extra: The extra of kseg.
        what: What it is needed for, the start of the message.

    Raises:
        ImportError: it is not installed, or cannot be imported.

    Example:

    >>> import_package("nowhere.to_be_found", "nowhere", "This example")
    Traceback (most recent call last):
    ImportError: This example needs nowhere, which is not installed: pip install "kseg[nowhere]".
    """
    package = name.partition(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(name)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name in (package, name)
        fault = "is not installed" if absent else f"cannot be imported ({error})"
        raise ImportError(
            f'{what} needs {package}, which {fault}: pip install "kseg[{extra}]".'
        ) from error


def pycocotools_mask():
    """`pycocotools.mask`: polygons, runs, and what COCO's scores are computed from."""
    return import_package("pycocotools.mask", "coco", "COCO's masks and scores")

"""Packages that an extra of kseg brings, and the one sentence that says which."""

import importlib


def import_package(name, extra, what):
    """Imports a module of a package that only an extra of kseg installs.

    Args:
        name: The module.
        extra: The extra of kseg.
        what: What it is needed for, the start of the message.

    Raises:
        ImportError: it is not installed.
    """
    try:
        importlib.import_module(name.partition(".")[0])
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{what} needs {name.partition('.')[0]}, which is not installed: "
            f'pip install "kseg[{extra}]".'
        ) from error


def pycocotools_mask():
    """`pycocotools.mask`: polygons, runs, and what COCO's scores are computed from."""
    return import_package("pycocotools.mask", "coco", "COCO's masks and scores")

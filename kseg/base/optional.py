"""TODO"""

import importlib


def pycocotools_mask():
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError(
            "COCO's masks and scores are those of pycocotools, which is not installed: "
            'pip install "kseg[coco]".'
        ) from error
    return mask


def import_package(name, extra):
    """Imports a module that an extra of kseg brings."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"format={extra!r} needs {name.partition('.')[0]}, which is not installed: "
            f"pip install kseg[{extra}]."
        ) from error


def _pycocotools():

    return pycocotools_mask()


def _kd_tree():
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise ImportError(
            "surface distances need SciPy, which is not installed: pip install kseg[surface]"
        ) from error
    return cKDTree

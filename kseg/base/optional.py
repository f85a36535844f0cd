"""Packages that an extra of kseg brings, and the one sentence that says which, and how to get it.

kseg is on no index yet: an extra is installed from where kseg itself came from.
"""

import importlib
import importlib.metadata
import json
from pathlib import Path
from urllib.parse import unquote, urlparse

CHECKOUT = Path(__file__).resolve().parents[2]  # where kseg is imported from


def import_package(name, extra, what):
    """Imports a module of a package that only an extra of kseg installs.

    Args:
        name: The module.
        extra: The extra of kseg.
        what: What it is needed for, the start of the message.

    Raises:
        ImportError: it is not installed, or cannot be imported.

    Example:

    >>> import_package("nowhere.to_be_found", "onnx", "This example")
    Traceback (most recent call last):
    ImportError: This example needs nowhere, which is not installed: it comes with kseg's ...
    """
    package = name.partition(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(name)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name in (package, name)
        fault = "is not installed" if absent else f"cannot be imported ({error})"
        raise ImportError(
            f"{what} needs {package}, which {fault}: it comes with kseg's extra {extra}. "
            f"{install(extra)}"
        ) from error


def install(extra):
    """The command that installs an extra, from where kseg came from, in a sentence."""
    if (CHECKOUT / "setup.cfg").is_file():
        return f'Run: pip install -e "{CHECKOUT}[{extra}]"'
    place = _installed_from()
    if place is not None and place.exists():
        return f'Run: pip install "{place}[{extra}]"'
    return f'Run: pip install "PATH[{extra}]", PATH being the folder, or the wheel, of kseg.'


def _installed_from():
    """The folder or the wheel that pip installed kseg from (PEP 610); None if it does not say."""
    try:
        text = importlib.metadata.distribution("kseg").read_text("direct_url.json")
        url = urlparse(json.loads(text or "{}").get("url", ""))
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    return Path(unquote(url.path)) if url.scheme == "file" else None


def pycocotools_mask():
    """`pycocotools.mask`: polygons, runs, and what COCO's scores are computed from."""
    return import_package("pycocotools.mask", "coco", "COCO's masks and scores")

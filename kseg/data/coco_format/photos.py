"""The files that an annotation file names, wherever it was written."""

import os
from pathlib import Path

from kseg.data.errors import MissingData, missing_folder
from kseg.data.listing import missing


def files_below(folder, names, argument):
    """Paths of these files below a folder, which must exist.

    Names that begin with a folder of another machine are found by what follows it.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise missing_folder(argument, folder)
    paths = [os.path.join(folder, name) for name in names]
    absent = missing(paths)
    if absent and (found := _below(folder, names)):
        return found
    if absent:
        raise MissingData(
            "missing",
            absent[0],
            f"{len(absent)} of {len(paths)} files are missing from {argument}={str(folder)!r}; the "
            f"first is {absent[0]!r}.",
            f"Copy them there, under the names of the file, or give {argument}= of the folder that "
            "these begin from.",
        )
    return paths


def _below(folder, names):
    """The paths of all files by their names without drive and first folders; None if not all."""
    parts = [name.replace("\\", "/").split("/") for name in names]
    for dropped in range(max(map(len, parts))):
        paths = [os.path.join(folder, *part[min(dropped, len(part) - 1) :]) for part in parts]
        if len(set(paths)) == len(paths) and not missing(paths):
            return paths
    return None

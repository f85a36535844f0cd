"""Paths of the user's machine, which are nobody's business on a page that is passed on."""

import os
import re
from pathlib import Path

SEPARATORS = r"[/\\]"
PART = r"[^/\\\s'\"`,;:<>|()\[\]]"
ABSOLUTE = re.compile(rf"(?<![\w./\\])(?:~|[A-Za-z]:)?{SEPARATORS}(?:{PART}+{SEPARATORS})+{PART}*")


class Places:
    """Says of each path what stands within the folder of its data set.

    What lies elsewhere keeps its last name alone.

    Args:
        sources: `Source`s, whose files' common folder is left out of what is said.
        folders: Further folders that are left out, as that of the set.

    Example:

    >>> places = Places(folders=["/home/ann/my data"])
    >>> places("'/home/ann/my data/masks/a.png' differs from /tmp/b/c.png; see camvid:/x/CamVid")
    "'masks/a.png' differs from …/c.png; see camvid:…/CamVid"
    """

    def __init__(self, sources=(), folders=()):
        known = {os.path.abspath(os.path.expanduser(folder)) for folder in folders}
        files = [file for source in sources for file in source.files() if os.path.isabs(file)]
        if files:
            known.add(os.path.commonpath([os.path.dirname(file) for file in files]))
        known |= {os.path.realpath(folder) for folder in known}
        # a root, or a folder of one name, says nothing of whose it is
        self.folders = sorted((f for f in known if len(Path(f).parts) > 2), key=len, reverse=True)

    def __call__(self, text):
        text = str(text)
        for folder in self.folders:
            for separator in {"/", os.sep}:
                text = text.replace(folder + separator, "")
        return ABSOLUTE.sub(self._last, text)

    def _last(self, found):
        names = [name for name in re.split(SEPARATORS, found[0]) if name]
        return f"…/{names[-1]}"

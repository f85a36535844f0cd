"""Something done when a package is imported, by whomever: without importing it oneself."""

import contextlib
import sys


def when_imported(name, action, within=contextlib.nullcontext):
    """Calls a function as soon as a package has been imported; at once if it has been.

    Args:
        name: Of a package, without a dot.
        action: Function without arguments, called once. It must not need what is only half
            imported at that moment: a module of ours may be what imports the package.
        within: Function that gives a context manager, within which the package is executed.
            Default: none.

    Example:

    >>> import json
    >>> when_imported("json", lambda: print("here"))
    here
    """
    if sys.modules.get(name) is not None:
        action()
    else:
        sys.meta_path.insert(0, _Waiting(name, action, within))


class _Waiting:
    """A finder (PEP 451) that finds nothing itself, and waits for one package to be executed."""

    def __init__(self, name, action, within):
        self.name, self.action, self.within = name, action, within

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        others = sys.meta_path[sys.meta_path.index(self) + 1 :]  # several may wait for one package
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _follow(self, loader):
        """Has the loader of the package call the action afterwards; looking for it alone does not.

        A loader's own object is changed, for whoever asks it about resources must find it.
        """
        execute = loader.exec_module

        def executed(module):
            with self.within():
                execute(module)
            if module.__name__ == self.name and self in sys.meta_path:
                sys.meta_path.remove(self)
                self.action()

        loader.exec_module = executed

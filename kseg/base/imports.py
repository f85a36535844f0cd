"""Something done when a package is imported, by whomever: without importing it oneself."""

import sys


def when_imported(name, action):
    """Calls a function as soon as a package has been imported; at once if it has been.

    Args:
        name: Of a package, without a dot.
        action: Function without arguments, called once. It must not need what is only half
            imported at that moment: a module of ours may be what imports the package.

    Example:

    >>> import json
    >>> when_imported("json", lambda: print("here"))
    here
    """
    if sys.modules.get(name) is not None:
        action()
    else:
        sys.meta_path.insert(0, _Waiting(name, action))


class _Waiting:
    """A finder (PEP 451) that finds nothing itself, and waits for one package to be executed."""

    def __init__(self, name, action):
        self.name, self.action = name, action

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
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
            execute(module)
            if module.__name__ == self.name and self in sys.meta_path:
                sys.meta_path.remove(self)
                self.action()

        loader.exec_module = executed

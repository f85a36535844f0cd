"""Names of a package that are imported when they are first asked for (PEP 562).

Keras takes seconds to import, and a package that named its builders eagerly would bring it to
everybody who wants one small module of it.
"""

import importlib


def lazy(package, modules):
    """`__getattr__` and `__dir__` of a package whose names stand in its modules.

    Args:
        package: `__name__` of the package.
        modules: dict of name -> module that defines it, or None where the name is a module of the
            package itself.

    Example:

    >>> __getattr__, __dir__ = lazy("kseg.models", {"build_unet": "kseg.models.unet"})
    >>> __getattr__("build_unet").__name__
    'build_unet'
    """

    def get(name):
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if modules[name] is None:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(modules[name]), name)

    return get, lambda: sorted(modules)

"""The rooms of the house: which may import which, and that nothing goes round in a circle.

docs/architecture.md draws what is enforced here.
"""

import ast
import functools
from pathlib import Path

import pytest

import kseg

PACKAGE = Path(kseg.__file__).parent
# From the ground up; a room may import from those of the lines before its own, and from itself.
FLOORS = (
    ("base",),
    ("ops", "pictures", "weights"),
    ("data",),
    ("losses", "metrics", "checks"),
    ("models",),
    ("prediction", "runs"),
    ("deployment",),
    ("evaluation",),
    ("doubts", "shifts"),
    ("training", "reports"),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules():
    """Name -> path of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def imports_of(name, running=False):
    """The kseg modules that a module imports, wherever in it, with the lines.

    Those under `if TYPE_CHECKING:` too, unless `running`: they are read, and never run.
    """
    tree = parsed(MODULES[name])
    read = {
        each
        for node in ast.walk(tree)
        if running and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for each in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if node in read:
            continue
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}:{node.lineno} imports relatively"
            wanted = [
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}" in MODULES
                else node.module
                for alias in node.names
            ]
        else:
            continue
        found += [(each, node.lineno) for each in wanted if each.partition(".")[0] == "kseg"]
    return found


def room_of(name):
    return name.split(".")[1] if "." in name else None


def test_every_room_has_its_floor():
    assert {room_of(name) for name in MODULES} - {None} == set(FLOOR)


@pytest.mark.once("torch")
def test_imports_go_down():
    for name in set(MODULES) - {"kseg"}:
        for imported, line in imports_of(name):
            where = f"{name}:{line} imports {imported}"
            assert imported in MODULES, f"{where}, which does not exist"
            assert imported != "kseg", f"{where}: the package's own face"
            own, other = room_of(name), room_of(imported)
            assert own == other or FLOOR[other] < FLOOR[own], f"{where}: a way back up"


@pytest.mark.once("torch")
def test_no_circles():
    """Between files, imports within functions counted too, a package's `__init__` as a file.

    Those for type checkers may point back: a source reads samples, and these take a source.
    """
    below = {
        name: {each for each, _ in imports_of(name, running=True)} - {name} for name in MODULES
    }
    left = dict(below)
    while True:
        free = {name for name, imported in left.items() if not imported & set(left)}
        if not free:
            break
        left = {name: imported for name, imported in left.items() if name not in free}
    assert not left, {name: sorted(imported & set(left)) for name, imported in left.items()}


def test_every_folder_of_modules_is_a_package():
    """Else a folder is imported where it lies, but left out of what is installed."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []

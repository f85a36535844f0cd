"""The files that the pages name exist, and the rooms are drawn as they are."""

import re
from pathlib import Path

import pytest
import test_layout

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
ARCHITECTURE = PROJECT / "docs" / "architecture.md"
FILES = {
    path.relative_to(PROJECT).as_posix()
    for folder in ("benchmarks", "docs", "examples", "kseg", "tests")
    for path in (PROJECT / folder).rglob("*.py")
}
STANDS_FOR_ANY = re.compile("NAME|FORMAT|TASK")  # of what is added, as in models/NAME.py


def rows():
    """Room -> what the table of the architecture says of it."""
    return dict(re.findall(r"^\| `([a-z_/]+)` \| (.+) \|$", ARCHITECTURE.read_text(), re.MULTILINE))


def files_in(text):
    return [name for name in re.findall(r"[\w/]+\.py\b", text) if not STANDS_FOR_ANY.search(name)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_exist(page):
    for name in files_in(page.read_text()):
        assert any(f"/{path}".endswith(f"/{name}") for path in FILES), name


def test_rooms_are_drawn_as_they_are():
    drawing = ARCHITECTURE.read_text().split("```")[1]
    # rooms stand three spaces apart, what is said of them further
    names = (re.split(" {4,}", line.strip())[0].split() for line in drawing.splitlines())
    drawn = [set(line) & set(test_layout.FLOOR) for line in names]
    floors = [set(floor) for floor in test_layout.FLOORS if floor != ("__main__",)]
    assert [rooms for rooms in drawn if rooms] == floors[::-1]


def test_what_the_table_says_of_a_room_stands_there():
    assert {room.partition("/")[0] for room in rows()} == set(test_layout.FLOOR) - {"__main__"}
    for room, text in rows().items():
        for name in files_in(text):
            assert f"kseg/{room}/{name}" in FILES

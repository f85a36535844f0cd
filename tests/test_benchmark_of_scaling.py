"""Scaling on paper: the sums by hand."""

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "scaling.py"
pytestmark = pytest.mark.once("torch")


@pytest.fixture
def scaling(monkeypatch):
    spec = importlib.util.spec_from_file_location("scaling", FILE)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scaling", module)  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def test_a_ring(scaling):
    assert scaling.ring(1, 8e9, 1e9, 1.0) == 0
    assert scaling.ring(4, 8e9, 1e9, 0.5) == 2 * 3 / 4 * 8 + 2 * 3 * 0.5


def test_hosts_of_eight(scaling):
    """16: a ring of 8 within hosts, and one of 2 over them with an eighth of the bytes each."""
    links = scaling.Links(8, within=10.0, network=1.0, a_host=8, hop_within=0, hop_network=0)
    assert scaling.seconds_of_gradients(16, 100, links) == pytest.approx(
        2 * 7 / 8 * 400 / 10 + 2 * 1 / 2 * 50 / 1
    )
    assert scaling.seconds_of_small(16, 3, scaling.Links()) == pytest.approx(
        3 * 2 * (3 * 5e-6 + 15e-6)
    )


def test_the_page_has_the_table(scaling):
    page = (FILE.parents[1] / "docs" / "many-devices.md").read_text()
    for links in (scaling.Links(), scaling.Links(network=12.5e9, a_host=1)):
        assert "\n".join(scaling.table(links)) in page

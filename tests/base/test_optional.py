"""What is said where a package of an extra is missing."""

import re
import sys

import pytest

from kseg.base.optional import import_package


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "nobody", None)
    message = "format='x' needs nobody, which is not installed: pip install \"kseg[x]\"."
    with pytest.raises(ImportError, match=re.escape(message)):
        import_package("nobody.part", "x", "format='x'")


def test_a_package_that_is_there_is_imported():
    assert import_package("json.decoder", "x", "").__name__ == "json.decoder"

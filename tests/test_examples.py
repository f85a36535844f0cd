"""Every example runs with --smoke, on generated scenes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_smoke(example, tmp_path):
    result = subprocess.run(
        [sys.executable, str(example), "--smoke", "--run", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert "mean IoU" in result.stdout or "mask AP" in result.stdout
    assert (tmp_path / "run" / "last.keras").is_file()


def test_there_are_examples():
    assert EXAMPLES

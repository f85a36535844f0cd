"""What imports what, and what an import costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "kseg"

BACKENDS = ("tensorflow", "jax", "torch")


@pytest.mark.parametrize("room", ["losses", "metrics", "models"])
def test_numeric_rooms_name_no_backend(room):
    for file in (PACKAGE / room).rglob("*.py"):
        assert not imported_at_all(file) & {*BACKENDS}, file


def imported_at_all(file):
    """The packages that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found


def test_kernels_of_a_backend_are_imported_where_they_are_used():
    """`ops` may call a backend's own kernel, but not load a backend that is not there."""
    for file in (PACKAGE / "ops").glob("*.py"):
        statements = ast.parse(file.read_text()).body
        names = {
            alias.name.split(".")[0]
            for node in statements
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        } | {node.module.split(".")[0] for node in statements if isinstance(node, ast.ImportFrom)}
        assert not names & {*BACKENDS}, file


def run(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    return result.stdout.strip()


def test_import_loads_neither_keras_nor_tensorflow():
    large = ("keras", "tensorflow", "scipy", "matplotlib")
    loaded = run(f"import sys, kseg; print([m for m in {large} if m in sys.modules])")
    assert loaded == "[]"


@pytest.mark.once("torch")
@pytest.mark.parametrize("given", [["mnist:x"], ["shapes", "--model", "unett"]], ids=" ".join)
def test_a_mistake_is_said_before_keras_is_loaded(given):
    code = f"from kseg.cli.main import main; import sys; print(main(['fit', *{given}]))"
    assert run(f"{code}; print('keras' in sys.modules)").splitlines()[-2:] == ["2", "False"]


@pytest.mark.once("torch")
@pytest.mark.backends("jax", "torch", reason="TensorFlow is the backend")
def test_models_losses_and_metrics_need_no_tensorflow(tmp_path):
    code = f"""
import sys
sys.modules["tensorflow"] = None  # an import of it fails
import numpy as np, kseg
import kseg.losses, kseg.metrics, kseg.models, kseg.ops
model = kseg.build_unet(3, width=2, depth=1)
x, y = np.zeros((2, 8, 8, 3), "uint8"), np.zeros((2, 8, 8), "int32")
model.compile(
    loss=kseg.FocalLoss() + kseg.LovaszLoss(), metrics=[kseg.MeanDice(3), kseg.PixelAccuracy(3)]
)
model.fit(x, y, verbose=0)
model.save(r"{tmp_path / "model.keras"}")
loaded = kseg.load(r"{tmp_path / "model.keras"}")
print((loaded.predict(x[0]) == kseg.predict(model, x[0])).all(), loaded.class_names)
"""
    assert run(code) == "True ('0', '1', '2')"


def test_public_names_resolve():
    import kseg

    for name in kseg.__all__:
        assert getattr(kseg, name) is not None
    assert callable(kseg.evaluate) and callable(kseg.predict)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kseg.nothing

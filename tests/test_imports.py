"""What imports what, and what an import costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "kseg"

# left may not import right (ARCHITECTURE: the folders are the flow)
ORDER = (
    "ops",
    "data",
    "losses",
    "metrics",
    "weights",
    "models",
    "formats",
    "runs",
    "paste",
    "instances",
    "predict",
    "evaluate_instances",
    "evaluate",
    "progress",
    "train",
    "report",
    "serving",
    "load",
    "rescore",
    "export",
    "check_cli",
    "check_page",
    "export_cli",
    "instance_cli",
    "commands",
    "cli",
)
BACKENDS = ("tensorflow", "jax", "torch")
NUMERIC = ("ops", "losses", "metrics", "models")


def imports(file):
    """Every module that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(module):
    return module.split(".")[1] if module.startswith("kseg.") else None


FILES = [f for f in sorted(PACKAGE.rglob("*.py")) if f.parent != PACKAGE or f.stem in ORDER]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_the_flow_goes_one_way(file):
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(file):
        other = part(module)
        if other in ORDER:
            assert ORDER.index(other) <= ORDER.index(own), f"{own} imports {module}"
        if own in NUMERIC and own != "ops":
            assert module.split(".")[0] not in BACKENDS, module


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
    loaded = run(
        "import sys, kseg; print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_models_losses_and_metrics_need_no_tensorflow(tmp_path):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow is the backend")
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

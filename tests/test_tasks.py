"""A model's task is asked for in one place, and a new task touches no file of the others."""

import ast
import importlib
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.models import contract

PACKAGE = Path(kseg.__file__).parent
TASKS = ("semantic", "instance")
# The contract asks a model; `data` and `checks` are about the samples of a source, not of a model.
ASKING = ("models/contract.py", "data/", "checks/")
ROOMS = ("prediction", "evaluation", "training", "pictures", "deployment.saved_model")


def questions(tree):
    """The lines of a file that ask what task something has, or how many classes a model."""
    for node in ast.walk(tree):
        asked = (
            isinstance(node, ast.Attribute)
            and node.attr == "task"
            and isinstance(node.ctx, ast.Load)
        )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = [each.value for each in node.args if isinstance(each, ast.Constant)]
            asked |= node.func.id in ("getattr", "hasattr") and "task" in names
            asked |= node.func.id == "is_instance"
        if isinstance(node, ast.Compare):
            values = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
            asked |= bool(values & {*TASKS})
        if isinstance(node, ast.Subscript):
            asked |= "outputs[0].shape[-1]" in ast.unparse(node)
        if asked:
            yield node.lineno


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("if model.task == 'instance': pass", 2),
        ("getattr(model, 'task', 'semantic')", 1),
        ("task in ('semantic',)", 1),
        ("is_instance(model)", 1),
        ("classes = max(2, model.outputs[0].shape[-1])", 1),
        ("self.task = part('kseg.pictures', model)", 0),
    ],
)
def test_questions_are_recognized(text, count):
    assert len(list(questions(ast.parse(text)))) == count


def test_the_task_is_asked_for_in_one_place():
    asking = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if not name.startswith(ASKING) and (lines := list(questions(ast.parse(file.read_text())))):
            asking[name] = lines
    assert not asking


@pytest.mark.parametrize("room", ROOMS)
def test_the_modules_of_a_room_have_the_same_functions(room):
    """Public functions of the same names and parameters, but for each task's own options."""
    signatures = {}
    modules = [contract.part(f"kseg.{room}", task) for task in TASKS]
    shared = set.intersection(*({*vars(module)} for module in modules))
    names = {n for n in shared if not n.startswith("_") and callable(getattr(modules[0], n))}
    names = {n for n in names if getattr(modules[0], n).__module__ == modules[0].__name__}
    assert "OPTIONS" in shared and names
    for module in modules:
        for name in names:
            code = getattr(module, name).__code__
            given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            own = [each for each in given if each not in module.OPTIONS]
            signatures.setdefault(name, []).append((len(own), code.co_posonlyargcount))
    for name, each in signatures.items():
        assert each[0] == each[1], (room, name)

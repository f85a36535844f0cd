"""What Griffe is told about kseg's docstrings, which it reads without importing the package."""

import ast
import re

import griffe

LAZY = ("_LAZY", "_NAMES")  # dicts of name -> module that has it, as kseg.base.lazy takes them
EXAMPLE = re.compile(r"^Examples?:\n\n?(?=>>>)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Names that are imported on first use; examples, which begin at the margin."""

    def on_module(self, *, mod, **options):
        """A lazy name is an alias of what it stands for."""
        for name in LAZY:
            if name not in mod.attributes or mod.attributes[name].value is None:
                continue
            found = ast.literal_eval(str(mod.attributes[name].value))
            for each, module in found.items():
                if module is not None and each not in mod.members:
                    mod.set_member(each, griffe.Alias(each, f"{module}.{each}"))

    def on_object(self, *, obj, **options):
        """`Example:` and lines that begin with `>>>` become the section that Griffe knows."""
        if obj.docstring is not None:
            obj.docstring.value = with_examples(obj.docstring.value)


def with_examples(text):
    """A docstring whose part from `Example:` on is an indented section, `Examples:`."""
    parts = EXAMPLE.split(text)
    if len(parts) < 2:
        return text
    before, *examples = parts
    sections = []
    for example in examples:
        lines = example.rstrip().splitlines()
        sections.append("Examples:\n" + "\n".join(f"    {line}".rstrip() for line in lines))
    return before + "\n\n".join(sections)

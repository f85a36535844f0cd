"""Things by name with their options, as a file of settings has them: nothing of it is run as code.

cross_entropy + 0.5 * lovasz
tversky(alpha=0.3, beta=0.7)
random_affine(degrees=10)
"""

import ast
import difflib
import inspect

from kseg.base.arguments import refused

SHOWN = 12  # names in a message


def nearest(name, names):
    """What to say of a name that is none: the nearest that is, and all of them if they are few."""
    names = list(names)
    close = difflib.get_close_matches(str(name).lower(), [each.lower() for each in names], 1, 0.5)
    remedy = ""
    if close:
        found = next(each for each in names if each.lower() == close[0])
        remedy = f"Did you mean {found!r}?"
    if not close or len(names) <= SHOWN:
        remedy = f"{remedy} There are {', '.join(names)}.".strip()
    return remedy


def terms(name, text):
    """A sum of named things: a list of `(factor, name, options)`.

    Args:
        name: Of the setting, for the error.
        text: The sum.

    Raises:
        ValueError: it is none.

    Example:

    >>> terms("loss", "dice + 0.5 * tversky(alpha=0.3)")
    [(1.0, 'dice', {}), (0.5, 'tversky', {'alpha': 0.3})]
    """
    try:
        return _sum(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ValueError) as error:
        expected = "names with options, as 'cross_entropy + 0.5 * tversky(alpha=0.3)'"
        raise refused(name, text, expected, f"{error.args[0]}." if error.args else "") from None


def call(name, text):
    """One named thing: `(name, options)`; positional ones stand under their numbers.

    >>> call("transforms", "random_affine(degrees=10)")
    ('random_affine', {'degrees': 10})
    """
    found = terms(name, text)
    if len(found) != 1 or found[0][0] != 1:
        raise refused(name, text, "one name with options, as 'random_affine(degrees=10)'")
    return found[0][1:]


def options_for(name, function, options, title):
    """The options by name, for a function or a class.

    Args:
        name: Of the setting, for the error.
        function: What takes them.
        options: dict; those that were given without a name stand under their numbers.
        title: What `function` is called.

    Raises:
        ValueError: it does not take one of them.
    """
    taken = [
        each
        for each, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    result = {}
    for key, value in options.items():
        if isinstance(key, int) and key < len(taken):
            key = taken[key]
        if key not in taken or key in result:
            expected = f"an option of {title}"
            raise refused(name, key, expected, nearest(key, taken))
        result[key] = value
    return result


def _sum(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        sign = -1.0 if isinstance(node.op, ast.Sub) else 1.0
        right = [(sign * factor, *rest) for factor, *rest in _sum(node.right)]
        return [*_sum(node.left), *right]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        number, other = node.left, node.right
        if not isinstance(number, ast.Constant):
            number, other = other, number
        factor = ast.literal_eval(number)
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise ValueError(f"{ast.unparse(number)} is no number")
        return [(factor * own, *rest) for own, *rest in _sum(other)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        options = dict(enumerate(map(_value, node.args)))
        options |= {keyword.arg: _value(keyword.value) for keyword in node.keywords}
        return [(1.0, node.func.id, options)]
    if isinstance(node, ast.Name):
        return [(1.0, node.id, {})]
    raise ValueError(f"{ast.unparse(node)} is no name")


def _value(node):
    """A number, a string, True, None, or a list of them; a bare name counts as a string."""
    if isinstance(node, ast.Name):
        return node.id
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{ast.unparse(node)} is no plain value") from None

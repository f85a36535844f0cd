"""What Python says of its arguments, as it is read on the command line."""

import pytest

from kseg.cli.language import options_by_name, spoken
from kseg.cli.main import COMMANDS, parser


def options(command):
    whole = parser()
    (commands,) = (each for each in whole._actions if each.dest == "==SUPPRESS==" or each.choices)
    return options_by_name(commands.choices[command])


@pytest.mark.parametrize(
    "command, python, typed",
    [
        ("fit", "epochs=0: expected an integer >= 1.", "--epochs 0: expected an integer >= 1."),
        ("fit", "Give values=(0, 255) if so.", "Give --values 0,255 if so."),
        ("fit", "learning_rate=1e-05.", "--learning-rate 1e-05."),
        ("fit", "size=(32, 64): no", "--size 32x64: no"),
        ("fit", "scale=(0.5, 2).", "--scale 0.5,2."),
        ("fit", "the model has input_shape=(None, 3)", "the model has input_shape=(None, 3)"),
        ("fit", "run='my runs/a': expected", "--run 'my runs/a': expected"),
        ("fit", "run='/x/epochs=3' is there", "--run /x/epochs=3 is there"),
        ("fit", "the file '/x/epochs=3/a.png'", "the file '/x/epochs=3/a.png'"),
        ("fit", "Resume it (resume=True).", "Resume it (--resume)."),
        ("fit", "Give palette=[(r, g, b), ...], a colour", "Give --palette r,g,b/..., a colour"),
        ("fit", "the colour of each class (palette=).", "the colour of each class (--palette)."),
        ("fit", "class_names=('a', 'b'): no", "--classes a,b: no"),
        ("fit", "check_data=False trains", "--no-check trains"),
        ("check", "class_names=('a', 'b', ...).", "--classes a,b."),
        ("evaluate", "run='a' is no run", "run a is no run"),
        ("evaluate", "batch_size=3", "batch_size=3"),
        ("evaluate", "boundary=True is of semantic models", "--boundary is of semantic models"),
        ("export", "format='onnx' cannot hold it", "--format onnx cannot hold it"),
        ("export", "shape=(64, None): no", "--shape 64xNone: no"),
        ("predict", "min_score=0.3 is of", "--min-score 0.3 is of"),
        ("check", "instances=True", "--instances"),
        ("check", "instances=False", "no --instances"),
    ],
)
def test_one_message(command, python, typed):
    assert spoken(python, options(command)) == typed


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_option_stays(command):
    text = "It is 'x=1' == 2, or a = b; f(x)=y. See https://kseg/?q=1."
    assert spoken(text, options(command)) == text


def test_a_value_that_begins_with_minus_can_be_typed():
    """What the check says of numbers below 0 is read by the command that it is said to."""
    typed = spoken("Say value_range=(-40.0, 5).", options("check"))
    assert typed == "Say --value-range=-40.0,5."
    given = parser().parse_args(["check", "PATH", typed.removeprefix("Say ").removesuffix(".")])
    assert given.value_range == (-40.0, 5)

"""What `kseg.export` is told: mistakes are named before anything is written."""

import dataclasses

import pytest
from test_export import small_mask_rcnn, small_unet

import kseg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "tflite"}, "format='tflite': expected one of 'saved_model', 'onnx'"),
        ({"format": kseg.OnnxOptions}, "or the options of one, as kseg.OnnxOptions()"),
        ({"samples": 0}, "samples=0: expected an integer >= 1"),
        ({"tolerance": -1}, "tolerance=-1: expected a number from 0 to 1"),
        ({"max_drop": 2}, "max_drop=2: expected a number from 0 to 1"),
        ({"class_names": ("a", "b")}, "2 class_names and 2 colors: the model has 4 classes"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        kseg.export(small_unet(), tmp_path / "out", verbose=False, **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            ({"name": name}, "expected a name for the model's folder")
            for name in (
                "",
                "..",
                "../up",
                "/up",
                "a/b",
                "a\\b",
                ".hidden",
                "C:x",
                "a\n",
                "end.",
                7,
            )
        ),
        ({"version": 0}, "version=0: expected an integer >= 1"),
        ({"signatures": "overlay"}, "signatures='overlay': expected a tuple of names"),
        ({"resize": (300, 200)}, r"resize=\(300, 200\): expected \(shortest, longest\)"),
        ({"max_pixels": 0}, "max_pixels=0: expected an integer >= 1"),
        ({"overlay": "gif"}, "overlay='gif': expected one of 'jpeg', 'png'"),
        ({"tile": True}, "tile=True: expected an integer >= 1"),
        ({"overlap": 512}, "overlap=512: expected an integer from 0 to below tile=512"),
        ({"min_score": 2}, "min_score=2: expected a number from 0 to 1"),
        ({"threshold": -1}, "threshold=-1: expected a number from 0 to 1"),
    ],
)
def test_options_check_themselves(options, message):
    with pytest.raises(ValueError, match=message):
        kseg.SavedModelOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signatures": ("image_bytes",)}, "'serving_default' among them"),
        ({"signatures": ("serving_default", "rle")}, "can have serving_default, image_bytes"),
        ({"min_score": 0.2}, "min_score=0.2 is of instance models, and this one is semantic"),
        ({"threshold": 0}, "threshold=0.0 is of instance and multilabel models"),
    ],
)
def test_options_that_are_not_the_models_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        kseg.export(small_unet(), tmp_path / "out", kseg.SavedModelOptions(**options))
    assert not (tmp_path / "out").exists()


@pytest.mark.once("torch")
def test_an_instance_model_brings_its_own_size(tmp_path):
    options = kseg.SavedModelOptions(resize=(24, 40))
    with pytest.raises(ValueError, match=r"resize=\(24, 40\) is of multilabel and semantic models"):
        kseg.export(small_mask_rcnn(), tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_options_of_another_format_are_refused_by_one_rule(tmp_path, capsys):
    from kseg.cli.main import main
    from kseg.deployment.formats import options_from

    with pytest.raises(ValueError, match="precision='int8' is of format onnx and litert and open"):
        options_from("saved_model", {"precision": "int8"})
    with pytest.raises(ValueError, match="tile=64 is of format saved_model, and this one is onnx"):
        options_from("onnx", {"tile": 64})
    assert options_from("openvino", {"shape": (8, None)}) == kseg.OpenVINOOptions((8, None))
    arguments = ["export", "runs/mine", str(tmp_path / "out"), "--format", "litert"]
    assert main([*arguments, "--shape", "8x8", "--name", "street"]) == 2
    message = "kseg: --name street is of format saved_model, and this one is litert: leave it out."
    assert capsys.readouterr().err.strip() == message


def test_every_option_has_its_text_and_its_flag():

    from kseg.cli.main import parser
    from kseg.deployment.formats import FORMATS, options_class

    arguments = ["export", "R", "P", "--resize", "80,200", "--shape", "8x9", "--tile", "64"]
    read = parser().parse_args([*arguments, "--signatures", "logits, tiled", "--min-score", "0.3"])
    assert (read.resize, read.shape, read.tile, read.min_score) == ((80, 200), (8, 9), 64, 0.3)
    assert read.signatures == ("logits", "tiled")
    for options in map(options_class, FORMATS):
        for field in dataclasses.fields(options):
            assert hasattr(read, field.name)
            text = " ".join(options.__doc__.split())
            assert f"{field.name}: {field.metadata['about']} Default {field.default!r}." in text

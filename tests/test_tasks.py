"""A model's task is asked for in one place, and a new task touches no file of the others."""

import ast
import importlib
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import kseg
from kseg.models import contract

PACKAGE = Path(kseg.__file__).parent
TASKS = ("semantic", "multilabel", "instance")
# The contract asks a model; `data` and `checks` are about the samples of a source, not of a model.
ASKING = ("models/contract.py", "data/", "checks/")
ROOMS = (
    "prediction",
    "evaluation",
    "training",
    "pictures",
    "reports",
    "reports.seen",
    "doubts",
    "deployment",
    "deployment.saved_model",
)


def questions(tree):
    """The lines of a file that go by what task something has, or count a model's classes.

    To hand a task on, to `part` for one, is no question.
    """
    for node in ast.walk(tree):
        inside = [*ast.walk(node)]
        asked = False
        if isinstance(node, (ast.Compare, ast.Subscript, ast.Match)):
            asked |= any(isinstance(each, ast.Attribute) and each.attr == "task" for each in inside)
        if isinstance(node, ast.Compare):
            asked |= any(isinstance(each, ast.Constant) and each.value in TASKS for each in inside)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = [each.value for each in node.args if isinstance(each, ast.Constant)]
            asked |= node.func.id in ("getattr", "hasattr") and "task" in names
            asked |= node.func.id == "is_instance"
        if isinstance(node, ast.Subscript):
            asked |= "outputs[0].shape[-1]" in ast.unparse(node)
        if asked:
            yield node.lineno


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("if model.task == 'instance': pass", 1),
        ("getattr(model, 'task', 'semantic')", 1),
        ("task in ('semantic',)", 1),
        ("is_instance(model)", 1),
        ("{'semantic': 8, 'instance': 2}[model.task]", 1),
        ("classes = max(2, model.outputs[0].shape[-1])", 1),
        ("part('kseg.pictures', self.task)", 0),
    ],
)
def test_questions_are_recognized(text, count):
    assert len(list(questions(ast.parse(text)))) == count


@pytest.mark.once("torch")
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
            made = getattr(module, name)
            code = (made.__init__ if isinstance(made, type) else made).__code__
            given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            own = [each for each in given if each not in module.OPTIONS]
            signatures.setdefault(name, []).append((len(own), code.co_posonlyargcount))
    for name, each in signatures.items():
        assert each[0] == each[1], (room, name)


# A third task, in the modules that a new task brings: how bright a photo is, one number.
MODULES = {
    "prediction": """
        OPTIONS = {"gain": 1.0}
        FOLDER, SUFFIX = "brightness", ".txt"

        def predict(model, photos, *, gain=1.0):
            for photo in photos:
                yield gain * float(model.predict_on_batch(photo[None])[0, 0])

        def write(brightness, path, class_names, colors):
            path.parent.mkdir()
            path.write_text(f"{class_names[0]} {brightness:.1f}")
    """,
    "evaluation": """
        import numpy as np

        from kseg.evaluation.table import Table
        from kseg.prediction.brightness import predict

        OPTIONS = {}
        BATCH_SIZE = 1
        SCORE_NAME = "closeness"

        def evaluate(model, source, *, batch_size, progress):
            samples = [source[index] for index in range(len(source))]
            predicted = predict(model, [sample["image"] for sample in samples])
            wrong = [abs(p - sample["brightness"]) for p, sample in zip(predicted, samples)]
            return {"images": len(samples), "closeness": float(1 / (1 + np.mean(wrong)))}

        def rules(model, source, chosen):
            return {"size": "each photo at its own"}

        def tables(source, scores):
            return [Table(("", "closeness"), [(source.name, f"{scores['closeness']:.2f}")])]

        def notes(scores):
            return [f"of {scores['images']} photos"]
    """,
    "training": """
        OPTIONS = {}
        CLIPNORM = None
        TRAINED = ("loss",)
        VALIDATED = ("closeness",)

        def check(model, val, settings):
            pass

        def compiled(model, settings, source, pixels):
            return {"loss": "mae"}
    """,
    "pictures": """
        OPTIONS = {}
        PANELS = ("photo", "prediction")

        def predicted(image, brightness, class_names, colors, void):
            return (image * 0 + brightness).round().clip(0, 255).astype("uint8")

        def panels(source, sample, brightness):
            return [sample["image"], predicted(sample["image"], brightness, (), (), 0)]

        def legend(source, width):
            return None
    """,
    "deployment": """
        OPTIONS = {}
        HELD_BY = ("saved_model",)
        WHY_NOT = "nobody asked for it"
        UNIT = "photos"

        def tolerance(model, precision):
            return 0.0

        def is_labelled(model, source):
            return False

        def differing(expected, actual):
            return sum(abs(a - b) > 1e-2 for a, b in zip(expected, actual)) / len(expected)

        def mean_iou(model, results, labels, void):
            return float("nan")
    """,
    "deployment.saved_model": """
        import tensorflow as tf

        from kseg.deployment.saved_model.encoded import Encoded
        from kseg.deployment.saved_model.signatures import Signature, images_input

        OPTIONS = {}
        OF_MODEL = {}
        DEFAULT = ("serving_default",)
        OPTIONAL = ()

        def served(model):
            return model

        def signatures(model, options):
            def serving_default(images):
                return {"brightness": model(tf.cast(images, tf.float32))[:, 0]}

            outputs = {"brightness": "mean grey, (B,)"}
            about = "images -> their brightness"
            images = images_input(Encoded())
            return {"serving_default": Signature(serving_default, images, about, outputs)}

        def answer(outputs, size):
            return float(outputs["brightness"])
    """,
}


@keras.saving.register_keras_serializable(package="test")
class Brightness(keras.Model):
    """Weighs the mean colour of an image."""

    task, num_classes, channels, score = "brightness", 1, 3, "closeness"

    def __init__(self, **config):
        super().__init__(**config)
        self.weigh = keras.layers.Dense(1, kernel_initializer="zeros")

    def build(self, shape):
        self.weigh.build((None, 3))
        self.built = True

    def call(self, images):
        return 255.0 * self.weigh(keras.ops.mean(images / 255, axis=(1, 2)))


@pytest.fixture
def third_task(tmp_path, monkeypatch):
    """The modules of the third task, each in its room, for one test."""
    for room, text in MODULES.items():
        folder = tmp_path / "rooms" / room
        folder.mkdir(parents=True)
        (folder / "brightness.py").write_text(textwrap.dedent(text))
        package = importlib.import_module(f"kseg.{room}")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()
    yield
    for room in MODULES:
        package = importlib.import_module(f"kseg.{room}")
        if sys.modules.pop(f"{package.__name__}.brightness", None):
            del package.brightness


def grey_photos(name, count=8, size=(16, 16)):
    """Photos of one grey each; their brightness is that grey."""
    ends = (20, 230) if name == "train" else (35, 215)  # no photo is in both
    greys = np.linspace(*ends, count).astype("float32")
    images = np.broadcast_to(greys[:, None, None, None], (count, *size, 3)).astype("uint8")

    def decode(row):
        return {"image": row["image"], "brightness": row["brightness"]}

    return kseg.data.Source(
        name=name,
        columns={"image": images, "brightness": np.trunc(greys)},
        decode=decode,
        class_names=("grey",),
        colors=((128, 128, 128),),
        ids=tuple(f"p{i}" for i in range(count)),
        task="brightness",
    )


def unchanged(sample, seed):
    return sample


@pytest.mark.once("torch")
def test_a_new_task_touches_no_shared_file(third_task, tmp_path, capsys):
    """A model of a third task is trained, kept, scored, drawn and asked, by its own modules."""
    from kseg.cli.options import console
    from kseg.cli.tables import print_scores
    from kseg.prediction.files import predict_files

    train, val = grey_photos("train"), grey_photos("val", count=3)
    model = Brightness(name="brightness")
    model.build((None, None, None, 3))
    settings = kseg.Settings(size=(16, 16), batch_size=4, epochs=40, learning_rate=0.1, warmup=0)
    kseg.fit(model, train, val, run=tmp_path / "run", settings=settings, augment=[unchanged])
    run = kseg.Run.open(tmp_path / "run")
    assert run.best()["val_closeness"] > 0.5  # less than 1 off, of 255

    best = run.load_model()
    scores = kseg.evaluate(best, val)
    assert scores["closeness"] == pytest.approx(run.best()["val_closeness"], rel=1e-3)
    print_scores(console(), scores)
    assert "of 3 photos" in capsys.readouterr().out
    assert scores["protocol"]["size"] == "each photo at its own"
    with pytest.raises(ValueError, match="bootstrap=.*nothing is kept of its images"):
        kseg.evaluate(best, val, bootstrap=9)

    image = val[1]["image"]
    assert kseg.predict(best, image) == pytest.approx(float(val[1]["brightness"]), abs=2)
    kseg.reports.write_sheet(best, val, tmp_path / "sheet.png", count=2, width=32)
    kseg.pictures.save(image, tmp_path / "photo.png")
    (written,) = predict_files(kseg.load(run.path), [tmp_path / "photo.png"], tmp_path)
    assert written.read_text().startswith("grey 12")
    assert kseg.load(tmp_path / "run").predict(image) == kseg.predict(best, image)


@pytest.mark.backends("tensorflow", reason="written by a process without the third task")
def test_a_new_task_is_exported(third_task, tmp_path):
    model = Brightness(name="brightness")
    model.build((None, None, None, 3))
    model.weigh.set_weights([np.full((3, 1), 0.2), np.array([0.1])])
    exported = kseg.export(model, tmp_path / "models", samples=2, verbose=False)
    assert (exported.comparison.differing, exported.comparison.unit) == (0, "photos")
    loaded = kseg.load(exported.path)
    assert loaded.task == "brightness"
    image = np.full((8, 9, 3), 100, "uint8")
    assert loaded.predict(image) == pytest.approx(0.6 * 100 + 0.1 * 255, rel=1e-5)
    with pytest.raises(ValueError, match="nobody asked for it"):
        kseg.export(model, tmp_path / "m.onnx", "onnx")


def test_options_of_another_task_are_refused(third_task):
    model = Brightness()
    image = np.zeros((4, 4, 3), "uint8")
    with pytest.raises(ValueError, match=r"min_score=0.3 is of instance models.*brightness"):
        kseg.predict(model, image, min_score=0.3)
    with pytest.raises(ValueError, match=r"boundary=True is of semantic models.*brightness"):
        kseg.evaluate(model, grey_photos("val"), boundary=True)
    labels = kseg.data.shapes("val", count=2)
    with pytest.raises(ValueError, match="is of task 'semantic'.*of 'brightness'"):
        kseg.evaluate(model, labels)


def test_a_task_that_nobody_serves_is_named():
    with pytest.raises(
        ValueError, match="task='sound': expected one that kseg.* knows:.*'semantic'"
    ):
        contract.part("kseg.prediction", "sound")
    assert set(contract.tasks("kseg.prediction")) == {*TASKS}


@pytest.mark.parametrize(
    "outputs, channels, expected",
    [
        (1, 3, ("semantic", 2, 3, "mean_iou", 1)),  # one logit tells two classes apart
        (2, 1, ("semantic", 2, 1, "mean_iou", 2)),
        (5, 4, ("semantic", 5, 4, "mean_iou", 5)),
    ],
)
def test_the_contract_of_a_model_that_says_nothing(outputs, channels, expected):
    image = keras.Input((None, None, channels))
    model = keras.Model(image, keras.layers.Conv2D(outputs, 1)(image))
    assert contract.contract(model) == contract.Contract(*expected)


def test_the_contract_of_a_model_that_says_its_own():
    expected = contract.Contract("brightness", 1, 3, "closeness", 1)
    assert contract.contract(Brightness()) == expected

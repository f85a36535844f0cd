"""Rows of what works on models and sets as a whole: `kseg.fit` to `kseg.export`, and pictures."""

import dataclasses
import json

import keras
import multilabel_scenes
import numpy as np
from every_argument.inputs import SIZE, Beside, Entry, Made, finder, scenes, unet
from every_argument.networks import weights_of
from every_argument.sets import NOTES, OTHERS, SCENES, below, out
from instance_model import source_of
from seeds import fresh_seed

import kseg
from kseg.data import transforms

NAMES = ("cat", "dog", "bird")
UNET = Made(lambda place: unet())
OTHER = Made(lambda place: seeded(3))
SEVERAL = Made(lambda place: unet(3, multilabel=True))
OVERLAPPING = Made(lambda place: multilabel_scenes.source_of(*multilabel_scenes.scenes(2)))
FOUND = Made(lambda place: finder())
TRUTH = Made(lambda place: source_of(finder().found))
BINARY = Made(lambda place: two_classes())
THERE = Made(lambda place: written(place.out / "there.html"))
PHOTO = np.arange(32 * 32 * 3, dtype="uint8").reshape(*SIZE, 3)
LARGE = np.tile(PHOTO, (10, 10, 1))


def earlier(place):
    """A result that is there."""
    path = place.out / "earlier.tif"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    return str(path)


def doubled(place):
    """Scenes of which one comes twice."""
    source = scenes()
    return source.subset([0, 1, 1])


def clashing(place):
    """Scenes of one name, which is an error of the set but hinders no training."""
    return dataclasses.replace(scenes(), ids=("same",) * 4)


def scored():
    beside = {"model": FOUND, "source": TRUTH}
    two = {"first": FOUND, "second": FOUND, "source": TRUTH}
    several = {"first": SEVERAL, "second": SEVERAL, "source": OVERLAPPING}
    return {
        "check": Entry(
            {"sources": (SCENES,)},
            {
                "sources": (OTHERS,),
                "limit": 2,
                "duplicates": Beside({"sources": (Made(doubled),)}, False),
                "progress": NOTES,
            },
            lambda report, place: report.to_dict(),
        ),
        "class_weights_from": Entry(
            {"source": SCENES}, {"source": OTHERS, "balance": 1.0, "limit": 3}
        ),
        "plan": Entry(
            {"train": SCENES},
            {"train": OTHERS, "limit": 2},
            lambda plan, place: [plan.to_toml(), plan.reasons],
        ),
        "evaluate": Entry(
            {"model": UNET, "source": SCENES},
            {
                "model": Made(lambda place: filled(unet())),
                "source": OTHERS,
                "batch_size": Beside({"progress": NOTES}, 1),
                "progress": NOTES,
                "boundary": True,
                "surface": True,
                "calibration": True,
                "detections": Beside(beside, 2),
                "overlap": Beside(beside, 0.9),
                "min_score": Beside(beside, 0.9),
                "max_detections": Beside(beside, 2),
                "results": Beside(beside, out("found.json")),
                "per_image": True,
                "resize": (16, 16),
                "tile": Beside({"source": Made(lambda place: large_scenes())}, 128),
                "tta": ("horizontal",),
                "group": "([02])|.",
                "bootstrap": 20,
                "confidence": Beside({"bootstrap": 20}, 0.8),
                "threshold": Beside({"model": SEVERAL, "source": OVERLAPPING}, (0.4, 0.5, 0.9)),
            },
        ),
        "compare": Entry(
            {"first": UNET, "second": OTHER, "source": SCENES, "resamples": 9},
            {
                "first": Made(lambda place: seeded(7)),
                "second": Made(lambda place: seeded(8)),
                "source": OTHERS,
                "batch_size": Beside({"progress": NOTES}, 1),
                "progress": NOTES,
                "resize": (16, 16),
                "tile": Beside({"source": Made(lambda place: large_scenes())}, 128),
                "tta": ("horizontal",),
                "boundary": True,
                "surface": True,
                "threshold": Beside(several, (0.4, 0.5, 0.9)),
                "detections": Beside(two, 2),
                "overlap": Beside(two, 0.9),
                "min_score": Beside(two, 0.9),
                "max_detections": Beside(two, 2),
                "resamples": 5,
                "confidence": 0.5,
            },
        ),
        "check_labels": Entry(
            {"model": UNET, "sources": (SCENES,)},
            {
                "model": Made(lambda place: filled(unet())),
                "sources": (OTHERS,),
                "most": 1,
                "limit": 2,
                "progress": NOTES,
            },
            lambda doubts, place: doubts.to_dict(),
            function=lambda *sources, model, **more: kseg.check_labels(model, *sources, **more),
        ),
        "report": Entry(
            {"run": below("run"), "path": out("page.html"), "data": BINARY},
            {
                "run": below("run2"),
                "other": below("run2"),
                "path": out("other.html"),
                "data": Made(lambda place: two_classes().subset([0, 1])),
                "split": "train",
                "group": "(.)$",
                "images": 2,
                "limit": 2,
                "overwrite": Beside({"path": THERE}, True, refused=True),
                "progress": NOTES,
            },
        ),
        "card": Entry(
            {"model": below("run"), "path": out("card.md"), "data": BINARY, "bootstrap": None},
            {
                "model": UNET,
                "path": out("other.md"),
                "data": Made(lambda place: two_classes().subset([0, 1])),
                "split": "train",
                "group": "(.)$",
                "limit": 2,
                "surface": True,
                "bootstrap": 10,
                "notes": "No licence.",
                "overwrite": Beside({"path": THERE}, True, refused=True),
                "progress": NOTES,
            },
        ),
        "adapt": Entry(
            {"model": UNET, "photos": [PHOTO]},
            {
                "model": Made(lambda place: filled(unet())),
                "photos": [PHOTO, PHOTO[::-1] // 2],
                "prior": 0,
                "passes": Beside({"photos": [PHOTO, PHOTO[::-1] // 2]}, 2),
                "file": out("adapted.keras"),
                "overwrite": Beside({"file": Made(there)}, True, refused=True),
                "progress": NOTES,
            },
            lambda model, place: model.get_weights(),
        ),
        "robustness": Entry(
            {
                **{"model": UNET, "source": SCENES, "scales": (), "exposures": ()},
                **{"corruptions": ("fog",), "severities": (3,), "worst": 0},
            },
            {
                "model": Made(lambda place: filled(unet())),
                "source": OTHERS,
                "corruptions": ("snow",),
                "severities": (1, 5),
                "scales": (2,),
                "exposures": (0.5,),
                "group": "(.)$",
                "class_map": {"disk": None},
                "images": 2,
                "worst": 1,
                "seed": 1,
                "file": out("kept.json"),
                "overwrite": Beside({"file": Made(there)}, True, refused=True),
                "progress": NOTES,
            },
        ),
        "predict": Entry(
            {"model": UNET, "images": PHOTO},
            {
                "model": Made(lambda place: filled(unet())),
                "images": PHOTO[::-1],
                "resize": (16, 16),
                "tile": Beside({"images": LARGE}, 128),
                "min_score": Beside({"model": FOUND, "images": black()}, 0.99),
                "threshold": Beside({"model": FOUND, "images": black()}, 0.8),
                "masks": Beside({"model": FOUND, "images": black()}, "probability"),
                "detections": Beside({"model": FOUND, "images": black(), "min_score": 0.0}, 2),
                "overlap": Beside({"model": FOUND, "images": black(), "min_score": 0.0}, 0.2),
                "probabilities": Beside({"model": SEVERAL}, True),
                "tta": ("horizontal",),
                "output": out("labels.tif"),
                "overwrite": Beside({"output": Made(earlier)}, True, refused=True),
            },
        ),
        "ensemble": Entry(
            {"models": Made(lambda place: [unet(), seeded(3)])},
            {"models": Made(lambda place: [seeded(3)] * 2), "name": "other"},
            lambda model, place: [model.name, kseg.predict(model, PHOTO, probabilities=True)],
        ),
        "load": Entry(
            {"path": below("run")},
            {"path": below("run2")},
            lambda loaded, place: [str(loaded.path), loaded.class_names, loaded.predict(PHOTO)],
        ),
        "Run": Entry(
            {
                "path": Made(lambda place: place.out / "run"),
                "class_names": ("a", "b"),
                "colors": ((0, 0, 0), (9, 9, 9)),
                "void": 255,
                "settings": {"epochs": 1},
            },
            {
                "path": Made(lambda place: place.out / "other"),
                "class_names": ("a", "c"),
                "colors": ((0, 0, 0), (9, 9, 8)),
                "void": 9,
                "settings": {"epochs": 2},
                "data": {"spec": "shapes"},
                "begun": {"samples": 3},
            },
            lambda run, place: run.write(),
        ),
    }


def there(place):
    """The path of a file that is there already."""
    place.out.mkdir(exist_ok=True)
    file = place.out / "there.keras"
    file.write_text("{}")
    return file


def black():
    """The first of the photos of which a finder knows what it is to find."""
    return np.zeros((*SIZE, 3), "uint8")


def large_scenes():
    """Scenes that a network sees in several tiles of 128."""
    return kseg.data.shapes("val", count=2, size=(200, 160))


def seeded(seed):
    fresh_seed(seed)
    return unet()


def filled(model):
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=each.shape) for each in model.get_weights()])
    return model


# Training, on four scenes for two steps


def small_run(**given):
    return kseg.Settings(**{"size": SIZE, "batch_size": 2, "epochs": 1, **given})


def fitted(model, place):
    return [weights_of(model), json.dumps(model.get_compile_config(), default=repr)]


def fit_with(settings, place):
    """A short training by the settings, validated if it is of several epochs."""
    val = scenes("val", 2) if settings.epochs > 1 else None
    model = kseg.fit(unet(), scenes(), val, run=place.out / "run", settings=settings)
    return fitted(model, place)


def own(place):
    """A model that its user has compiled."""
    model = unet(compile=False)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True, ignore_class=255))
    return model


class Counting(keras.callbacks.Callback):
    def __init__(self, place):
        super().__init__()
        self.place = place

    def on_train_batch_end(self, batch, logs=None):
        self.place.notes.append(batch)


CROP = Made(lambda place: [transforms.random_crop(SIZE)])


def mirrored():
    return transforms.random_flip(probability=1.0)


def begun(place):
    """A run folder in which a training has begun."""
    kseg.Run(place.out / "run", ("a", "b"), ((0, 0, 0), (9, 9, 9)), 255, {}).write()
    return place.out / "run"


def trained(place):
    """One that holds a model."""
    (begun(place) / "best.keras").write_bytes(b"")
    return place.out / "run"


def left(place):
    """A model in a file, to start from."""
    path = place.out / "left.keras"
    path.parent.mkdir(exist_ok=True)
    filled(unet(compile=False)).save(path)
    return str(path)


START = Made(left)


def training():
    settings = Made(lambda place: small_run())
    run = Made(lambda place: place.out / "run")
    return {
        "fit": Entry(
            {"model": UNET, "train": SCENES, "run": run, "settings": settings, "augment": CROP},
            {
                "model": Made(lambda place: unet(width=3)),
                "train": OTHERS,
                "val": Made(lambda place: scenes("val", 2)),
                "run": Made(lambda place: place.out / "other"),
                "settings": Made(lambda place: small_run(epochs=2)),
                "resume": Beside({"run": Made(begun)}, True),
                "compile": Beside({"model": Made(own)}, "kseg"),
                "size": (16, 32),
                "batch_size": 4,
                "epochs": 2,
                "learning_rate": 0.1,
                "devices": 2,
                "start": START,
                "folds": 99,  # more than there are samples; trained in tests/training
                "group": "folder",  # without folds
                "data": {"spec": "shapes"},
                "augment": Made(lambda place: [transforms.random_crop(SIZE), mirrored()]),
                "cache": "memory",
                "check_data": Beside({"train": Made(clashing)}, False, refused=True),
                "callbacks": Made(lambda place: [Counting(place)]),
                "overwrite": Beside({"run": Made(trained)}, True, refused=True),
            },
            fitted,
        ),
        "Settings": Entry(
            {"size": SIZE, "batch_size": 2, "epochs": 1},
            {
                "size": (16, 32),
                "scale": (1.0, 1.0),
                "jitter": 0.0,
                "batch_size": 4,
                "epochs": 2,
                "learning_rate": 0.1,
                "rates": {"head": 0.1},
                "start": START,
                "folds": 99,  # more than there are samples; trained in tests/training
                "group": "folder",  # without folds
                "warmup": 0.9,
                "weight_decay": 0.1,
                "balance": 0.0,
                "loss": "dice",
                "optimizer": "sgd",
                "decay_norms": True,
                "ema_momentum": 0.5,
                "global_clipnorm": 1e-3,
                "gradient_accumulation_steps": 2,
                "optimizer_options": {"beta_1": 0.5},
                "schedule": "constant",
                "end": 0.5,
                "power": Beside({"schedule": "polynomial"}, 3.0),
                "transforms": ("random_crop",),
                "monitor": Beside({"epochs": 2}, "loss"),
                "mode": Beside({"epochs": 2, "monitor": "loss"}, "max"),
                "patience": Beside({"epochs": 3}, 1),
                "jit_compile": False,
                "steps_per_execution": 2,
                "remat": True,
                "tensorboard": True,
                "devices": 2,
                "freeze_epochs": 1,
                "model": "fcn8s",
                "network": {"width": 4},
                "precision": "mixed_bfloat16",
                "seed": 1,
                "checkpoint_steps": 1,
                "validate_epochs": Beside({"epochs": 2}, 2),
            },
            fit_with,
        ),
    }


# Exports, up to what their writer is asked for


def two_classes():
    source = scenes()
    decode = source.decode
    return dataclasses.replace(
        source,
        decode=lambda row: {**decode(row), "label": decode(row)["label"] // 4},
        class_names=("a", "b"),
        colors=source.colors[:2],
    )


def written(path):
    path.write_bytes(b"mine")
    return str(path)


ENTRIES = {**scored(), **training()}

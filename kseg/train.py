"""Training: settings -> fit, resumable from any step. One linear file.

Every random number follows from the seed and the global step, and the step is the optimizer's own
counter, saved with the weights. So a run that was stopped, or killed, goes on from its last
checkpoint as if nothing had happened.
"""

import contextlib
import dataclasses
import signal
import threading
import time
from pathlib import Path

import keras
import numpy as np

from kseg.data.check import check, check_classes, class_weights, naming_bad_files
from kseg.data.pipeline import batches, steps_per_epoch
from kseg.data.records import cached
from kseg.evaluate import evaluate
from kseg.losses import CrossEntropyLoss, DiceLoss
from kseg.metrics import MeanIoU
from kseg.progress import progress
from kseg.runs import Run, save_model

CHECKED_SAMPLES = 1000  # read before the first step; what lies beyond is named when it is met


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train.

    Args:
        size: `(height, width)` of the random crops in pixels.
        scale: Range of the random scale, log-uniform.
        jitter: Strength of brightness, contrast and saturation changes, 0..1.
        batch_size: Crops a step.
        epochs: Passes over the training set.
        learning_rate: Peak of the schedule: linear warm-up, then cosine decay to zero.
        warmup: Share of all steps spent warming up.
        weight_decay: Of AdamW, decoupled.
        balance: Strength of the class weights `frequency ** -balance` (mean 1 over pixels of the
            training set) of the cross-entropy; 0 weighs all pixels alike.
        dice: Weight of the Dice loss beside the cross-entropy's 1.
        seed: Of shuffling, augmentation and nothing else; seed the weights with
            `keras.utils.set_random_seed` before building the model.
        checkpoint_steps: Steps between checkpoints within an epoch; there is one at its end too.
        validate_epochs: Epochs between validations; the last epoch is always validated.
    """

    size: tuple[int, int] = (256, 256)
    scale: tuple[float, float] = (0.5, 2.0)
    jitter: float = 0.2
    batch_size: int = 8
    epochs: int = 30
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 1e-4
    balance: float = 0.5
    dice: float = 1.0
    seed: int = 0
    checkpoint_steps: int = 100
    validate_epochs: int = 1

    def __post_init__(self):
        for name, low, high in (
            ("batch_size", 1, None),
            ("epochs", 1, None),
            ("checkpoint_steps", 1, None),
            ("validate_epochs", 1, None),
            ("warmup", 0, 1),
            ("jitter", 0, 1),
            ("balance", 0, 1),
            ("dice", 0, None),
            ("weight_decay", 0, None),
        ):
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                limits = f"at least {low}" if high is None else f"{low}..{high}"
                raise ValueError(f"{name}={value!r}: expected {limits}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate!r}: expected a number above 0.")


def fit(
    model,
    train,
    val=None,
    *,
    run,
    settings=None,
    resume=False,
    data=None,
    augment=None,
    cache=None,
    check_data=True,
    callbacks=(),
):
    """Trains a semantic model and keeps everything in a run folder.

    Args:
        model: A model of a kseg builder; its compilation is replaced. None when resuming.
        train: `Source` to learn from.
        val: `Source` to validate on after each epoch, at each photo's own size; None for none.
        run: Folder for the run; must not hold one already, unless resuming.
        settings: `Settings`; None for the defaults, or for those of the run when resuming.
        resume: Whether to go on with the run from its last checkpoint.
        data: Optional JSON-able note of how the sources were made, kept in `run.json`.
        augment: Transforms of `kseg.data.transforms` for training; None for scale jitter and crop,
            flip and colour jitter by the settings. The last shape must be `settings.size`. Pass the
            same when resuming.
        cache: Where to keep decoded photos, as in `kseg.data.batches`.
        check_data: Whether to refuse data in which `kseg.data.check` finds errors. False trains in
            spite of them; a file that cannot be read still stops the training.
        callbacks: Further Keras callbacks.

    Returns:
        The trained `keras.Model`, as at the end; the best one is `best.keras` in the run folder.

    Raises:
        ValueError: classes do not match, a sample is bad, the loss is no longer finite, or the
            folder holds a run already.
        KeyboardInterrupt: Ctrl-C; the last step is saved and the run can be resumed. A second
            Ctrl-C stops at once.

    Example:

    >>> train, val = kseg.data.shapes("train"), kseg.data.shapes("val")
    >>> model = kseg.build_unet(train.num_classes, width=8)
    >>> kseg.fit(model, train, val, run="runs/shapes", settings=kseg.Settings(size=(96, 96)))
    """
    if resume:
        opened = Run.open(run)
        if model is not None:
            raise ValueError("resume=True takes the model from the run: pass model=None.")
        settings = settings or from_dict(opened.settings)
        model = opened.load_model("last")
    else:
        settings = settings or Settings()
        if model is None:
            raise ValueError("model=None: pass a model, or resume=True to go on with a run.")
        if (Path(run) / "run.json").exists():
            raise ValueError(
                f"run={str(run)!r} holds a run already. Choose another folder, or resume it "
                "(`kseg fit --resume`)."
            )
    if getattr(model, "task", "semantic") != "semantic":
        raise ValueError(
            f"The model {model.name!r} finds objects, but kseg.fit trains models of labels. "
            "Use model.fit(kseg.data.batches(source, ...)): examples/mask_rcnn_nuclei.py shows how."
        )
    sources = [train] if val is None else [train, val]
    for source in sources:
        check_classes(model, source)
    report = check(*sources, limit=CHECKED_SAMPLES, duplicates=False)
    if check_data:
        report.raise_on_errors()
    weights = class_weights(report.sources[0].pixels, settings.balance)

    per_epoch = steps_per_epoch(train, settings.batch_size)
    if not resume:
        opened = Run(
            Path(run), train.class_names, train.colors, train.void, to_dict(settings), data
        )
        compile_model(model, settings, per_epoch * settings.epochs, weights, train)
        opened.write()

    if augment is None:
        augment = augmentation(settings, train.void)
    learned = cached(train, cache) if cache is not None else train
    step = int(model.optimizer.iterations)
    epoch, done = divmod(step, per_epoch)
    keeper = Keeper(opened, settings, val, per_epoch, epoch)

    def learn(step, epoch, epochs, steps):
        """From `epoch` up to `epochs`, `steps` steps each, on the samples from `step` on."""
        stream = batches(
            learned,
            size=tuple(settings.size),
            batch_size=settings.batch_size,
            augment=augment,
            seed=settings.seed,
            start_step=step,
        )
        model.fit(
            stream,
            initial_epoch=epoch,
            epochs=epochs,
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,
            callbacks=callbacks,
        )

    shown = progress(step, per_epoch * settings.epochs, settings.batch_size)
    callbacks = [keeper, shown, *callbacks]  # the keeper first: it adds the validation scores
    with stopping_gently(keeper), naming_bad_files(train), contextlib.closing(shown):
        if done:  # the rest of the epoch in which the run was stopped
            learn(step, epoch, epoch + 1, per_epoch - done)
            step, epoch = step + per_epoch - done, epoch + 1
        if epoch < settings.epochs and not keeper.stopped:
            learn(step, epoch, settings.epochs, per_epoch)
    if keeper.stopped:
        raise KeyboardInterrupt
    return model


def augmentation(settings, void):
    """The transforms of training, by the settings."""
    from kseg.data import transforms

    j = settings.jitter
    return [
        transforms.random_scale_crop(tuple(settings.size), tuple(settings.scale), void),
        transforms.random_flip(),
        transforms.color_jitter(j, j, j),
    ]


def compile_model(model, settings, steps, class_weight, source):
    """AdamW with warm-up and cosine decay; weighted cross-entropy + Dice; mean IoU."""
    warmup = int(settings.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else settings.learning_rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    channels = model.outputs[0].shape[-1]
    cross_entropy = CrossEntropyLoss(ignore_class=source.void, class_weight=class_weight)
    loss = cross_entropy
    if settings.dice:
        loss = cross_entropy + settings.dice * DiceLoss(ignore_class=source.void)
    metric = MeanIoU(
        channels,
        ignore_class=source.void,
        class_names=source.class_names,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric])


def to_dict(settings):
    return dataclasses.asdict(settings)


def from_dict(values):
    known = {field.name for field in dataclasses.fields(Settings)}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    return Settings(**values)


class Keeper(keras.callbacks.Callback):
    """Validates, keeps history and checkpoints, and stops on request or when the loss breaks."""

    def __init__(self, run, settings, val, per_epoch, first_epoch):
        super().__init__()
        self.run, self.settings, self.val, self.per_epoch = run, settings, val, per_epoch
        self.rows = [row for row in run.history() if row["epoch"] <= first_epoch]
        scored = [row["val_mean_iou"] for row in self.rows if "val_mean_iou" in row]
        self.best = max(scored, default=-1.0)
        self.stop_requested = self.stopped = False
        self.step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        self.steps_done = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps_done += 1
        self.step += 1
        if not np.isfinite(logs["loss"]):
            raise ValueError(
                f"The loss became {logs['loss']} at step {self.step} of this start. A label may "
                "be outside the class list, or the learning rate too high: run `kseg check` on "
                "the data or lower learning_rate. The last checkpoint is kept."
            )
        if self.stop_requested:
            self.stopped = True
            self.model.stop_training = True
        if self.stop_requested or self.step % self.settings.checkpoint_steps == 0:
            self.save("last")

    def on_epoch_end(self, epoch, logs=None):
        if self.stopped:
            return
        seconds = time.perf_counter() - self.started
        row = {
            "epoch": epoch + 1,
            "step": int(self.model.optimizer.iterations),
            "loss": logs["loss"],
            "mean_iou": logs["mean_iou"],
            "images_per_second": self.steps_done * self.settings.batch_size / seconds,
        }
        last = epoch + 1 == self.settings.epochs
        if self.val is not None and ((epoch + 1) % self.settings.validate_epochs == 0 or last):
            scores = evaluate(self.model, self.val, batch_size=self.settings.batch_size)
            row["val_mean_iou"] = logs["val_mean_iou"] = scores["mean_iou"]
            row["val_pixel_accuracy"] = scores["pixel_accuracy"]
        self.rows.append(row)
        self.run.write_history(self.rows)
        if row.get("val_mean_iou", -1.0) > self.best:
            self.best = row["val_mean_iou"]
            self.save("best")
        self.save("last")

    def save(self, name):
        save_model(self.model, self.run.path / f"{name}.keras")


@contextlib.contextmanager
def stopping_gently(keeper):
    """Within it, the first Ctrl-C or SIGTERM lets the step in flight end; the second interrupts."""

    def request(number, frame):
        if keeper.stop_requested:
            raise KeyboardInterrupt
        keeper.stop_requested = True

    previous = {}
    if threading.current_thread() is threading.main_thread():  # only there are signals delivered
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, request)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

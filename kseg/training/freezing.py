"""An encoder that stays as it is for the first epochs, and then learns with the rest."""

from kseg.base.arguments import refused
from kseg.base.words import say
from kseg.models.graph import layers_of
from kseg.models.parts import encoder_of


def check(model, settings):
    """Raises `ValueError` if the encoder cannot be frozen and freed as the settings say."""
    if not settings.freeze_epochs:
        return
    encoder = encoder_of(model)
    if encoder is None:
        expected = "0, for this network has no encoder of its own"
        raise refused("freeze_epochs", settings.freeze_epochs, expected, "Leave it out.")
    if not all(each.trainable for each in layers_of(encoder)):
        expected = "0, for the network is built with a frozen encoder"
        raise refused("freeze_epochs", settings.freeze_epochs, expected, "Leave out freeze=.")
    if settings.freeze_epochs >= settings.epochs:
        expected = f"fewer than the {settings.epochs} epochs"
        remedy = "To leave the encoder as it is to the end, give freeze=True."
        raise refused("freeze_epochs", settings.freeze_epochs, expected, remedy)


def set_frozen(model, settings, epoch):
    """Freezes the encoder in the first epochs, batch norms and their statistics too; or frees it.

    The model is to be compiled after it.

    Args:
        model: The model.
        settings: `Settings`.
        epoch: Epochs that are over.
    """
    if settings.freeze_epochs:
        encoder_of(model).trainable = epoch >= settings.freeze_epochs


def thaw(model, settings, make_optimizer, compile_again):
    """Frees the encoder in the middle of a training; of the rest the optimizer forgets nothing.

    Args:
        model: The model.
        settings: `Settings`.
        make_optimizer: Function of the model.
        compile_again: Function of a model and its new optimizer, which builds that.
    """
    import keras

    before = {each.path: keras.ops.convert_to_numpy(each) for each in model.optimizer.variables}
    set_frozen(model, settings, settings.freeze_epochs)
    compile_again(model, make_optimizer(model))
    for each in model.optimizer.variables:
        if each.path in before:
            each.assign(before[each.path])
    say(f"the encoder learns from now on, after {settings.freeze_epochs} epochs")

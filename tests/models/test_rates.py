"""Learning rates by part: a step of each optimizer beside one that is worked out by hand."""

import keras
import numpy as np
import pytest
from keras import ops

import kseg
from kseg.models.parts import named_weights
from kseg.models.rates import RATED
from kseg.models.saving import load_model, save_model
from kseg.training.optimizers import optimizer
from kseg.training.settings import Settings

FACTORS, RATE, DECAY = (0.1, 1.0, 3.0), 0.01, 0.05
SHAPES = ((3, 4), (4, 5), (5,))


def beside(kind, rated, steps=5, seed=0, **options):
    """Weights after some steps: with multipliers; and each alone, at the rate times its factor."""
    rng = np.random.default_rng(seed)
    begin = [rng.normal(size=shape).astype("float32") for shape in SHAPES]
    grads = [[rng.normal(size=s).astype("float32") for s in SHAPES] for _ in range(steps)]

    def trained(make, places):
        weights = [keras.Variable(begin[place]) for place in places]
        made = make()
        made.build(weights)
        if len(weights) == len(SHAPES):
            made.exclude_from_weight_decay(var_list=weights[2:])
        for each in grads:
            made.apply([ops.convert_to_tensor(each[place]) for place in places], weights)
        return [ops.convert_to_numpy(each) for each in weights]

    together = trained(lambda: rated(RATE, multipliers=FACTORS, **options), [0, 1, 2])
    undecayed = {name: 0.0 if "decay" in name else each for name, each in options.items()}
    alone = [
        trained(lambda place=place, given=given: kind(RATE * FACTORS[place], **given), [place])[0]
        for place, given in enumerate((options, options, undecayed))
    ]
    return together, alone


@pytest.mark.parametrize("name", RATED)
def test_each_weight_goes_as_it_would_alone_at_its_own_rate(name):
    rated, options = RATED[name], {"weight_decay": DECAY}
    if name == "muon":
        options["adam_weight_decay"] = DECAY
    together, alone = beside(rated.__mro__[2], rated, **options)
    for mine, other in zip(together, alone):
        np.testing.assert_allclose(mine, other, rtol=2e-6, atol=1e-7)


def test_a_step_of_sgd_by_hand():
    weights = [keras.Variable(np.float32([[1.0, 2.0]])), keras.Variable(np.float32([3.0]))]
    made = RATED["sgd"](
        0.5, multipliers=[0.1, 2.0], momentum=0.9, weight_decay=0.2, global_clipnorm=2.5
    )
    made.build(weights)
    grads = [[np.float32([[3.0, 0.0]]), np.float32([4.0])]] * 2  # of norm 5, held to 2.5: halved
    for each in grads:
        made.apply([ops.convert_to_tensor(g) for g in each], weights)
    # first: w <- w (1 - 0.2 * 0.5 * 0.1) = 0.99 w; velocity -0.05 * 1.5 = -0.075
    # second: 0.99 w again; velocity 0.9 * -0.075 - 0.075 = -0.1425
    first = 0.99 * (0.99 * np.array([1.0, 2.0]) + [-0.075, 0]) + [-0.1425, 0]
    np.testing.assert_allclose(ops.convert_to_numpy(weights[0])[0], first, rtol=1e-6)
    # the other: rate 0.5 * 2 = 1; 0.8 w, velocity -2; then 0.8 w, velocity -1.8 - 2 = -3.8
    np.testing.assert_allclose(
        ops.convert_to_numpy(weights[1])[0], 0.8 * (2.4 - 2) - 3.8, rtol=1e-6
    )


def test_the_average_and_gradients_of_several_steps_are_of_the_whole():
    weight, other = (keras.Variable(np.float32([1.0])) for _ in range(2))
    made = RATED["sgd"](
        1.0,
        multipliers=[0.5, 1.0],
        use_ema=True,
        ema_momentum=0.9,
        gradient_accumulation_steps=2,
    )
    made.build([weight, other])
    for grad in (1.0, 3.0, 1.0, 3.0):  # twice 2 in the mean
        made.apply([ops.convert_to_tensor(np.float32([grad]))] * 2, [weight, other])
    weights = [ops.convert_to_numpy(each)[0] for each in (weight, other)]
    assert weights == [1 - 0.5 * 4, 1 - 4]
    # Keras' average begins with the weights after the first update, 0 and -1
    averages = [ops.convert_to_numpy(each)[0] for each in made._model_variables_moving_average]
    np.testing.assert_allclose(averages, [0.1 * -1, 0.9 * -1 + 0.1 * -3], rtol=1e-6)


def tiny(**settings):
    keras.utils.set_random_seed(0)
    image = x = keras.Input((None, None, 3))
    for number in range(5):
        x = keras.layers.Conv2D(2, 3, strides=2, padding="same", name=f"conv{number}")(x)
    model = kseg.build_unet(2, encoder=keras.Model(image, x), logits_stride=4, compile=False)
    asked = Settings(warmup=0.0, schedule="constant", **settings)
    model.compile(optimizer(asked, 10, model), kseg.CrossEntropyLoss())
    return model


@pytest.mark.once("torch")
def test_parts_of_a_network_have_their_factors():
    model = tiny(rates={"encoder": 0.25, "head": 4.0})
    factors = dict(
        zip((each.path for each in model.trainable_weights), model.optimizer.multipliers)
    )
    expected = {
        path: 0.25 if path.startswith("conv") else 4.0 if path.startswith("head/") else 1.0
        for path in factors
    }
    assert factors == expected and sorted(factors.values()) == [0.25] * 10 + [1.0] * 18 + [4.0] * 2


@pytest.mark.once("torch")
def test_a_file_keeps_them(tmp_path):
    model = tiny(rates={"head": 0.5})
    model.optimizer.build(model.trainable_variables)
    save_model(model, tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert type(again.optimizer) is RATED["adamw"]
    assert again.optimizer.multipliers == model.optimizer.multipliers
    assert sorted(set(again.optimizer.multipliers)) == [0.5, 1.0]
    model.trainable = False
    model.get_layer("head").trainable = True
    with pytest.raises(
        ValueError, match="multipliers of 34 weights: expected one for each of the 2"
    ):
        RATED["adamw"](1e-3, multipliers=[1.0] * 34).build(
            model.get_layer("head").trainable_weights
        )


@pytest.mark.once("torch")
def test_weights_are_called_alike_in_the_second_network_that_is_built():
    def built():
        image = keras.Input((8, 8, 3))
        x = keras.layers.Conv2D(2, 3)(keras.layers.Conv2D(2, 3)(image))
        return keras.Model(image, x)

    first, second = (list(named_weights(built())) for _ in range(2))
    assert first == second and len(set(first)) == 4

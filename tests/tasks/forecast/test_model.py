"""The models of forecasters: inputs, outputs, and speed-ups that change nothing."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from tasks.forecast import segments
from tasks.forecast.inputs import window_inputs
from tasks.forecast.model import build_forecaster
from tasks.forecast.options import OPTIONS, checked_options, model_sizes
from tasks.forecast.parts import Parts
from tasks.losses import row_loss

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
RANDOM = np.random.default_rng(0)


def sizes(**options):
    base = dict(horizon=5, context_length=8, units=6, samples=3, segment_length=3)
    return model_sizes(checked_options({**OPTIONS, **base, **options}))


def batch(options, rows=4):
    inputs = {}
    for name, tensor in window_inputs(options).items():
        shape = (rows, *tensor.shape[1:])
        if name == "mask":
            inputs[name] = RANDOM.random(shape) < 0.8
        elif name == "channel":
            inputs[name] = RANDOM.integers(0, options["channels"], shape, "int32")
        else:
            inputs[name] = RANDOM.normal(size=shape).astype("float32")
    inputs["mask"][:, 0] = True
    return inputs


def run(model, inputs):
    """What a model says, without compiling it: a dict of arrays, or an array."""
    found = model(inputs)
    if isinstance(found, dict):
        return {name: ops.convert_to_numpy(x) for name, x in found.items()}
    return ops.convert_to_numpy(found)


def truth(options, rows=4):
    shape = (rows, options["horizon"])
    return {
        "target": RANDOM.normal(size=shape).astype("float32"),
        "target_mask": RANDOM.random(shape) < 0.7,
    }


FULL = dict(
    channels=3,
    static_size=2,
    past_size=1,
    future_size=2,
    frequency="h",
    calendar=["day"],
)


@pytest.mark.parametrize("architecture", ["segment", "direct"])
@pytest.mark.parametrize("head", ["quantiles", "student_t", "mae"])
@pytest.mark.parametrize("extra", [{}, FULL], ids=["values alone", "all inputs"])
def test_models_take_their_inputs(architecture, head, extra):
    options = sizes(architecture=architecture, head=head, **extra)
    model, training = build_forecaster(Parts(options))
    inputs = batch(options)
    for array in run(model, inputs).values():
        assert array.shape[:2] == (4, 5) and np.isfinite(array).all()
    losses = run(training, {**inputs, **truth(options)})
    assert losses.shape == (4,) and np.isfinite(losses).all()


def test_the_autoregressive_model_takes_its_inputs():
    options = sizes(architecture="autoregressive", **{**FULL, "past_size": 0})
    model, training = build_forecaster(Parts(options))
    inputs = batch(options)
    noise = RANDOM.random((4, 3, 5, 2)).astype("float32")
    answer = run(model, {**inputs, "noise": noise})["samples"]
    assert answer.shape == (4, 3, 5) and np.isfinite(answer).all()
    losses = run(training, {**inputs, **truth(options)})
    assert losses.shape == (4,)


def test_the_future_of_past_covariates_is_not_known_when_drawing():
    with pytest.raises(ValueError, match="past covariates are not known"):
        build_forecaster(Parts(sizes(architecture="autoregressive", past_size=1)))


@pytest.mark.parametrize("architecture", ["segment", "direct", "autoregressive"])
def test_both_models_have_the_same_weights(architecture):
    model, training = build_forecaster(Parts(sizes(architecture=architecture)))
    names = [w.path for w in model.weights]
    assert len(set(names)) == len(names)
    assert {id(w) for w in training.weights} == {id(w) for w in model.weights}


LAYERS = ["gru", "ind_rnn", "zoneout_lstm", "min_gru", "min_lstm", "qrnn", "rglru"]


@pytest.mark.parametrize("layer", LAYERS)
def test_any_recurrent_layer_can_be_the_encoder(layer):
    options = sizes(layer=layer)
    assert zoo.layers.get(layer, 4) is not None
    model, _ = build_forecaster(Parts(options))
    found = run(model, batch(options))["quantiles"]
    assert np.isfinite(found).all()


@pytest.mark.parametrize("layer", ["gru", "ind_rnn"])
def test_shared_products_change_no_answer(layer, monkeypatch):
    options = sizes(layer=layer, **FULL)
    model, training = build_forecaster(Parts(options))
    monkeypatch.setattr(segments, "_shared_step", lambda *_: None)
    slow, _ = build_forecaster(Parts(options))
    slow.set_weights(model.get_weights())
    inputs = batch(options)
    found = run(model, inputs)["quantiles"]
    wanted = run(slow, inputs)["quantiles"]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_context_that_is_no_whole_number_of_segments_is_filled_up():
    options = sizes(context_length=7, segment_length=4)
    model, _ = build_forecaster(Parts(options))
    assert run(model, batch(options))["quantiles"].shape == (4, 5, 9)


def test_the_scale_of_a_window_does_not_matter_when_normalised():
    options = sizes(normalization="instance")
    model, training = build_forecaster(Parts(options))
    inputs, target = batch(options), truth(options)
    losses = run(training, {**inputs, **target})
    other = {**inputs, "values": inputs["values"] * 100 + 7}
    moved = {**target, "target": target["target"] * 100 + 7}
    np.testing.assert_allclose(run(training, {**other, **moved}), losses, rtol=1e-3)
    found = run(model, other)["quantiles"]
    wanted = run(model, inputs)["quantiles"] * 100 + 7
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("architecture", ["segment", "direct"])
@pytest.mark.parametrize("segment_length", [2, 3])
def test_copies_of_past_seasons_are_added(architecture, segment_length):
    options = sizes(
        architecture=architecture,
        segment_length=segment_length,
        season=3,
        season_copies=True,
        head="mae",
    )
    model, training = build_forecaster(Parts(options))
    for weight in model.get_layer("head").weights:
        weight.assign(np.zeros(weight.shape))
    inputs = batch(options)
    inputs["mask"][:] = True
    # Untrained weights are all alike: the mean of the last two seasons.
    past = inputs["values"][:, -6:].reshape(4, 2, 3).mean(1)
    wanted = past[:, [0, 1, 2, 0, 1]]
    found = run(model, inputs)["mean"]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    losses = run(training, {**inputs, **truth(options)})
    assert np.isfinite(losses).all()


@pytest.mark.parametrize(
    "wrong", [dict(architecture="autoregressive"), dict(season=9), dict(season=100)]
)
def test_copies_need_a_season_in_the_context(wrong):
    with pytest.raises(ValueError, match="season_copies"):
        sizes(season_copies=True, **wrong)


@pytest.mark.parametrize("architecture", ["segment", "autoregressive"])
def test_compiled_models_say_the_same(architecture):
    options = sizes(architecture=architecture)
    model, training = build_forecaster(Parts(options))
    assert model.jit_compile and training.jit_compile
    inputs = batch(options)
    if architecture == "autoregressive":
        inputs["noise"] = RANDOM.uniform(0.01, 1, (4, 3, 5, 2)).astype("float32")
    for name, wanted in run(model, inputs).items():
        found = model.predict_on_batch(inputs)[name]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_losses_may_be_those_of_the_data():
    inputs, target = batch(sizes()), truth(sizes())
    scaled = {**inputs, "values": inputs["values"] * 10}
    moved = {**target, "target": target["target"] * 10}
    _, training = build_forecaster(Parts(sizes(normalized_loss=False, head="mse")))
    once = run(training, {**inputs, **target})
    np.testing.assert_allclose(
        run(training, {**scaled, **moved}), 100 * once, rtol=1e-3
    )


@pytest.mark.parametrize("gaps", [False, True])
def test_horizons_count_alike(gaps):
    options = sizes(head="mae", loss_horizons=[2, 5])
    given = {**batch(options), **truth(options)}
    mask = np.ones_like(given["target_mask"])
    mask[:, 1] = not gaps
    given["target_mask"] = mask
    model, training = build_forecaster(Parts(options))
    inputs = {name: given[name] for name in ("values", "mask")}
    values, there = given["values"], given["mask"]
    scale = np.array([row[m].std() for row, m in zip(values, there, strict=True)])
    errors = np.abs(run(model, inputs)["mean"] - given["target"]) / scale[:, None]
    near = np.arange(errors.shape[1]) < 2
    weights = mask * (near / 2 + 1 / errors.shape[1])
    wanted = (errors * weights).sum(1) / weights.sum(1)
    np.testing.assert_allclose(run(training, given), wanted, rtol=1e-4)


def test_a_leading_median_is_what_absolute_errors_would_make():
    options = dict(units=5, segment_length=3, dropout=0.0)
    led = sizes(**options, median_leads=True, quantiles=[0.1, 0.5, 0.9])
    models = [build_forecaster(Parts(o)) for o in (led, sizes(**options, head="mae"))]
    (quantiles, training), (points, plain) = models
    names = {w.path.replace("head/median", "head"): w for w in quantiles.weights}
    for weight in points.weights:
        weight.assign(names[weight.path])
    given = {**batch(led), **truth(led)}
    inputs = {name: given[name] for name in ("values", "mask")}
    median = run(quantiles, inputs)["quantiles"][..., 1]
    np.testing.assert_allclose(median, run(points, inputs)["mean"], rtol=1e-5)
    for one in (training, plain):
        # A third of the loss of three quantiles is that of the median.
        factor = 3.0 if one is training else 1.0
        one.compile(keras.optimizers.SGD(0.1 * factor), row_loss)
        one.train_on_batch(given, np.zeros(4, "float32"))
    for weight in points.weights:
        np.testing.assert_allclose(
            ops.convert_to_numpy(weight),
            ops.convert_to_numpy(names[weight.path]),
            rtol=1e-4,
            atol=1e-6,
        )

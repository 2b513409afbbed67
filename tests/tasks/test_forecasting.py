"""The forecaster: what all tasks promise, and what it alone does."""

import keras
import numpy as np
import pytest

import zoo
from tasks.data.series import SeriesSet
from tasks.forecasting import Forecaster
from tests.task_contract import TaskContract, assert_alike, assert_same_weights

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
PERIOD, HORIZON, CONTEXT = 6, 5, 12
TINY = dict(units=12, dropout=0.0, segment_length=3, quantiles=[0.1, 0.5, 0.9])
TRAINING = dict(epochs=20, batch_size=32, learning_rate=0.02, verbose=0)


def waves(count, seed, length=48):
    """Noisy waves of different sizes and levels, as plain lists."""
    random, found = np.random.default_rng(seed), []
    for i in range(count):
        t = np.arange(length + i) + random.integers(PERIOD)
        wave = np.sin(2 * np.pi * t / PERIOD) * random.uniform(1, 5)
        wave += random.uniform(-20, 20) + random.normal(0, 0.05, len(t))
        found.append([round(float(x), 4) for x in wave])
    return found


TRAIN, HELD_OUT = waves(5, 0), waves(8, 1, 30)


def make(horizon=HORIZON, **options):
    keras.utils.set_random_seed(1)
    return Forecaster(horizon, CONTEXT, **{**TINY, **options})


def scaled(data, **options):
    """A forecaster that knows the scale of some data, and has learnt nothing else."""
    forecaster = make(**options)
    forecaster.scaling.fit(SeriesSet.from_any(data))
    return forecaster


@pytest.fixture(scope="module")
def trained():
    forecaster = make()
    forecaster.fit(TRAIN, **TRAINING)
    return forecaster


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    start = make().save(tmp_path_factory.mktemp("forecasting") / "start")
    forecaster = zoo.load(start)
    forecaster.fit(TRAIN, **{**TRAINING, "epochs": 1})
    return start, forecaster


def write_long(path, series):
    lines = ["unique_id,ds,y"]
    for i, values in enumerate(series):
        lines += [f"{i},{t},{value!r}" for t, value in enumerate(values)]
    path.write_text("\n".join(lines), "utf-8")
    return path


class TestForecaster(TaskContract):
    variant = True
    score, enough = "skill", 0.8
    training = TRAINING
    new_head, head = {"quantiles": [0.05, 0.25, 0.5, 0.75, 0.95]}, Forecaster.head
    trained_form = "a file"

    def make(self, **options):
        return make(**options)

    def data(self):
        return TRAIN

    def held_out(self):
        return HELD_OUT

    def data_forms(self, folder):
        path = write_long(folder / "train.csv", TRAIN)
        return {
            "arrays": [np.array(values) for values in TRAIN],
            "columns": [np.array(values)[:, None] for values in TRAIN],
            "a dict": dict(enumerate(TRAIN)),
            "a file": path,
            "the name of a file": str(path),
            "a series set": SeriesSet.from_any(TRAIN),
        }

    def inputs(self):
        lengths = [30, 12, 7, 20, 1, 28, 3]
        pairs = zip(HELD_OUT, lengths, strict=False)
        return [values[:n] for values, n in pairs]

    def prepared(self, task):
        rows = np.array(TRAIN[0][:CONTEXT] * 3, "float32").reshape(3, CONTEXT)
        mask = np.ones(rows.shape, bool)
        mask[1, :5] = mask[2, 4] = False
        return {"values": rows, "mask": mask}

    def test_no_inputs_have_no_answers(self, trained):
        assert len(trained.predict([])) == 0


# === Forecasts ===


def test_forecasts_have_the_shape_of_their_series(trained):
    forecast = trained.predict(HELD_OUT)
    assert forecast.mean.shape == (len(HELD_OUT), HORIZON, 1)
    assert list(forecast.quantiles) == [0.1, 0.5, 0.9]
    assert (forecast.quantiles[0.1] <= forecast.quantiles[0.9]).all()
    assert forecast.samples is None


def test_a_shorter_horizon_is_the_beginning(trained):
    whole, part = trained.predict(HELD_OUT), trained.predict(HELD_OUT, horizon=2)
    np.testing.assert_array_equal(part.mean, whole.mean[:, :2])


@pytest.mark.parametrize("horizon", [0, -1, HORIZON + 1, 2.5, "3"])
def test_other_horizons_are_refused(trained, horizon):
    with pytest.raises(ValueError, match=f"from 1 to {HORIZON}.*{horizon}"):
        trained.predict(HELD_OUT, horizon=horizon)


def test_samples_have_the_quantiles(trained):
    forecast = trained.predict(HELD_OUT, samples=2000, seed=3)
    assert forecast.samples.shape == (2000, len(HELD_OUT), HORIZON, 1)
    below = (forecast.samples <= forecast.quantiles[0.5]).mean()
    assert below == pytest.approx(0.5, abs=0.02)
    again = trained.predict(HELD_OUT, samples=2000, seed=3)
    np.testing.assert_array_equal(again.samples, forecast.samples)


def test_only_the_context_is_looked_at(trained):
    long = trained.predict([HELD_OUT[0]])
    short = trained.predict([HELD_OUT[0][-CONTEXT:]])
    np.testing.assert_allclose(long.mean, short.mean)


def test_missing_values_are_not_as_any_number(trained):
    values = np.array(HELD_OUT[0])
    values[-2] = np.nan
    missing = trained.predict(values).mean
    assert np.isfinite(missing).all()
    for filled in (0.0, np.nanmean(values), values[-3]):
        values[-2] = filled
        assert np.abs(trained.predict(values).mean - missing).max() > 1e-4


def test_series_without_a_recent_value_are_named(trained):
    values = [1.0] * 20 + [np.nan] * CONTEXT
    with pytest.raises(ValueError, match="series '1' has no value among its last 12"):
        trained.predict([HELD_OUT[0], values])


@pytest.mark.parametrize(
    "values", [[5.0], [3.0] * 40, [0.0] * 40, [1e30, -1e30] * 10, [1e-30, 2e-30] * 10]
)
def test_strange_series_have_finite_forecasts(trained, values):
    forecast = trained.predict(values)
    assert np.isfinite(forecast.mean).all()


@pytest.mark.parametrize(
    "values", [[1.0, np.inf], ["a"], np.zeros((1, 2, 3, 4)), None, 3]
)
def test_what_is_no_series_is_refused(trained, values):
    with pytest.raises((ValueError, TypeError)):
        trained.predict(values)


def test_values_too_large_to_compute_with_are_named(trained):
    with pytest.raises(ValueError, match=r"'0' has values of size 1e\+300"):
        trained.predict([1.0, -1e300, 2.0])


@pytest.mark.parametrize(
    "method, arguments",
    [
        ("predict", {"samples": 0}),
        ("predict", {"samples": 2.5}),
        ("predict", {"batch_size": 0}),
        ("evaluate", {"stride": 0}),
        ("evaluate", {"stride": -1}),
        ("evaluate", {"batch_size": 0}),
        ("detect_anomalies", {"batch_size": 0}),
        ("fit", {"batch_size": 0}),
        ("fit", {"windows_per_epoch": 0}),
    ],
)
def test_numbers_out_of_range_are_refused(trained, method, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
        getattr(trained, method)(HELD_OUT, **arguments)


def test_another_number_of_channels_is_refused(trained):
    with pytest.raises(ValueError, match="channels=1; the data have 2"):
        trained.predict(np.zeros((20, 2)))


def test_an_untrained_forecaster_says_so():
    with pytest.raises(ValueError, match="call `fit`"):
        make().predict(HELD_OUT)


# === No value of the future is seen ===


def test_forecasts_do_not_see_what_they_foretell(trained):
    series = SeriesSet.from_any(HELD_OUT[0])
    changed = np.array(HELD_OUT[0])
    changed[20:] = 1000.0
    changed = SeriesSet.from_any(changed)
    origins = [np.array([20])]
    _, mean, _ = trained._forecast_from(series, origins, HORIZON, 8)
    _, other, _ = trained._forecast_from(changed, origins, HORIZON, 8)
    np.testing.assert_array_equal(mean, other)


def test_scoring_leaves_an_untrained_forecaster_unscaled():
    forecaster = make(transform="standard")
    forecaster.evaluate(HELD_OUT)
    assert not forecaster.scaling.fitted


# === The loss ===


def test_missing_targets_have_no_part_in_the_loss(trained):
    rows = np.array(TRAIN[0][:CONTEXT] * 2, "float32").reshape(2, CONTEXT)
    batch = {"values": rows, "mask": np.ones(rows.shape, bool)}
    target = np.array(TRAIN[1][: HORIZON * 2], "float32").reshape(2, HORIZON)
    mask = np.array([[True, False, True, True, False], [False] * 5])
    losses = []
    for filled in (0.0, 1e6):
        truth = np.where(mask, target, np.float32(filled))
        given = {**batch, "target": truth, "target_mask": mask}
        losses.append(trained.training_model.predict_on_batch(given))
    np.testing.assert_array_equal(losses[0], losses[1])
    assert losses[0][0] > 0 and losses[0][1] == 0


def test_values_where_the_context_is_missing_have_no_part(trained):
    rows = np.array(TRAIN[0][:CONTEXT], "float32")[None]
    mask = np.ones(rows.shape, bool)
    mask[0, 3:6] = False
    answers = []
    for filled in (0.0, 1e6, np.nan):
        given = {"values": np.where(mask, rows, np.float32(filled)), "mask": mask}
        answers.append(trained.model.predict_on_batch(given)["quantiles"])
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


# === Data ===


def test_series_of_one_step_are_too_short_to_learn_from():
    with pytest.raises(ValueError, match="'1' has 1 steps; two are needed"):
        make().fit([TRAIN[0], [1.0]], **TRAINING)


def test_series_without_values_are_named():
    with pytest.raises(ValueError, match="'0' has no values"):
        make().fit([[np.nan] * 9], **TRAINING)


def test_sizes_are_read_off_the_data(tmp_path):
    hours = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[h]")
    lines = ["ds,y,rain"] + [f"{t},{i},{i % 3}" for i, t in enumerate(hours)]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    forecaster = Forecaster.for_data(
        tmp_path / "x.csv", horizon=24, future_covariates=["rain"], units=4
    )
    options = forecaster.options
    assert options["season"] == 24 and options["context_length"] == 48
    assert options["frequency"] == "h" and options["calendar"][0] == "day"
    assert options["future_size"] == 1
    assert forecaster.model.input["future"].shape == (None, 72, 8)


def test_another_frequency_is_refused(tmp_path):
    forecaster = make(frequency="h")
    days = np.arange("2024-01-01", "2024-01-20", dtype="datetime64[D]")
    lines = ["ds,y"] + [f"{t},{i}" for i, t in enumerate(days)]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="frequency='h'; the data have 'D'"):
        forecaster.fit(tmp_path / "x.csv", **TRAINING)


def test_arrays_without_times_are_refused_where_a_calendar_needs_them():
    forecaster = make(frequency="h", calendar=["day"])
    with pytest.raises(ValueError, match="data have None. Its calendar needs times"):
        forecaster.fit(TRAIN, **TRAINING)


def test_a_single_row_goes_on_with_a_stream(tmp_path):
    hours = np.arange("2024-01-01T00", "2024-01-02T00", dtype="datetime64[h]")
    lines = [f"{hour},{i % PERIOD}" for i, hour in enumerate(hours)]

    def part(rows):
        (tmp_path / "x.csv").write_text("\n".join(["ds,y", *rows]))
        return tmp_path / "x.csv"

    forecaster = make(frequency="h")
    forecaster.scaling.fit(SeriesSet.from_any(part(lines)))
    forecaster.update(part(lines[:-1]))
    found = forecaster.update(part(lines[-1:])).mean
    wanted = forecaster.predict(part(lines)).mean
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def with_covariates(length, horizon=0):
    """A series that does what its covariates say."""
    random = np.random.default_rng(length)
    known = random.normal(size=(length + horizon, 1))
    return SeriesSet(
        ["a"],
        [3 * known[:length, 0]],
        [np.datetime64("2024-01-01T00")],
        "h",
        static=[[1.0]],
        past=[known[:length] ** 2],
        future=[known],
    )


DIRECT = pytest.param("direct", marks=pytest.mark.slow)


@pytest.mark.parametrize("architecture", ["segment", DIRECT])
def test_what_is_known_of_the_future_is_used(architecture):
    data = with_covariates(300)
    keras.utils.set_random_seed(0)
    forecaster = Forecaster.for_data(
        data,
        4,
        8,
        calendar=["day"],
        architecture=architecture,
        units=16,
        dropout=0.0,
        normalization=None,
        segment_length=4,
        head="mae",
    )
    forecaster.fit(data, epochs=25, batch_size=64, learning_rate=0.02, verbose=0)
    scores = forecaster.evaluate(with_covariates(120))
    assert scores["skill"] > 0.5


def test_covariates_that_end_too_early_are_named():
    data = with_covariates(40)
    forecaster = Forecaster.for_data(data, 4, 8, units=4)
    forecaster.scaling.fit(data)
    with pytest.raises(ValueError, match="series 'a' have 40 steps.*needs 44"):
        forecaster.predict(data)
    assert forecaster.predict(with_covariates(40, 4)).mean.shape == (1, 4, 1)


def write_sales(path, days=40, ahead=14):
    """A file of one's own: two shops that opened on different days."""
    lines = ["shop,day,sold,discount"]
    for shop, first in (("Rome", "2024-01-01"), ("Oslo", "2024-01-09")):
        start = np.datetime64(first)
        for i in range(days + ahead):
            sold = f"{20 + 5 * np.sin(2 * np.pi * i / 7):.2f}" if i < days else ""
            lines.append(f"{shop},{start + i},{sold},{int(i % 5 == 0)}")
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_a_file_of_ones_own_is_all_it_takes(tmp_path, monkeypatch):
    path = write_sales(tmp_path / "sales.csv")
    columns = dict(id="shop", time="day", target="sold")
    forecaster = Forecaster.for_data(
        path, horizon=14, **columns, future_covariates=["discount"], units=4
    )
    assert forecaster.options["frequency"] == "D"
    monkeypatch.setattr(forecaster, "_fit", lambda *_, **__: None)
    forecaster.fit(path)
    forecast = zoo.load(forecaster.save(tmp_path / "saved")).predict(path)
    assert sorted(forecast.ids) == ["Oslo", "Rome"]
    assert forecast.mean.shape == (2, 14, 1) and np.isfinite(forecast.mean).all()
    first = {
        name: str(one.times(0)[0])[:10]
        for name, one in zip(forecast.ids, forecast, strict=True)
    }
    assert first == {"Rome": "2024-02-10", "Oslo": "2024-02-18"}


def test_a_constant_series_is_scored(trained):
    scores = trained.evaluate([[3.0] * 30])
    assert np.isfinite(scores["mse"]) and np.isfinite(scores["skill"])


# === Architectures, heads, transforms ===

KINDS = {
    "direct": dict(architecture="direct", layer="zoneout_lstm"),
    "direct, two layers": dict(architecture="direct", num_layers=2, layer="min_gru"),
    "autoregressive": dict(architecture="autoregressive", head="gaussian"),
    "autoregressive quantiles": dict(architecture="autoregressive", samples=30),
    "ind_rnn": dict(layer="ind_rnn", layer_options={"time_steps": 4}),
    "segments of another length": dict(segment_length=5),
    "gaussian": dict(head="gaussian"),
    "student_t": dict(head="student_t"),
    "points": dict(head="mse"),
    "a leading median": dict(median_leads=True),
    "last value": dict(normalization="last", transform="standard"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_saves(kind, tmp_path):
    forecaster = make(**KINDS[kind])
    forecaster.fit(TRAIN, **{**TRAINING, "epochs": 30})
    assert forecaster.evaluate(HELD_OUT)["skill"] > 0.5
    forecast = forecaster.predict(HELD_OUT, seed=1)
    again = zoo.load(forecaster.save(tmp_path / "saved")).predict(HELD_OUT, seed=1)
    np.testing.assert_allclose(again.mean, forecast.mean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("transform", ["log", "box_cox", "standard"])
def test_transforms_are_undone(transform):
    data = [np.exp(np.array(values) / 20) for values in TRAIN[:2]]
    forecaster, plain = scaled(data, transform=transform), make()
    plain.model.set_weights(forecaster.model.get_weights())
    inside = forecaster.scaling.forth(SeriesSet.from_any(data))
    plain.scaling.fit(SeriesSet.from_any(inside))
    wanted = [forecaster.scaling.back(x) for x in plain.predict(inside).median]
    found = forecaster.predict(data).median
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    assert np.abs(found - plain.predict(inside).median).max() > 0.1


def test_counts_are_foretold_as_counts():
    random = np.random.default_rng(0)
    counts = [random.poisson(5, 40).tolist() for _ in range(3)]
    options = dict(head="negative_binomial", normalization="scale")
    forecaster = scaled(counts, architecture="direct", **options)
    forecast = forecaster.predict(counts)
    upper = forecast.quantiles[0.9]
    np.testing.assert_array_equal(upper, np.round(upper))
    assert (upper >= 0).all() and upper.max() > 0


def test_negative_values_are_no_counts():
    options = dict(head="negative_binomial", normalization="scale")
    forecaster = make(architecture="direct", **options)
    with pytest.raises(ValueError, match="counts; series '1' has -2.0"):
        forecaster.fit([[1, 2, 3] * 9, [1, -2, 3] * 9], **TRAINING)


def test_sizes_may_be_integers_of_any_kind():
    forecaster = Forecaster(np.int64(HORIZON), np.int32(CONTEXT), **TINY)
    assert type(forecaster.options["horizon"]) is int


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(architecture="transformer"), "architecture.*direct.*transformer"),
        (dict(layer="perceptron"), "Unknown layer 'perceptron'"),
        (dict(head="laplace"), "head.*laplace"),
        (dict(normalization="robust"), "normalization.*robust"),
        (dict(transform="square"), "transform.*square"),
        (dict(calendar=["day"]), "needs a `frequency`"),
        (dict(head="negative_binomial"), 'normalization="scale"'),
        (
            dict(
                head="negative_binomial",
                normalization="scale",
                architecture="autoregressive",
            ),
            "does not go with",
        ),
        (dict(median_leads=True, head="mae"), "median_leads.*quantiles"),
        (dict(median_leads=True, quantiles=[0.1, 0.9]), "median_leads.*0.5"),
        (dict(loss_horizons=[2]), "loss_horizons.*whole horizon"),
        (dict(loss_horizons=[0, 4]), "loss_horizons.*from 1"),
        (dict(season=0), "season.*positive integer"),
        (dict(segment_length=0), "segment_length.*positive integer"),
        (dict(static_size=-1), "static_size.*integer from 0"),
        (dict(frequency="fortnight"), "Unknown frequency 'fortnight'"),
        (dict(frequency="h", calendar=["moon"]), "calendar.*moon"),
        (dict(frequency="h", calendar="day"), "calendar.*a list.*'day'"),
        (dict(dropout=1.0), "below 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        make(**options)


def test_channels_are_told_apart():
    values = np.array(TRAIN[0])
    both = np.stack([values, values], -1)
    mean = scaled(both, channels=2, segment_length=4).predict(both).mean[0]
    assert np.abs(mean[:, 0] - mean[:, 1]).min() > 1e-4


# === Training further, streams, scores ===


def test_scaling_stays_when_trained_further(monkeypatch):
    forecaster = make(transform="standard")
    monkeypatch.setattr(forecaster, "_fit", lambda *_, **__: None)
    forecaster.fit(TRAIN[:1])
    before = forecaster.scaling.text()
    forecaster.fit(TRAIN[1:])
    assert forecaster.scaling.fitted and forecaster.scaling.text() == before


def test_training_forgets_a_stream(trained, monkeypatch):
    monkeypatch.setattr(trained, "_fit", lambda *_, **__: None)
    trained.update(HELD_OUT[0][:5])
    trained.fit(TRAIN)
    again = trained.update(HELD_OUT[0])
    np.testing.assert_array_equal(again.mean, trained.predict(HELD_OUT[0]).mean)
    trained.restart()


def test_a_stream_forecasts_as_all_its_rows_at_once(trained):
    rows, start = HELD_OUT[3], 0
    trained.restart()
    for stop in (1, 4, 5, 20, len(rows)):
        streamed = trained.update(rows[start:stop])
        start = stop
        whole = trained.predict(rows[:stop])
        np.testing.assert_allclose(streamed.mean, whole.mean, rtol=1e-5)
        np.testing.assert_allclose(streamed.seasonal_naive, whole.seasonal_naive)
    trained.restart()


def test_scores_of_transformed_values_are_those_of_scaled_data():
    forecaster = scaled(TRAIN, transform="standard", head="mae")
    std = forecaster.scaling.parameters["std"][0]
    plain = forecaster.evaluate(HELD_OUT)
    inside = forecaster.evaluate(HELD_OUT, transformed=True)
    assert inside["mae"] == pytest.approx(plain["mae"] / std, rel=1e-4)
    assert inside["mse"] == pytest.approx(plain["mse"] / std**2, rel=1e-4)


def test_a_stride_leaves_windows_out(trained):
    every = trained.evaluate(HELD_OUT[:1])["mae"]
    some = trained.evaluate(HELD_OUT[:1], stride=4)["mae"]
    assert some != every and some == pytest.approx(every, rel=1.0)


def test_anomalies_are_where_they_were_planted(trained):
    values = np.array(HELD_OUT[5])
    spread = values.max() - values.min()
    values[25] += 3 * spread
    found = trained.detect_anomalies(values)
    assert int(np.nanargmax(found.scores[0][:, 0])) == 25
    assert next(iter(found))["time"] == 25
    assert found.flags[0][25, 0] and "anomalies" in str(found)
    assert np.isnan(found.scores[0][:CONTEXT]).all()
    assert len(found.plot().axes) == 2


def test_points_have_no_anomalies():
    with pytest.raises(ValueError, match="quantiles on both sides"):
        scaled(TRAIN[:1], head="mae").detect_anomalies(TRAIN[0])


def test_a_forecaster_loads_with_its_scaling(tmp_path):
    forecaster = scaled(TRAIN, transform="standard")
    again = zoo.load(forecaster.save(tmp_path / "saved"))
    assert again.scaling.text() == forecaster.scaling.text()
    assert_same_weights(again, forecaster)


def test_examples_are_saved_and_repeated(trained, tmp_path):
    trained.show_examples([HELD_OUT[0], HELD_OUT[1][:9]])
    wanted = trained.examples()
    again = zoo.load(trained.save(tmp_path / "saved"))
    trained.show_examples([])
    assert [e["history"] for e in wanted] == [HELD_OUT[0], HELD_OUT[1][:9]]
    assert_alike(again.examples(), wanted)


def test_examples_may_have_channels():
    both = np.array(TRAIN[:1] * 2).T
    forecaster = scaled(both, channels=2)
    forecaster.show_examples([both.tolist()])
    (example,) = forecaster.examples()
    assert example["history"] == both.tolist()
    assert np.shape(example["mean"]) == (HORIZON, 2)

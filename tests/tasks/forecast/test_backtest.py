"""Backtests: nothing of the future is handed over, and scores are what they seem."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

from tasks.data.series import SeriesSet
from tasks.forecast.backtest import backtest, known_at
from tasks.metrics import forecasts as metrics

HORIZON, SEASON = 4, 3


def series_set(lengths=(30, 41), channels=2, **parts):
    """Series whose values tell their place: 1000 by series, 1 by step."""
    values = [
        1000.0 * (i + 1) + np.arange(n)[:, None] + 0.1 * np.arange(channels)
        for i, n in enumerate(lengths)
    ]
    ids = [f"s{i}" for i in range(len(lengths))]
    return SeriesSet(ids, values, [0] * len(ids), **parts)


class Spy:
    """Forecasts the last value, and notes all it was given."""

    made = []

    def __init__(self, horizon=HORIZON, season=SEASON, levels=(0.1, 0.5, 0.9)):
        self.options = {"horizon": horizon, "season": season, "levels": levels}
        self.fitted, self.asked, self.arguments = [], [], []
        Spy.made.append(self)

    def fit(self, data, **arguments):
        self.fitted.append(data)
        self.arguments.append(arguments)

    def predict(self, history, horizon=None):
        self.asked.append((history, horizon))
        mean = np.stack([np.repeat(v[-1:], horizon, 0) for v in history.values])
        quantiles = {q: mean + 20 * (q - 0.5) for q in self.options["levels"]}
        return SimpleNamespace(mean=mean, quantiles=quantiles)


@pytest.fixture(autouse=True)
def forget():
    Spy.made = []


def everything(root):
    """All arrays that can be reached from an object, through whatever holds them."""
    seen, pending, arrays = set(), [root], []
    while pending:
        item = pending.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            arrays.append(item)
            pending.append(item.base)
        elif isinstance(item, list | tuple | dict | SeriesSet):
            pending += gc.get_referents(item)
    return arrays


class TestNoLeak:
    """A planted thief gets nothing that comes after the origin."""

    def run(self, refit, windows=3, step=2):
        data = series_set()
        future = [np.arange(len(v) + 9.0)[:, None] for v in data.values]
        past = [1.0 * np.arange(len(v))[:, None] for v in data.values]
        data = series_set(past=past, future=future)
        backtest(Spy(), data, windows=windows, step=step, refit=refit)
        return data

    def spies(self):
        return Spy.made[1:]

    @pytest.mark.parametrize("refit", [True, False, 2])
    def test_predict_is_given_what_came_before_the_origin(self, refit):
        data = self.run(refit)
        asked = [history for spy in self.spies() for history, _ in spy.asked]
        assert len(asked) == 3
        for window, history in enumerate(asked):
            stop = -HORIZON - 2 * (2 - window)
            for i, values in enumerate(history.values):
                assert (values == data.values[i][:stop]).all()
                assert (history.past[i] == data.past[i][:stop]).all()

    @pytest.mark.parametrize("refit", [True, False, 2])
    def test_nothing_that_is_handed_over_leads_to_the_future(self, refit):
        data = self.run(refit)
        handed = []
        for spy in self.spies():
            handed += [(h, h.lengths) for h, _ in spy.asked]
            handed += [(h, h.lengths) for h in spy.fitted]
        for history, lengths in handed:
            arrays = everything(history)
            assert len(arrays) >= 3 * len(lengths)
            for array in arrays:
                assert not any(np.shares_memory(array, v) for v in data.values)
                if array.size and array.max() >= 1000:  # values, not covariates
                    i = int(array.max() // 1000) - 1
                    last = 1000 * (i + 1) + lengths[i] - 1
                    assert array.max() < last + 1

    def test_a_thief_who_goes_up_to_the_base_gets_nothing(self):
        data = series_set(lengths=(30,), channels=1)

        class Thief(Spy):
            def predict(self, history, horizon=None):
                whole = history.values[0]
                while whole.base is not None:
                    whole = whole.base
                stolen = whole.reshape(-1)[len(history.values[0]) :]
                assert not stolen.size
                return super().predict(history, horizon)

        backtest(Thief(), data)

    def test_the_same_thief_succeeds_on_a_plain_slice(self):
        # So the test above can fail: slices are views.
        history = series_set(lengths=(30,), channels=1).slice(None, -HORIZON)
        assert history.values[0].base.size == 30

    def test_known_covariates_end_with_the_horizon(self):
        self.run(True)
        for spy in self.spies():
            for history in spy.fitted:
                assert [len(a) for a in history.future] == history.lengths
            for history, horizon in spy.asked:
                expected = [n + horizon for n in history.lengths]
                assert [len(a) for a in history.future] == expected

    def test_training_ends_at_the_first_origin_without_refit(self):
        data = self.run(False)
        (spy,) = self.spies()
        (train,) = spy.fitted
        assert train.lengths == [n - HORIZON - 4 for n in data.lengths]

    def test_training_ends_at_each_origin_with_refit(self):
        data = self.run(True)
        for window, spy in enumerate(self.spies()):
            (train,) = spy.fitted
            behind = HORIZON + 2 * (2 - window)
            assert train.lengths == [n - behind for n in data.lengths]

    def test_weights_that_saw_the_future_are_not_used(self):
        given = Spy()
        backtest(given, series_set(), refit=False)
        assert not given.asked and not given.fitted
        (fresh,) = Spy.made[1:]
        assert fresh.options == given.options

    def test_what_a_model_does_to_its_data_does_not_matter(self):
        class Vandal(Spy):
            def predict(self, history, horizon=None):
                found = super().predict(history, horizon)
                for values in history.values:
                    values[:] = 7
                return found

        data = series_set()
        spoiled = backtest(Vandal(), data).table()
        sound = backtest(Spy(), series_set()).table()
        for name, scores in sound.items():
            for score, value in scores.items():
                if score != "seconds":
                    assert spoiled[name][score] == value


class TestRefit:
    @pytest.mark.parametrize(
        ("refit", "trainings"), [(False, 1), (True, 5), (1, 5), (2, 3), (4, 2), (9, 1)]
    )
    def test_trainings(self, refit, trainings):
        backtest(Spy(), series_set(), windows=5, refit=refit)
        assert sum(len(spy.fitted) for spy in Spy.made) == trainings
        assert sum(len(spy.asked) for spy in Spy.made) == 5

    def test_never_takes_it_as_it_is(self):
        spy = Spy()
        backtest(spy, series_set(), windows=2, refit="never")
        assert Spy.made == [spy]
        assert not spy.fitted and len(spy.asked) == 2

    def test_arguments_of_fit_are_passed_on(self):
        backtest(Spy(), series_set(), fit={"epochs": 3, "seed": 5})
        assert Spy.made[1].arguments == [{"epochs": 3, "seed": 5}]

    @pytest.mark.parametrize("refit", [0, -1, "always", None, 1.5])
    def test_others_are_refused(self, refit):
        with pytest.raises(ValueError, match="`refit` must be True, False"):
            backtest(Spy(), series_set(), refit=refit)


class TestResult:
    def test_what_came_is_what_came(self):
        data = series_set()
        found = backtest(Spy(), data, windows=2, step=3)
        assert found.actual.shape == (2, 2, HORIZON, 2)
        assert (found.actual[1, 0] == data.values[0][-4:]).all()
        assert (found.actual[0, 1] == data.values[1][-7:-3]).all()
        assert found.origins(0).tolist() == [23, 26]

    def test_the_scores_are_those_of_the_metrics(self):
        found = backtest(Spy(), series_set(), windows=2)
        actual = found.actual.reshape(4, HORIZON, 2)
        mean = found.forecasts["forecaster"].mean.reshape(4, HORIZON, 2)
        # A line of slope 1: the last value is wrong by 1, 2, 3, 4.
        assert np.unique((actual - mean).round(9)).tolist() == [1, 2, 3, 4]
        scores = found.table()["forecaster"]
        assert scores["mae"] == pytest.approx(2.5)
        assert scores["mase"] == pytest.approx(2.5 / SEASON)
        assert scores["rmse"] == pytest.approx(np.sqrt(7.5))
        assert scores["smape"] == pytest.approx(metrics.smape(actual, mean))
        assert scores["coverage"] == 1.0
        levels = (0.1, 0.5, 0.9)
        quantiles = {q: mean + 20 * (q - 0.5) for q in levels}
        wql = metrics.weighted_quantile_loss(actual, quantiles)
        assert scores["wql"] == pytest.approx(wql)

    def test_drift_is_right_about_a_line(self):
        found = backtest(Spy(), series_set())
        assert found.table()["drift"]["mae"] == pytest.approx(0, abs=1e-9)

    def test_baselines_have_the_levels_of_the_forecaster(self):
        found = backtest(Spy(levels=(0.2, 0.8)), series_set())
        assert {f.levels for f in found.forecasts.values()} == {(0.2, 0.8)}

    def test_a_forecaster_of_points_has_no_intervals_but_baselines_do(self):
        found = backtest(Spy(levels=()), series_set())
        table = found.table()
        assert "wql" not in table["forecaster"]
        assert "coverage" in table["drift"]
        assert "–" in str(found)

    def test_one_origin_and_one_step(self):
        found = backtest(Spy(), series_set(), windows=2)
        assert found.scores("forecaster", step=0)["mae"] == pytest.approx(1)
        assert found.scores("forecaster", step=3)["mae"] == pytest.approx(4)
        assert found.scores("forecaster", window=1)["mae"] == pytest.approx(2.5)

    def test_missing_values_are_not_counted(self):
        data = series_set()
        data.values[0][-1] = np.nan
        found = backtest(Spy(), data, windows=1)
        # Errors 1, 2, 3 of one series, 1 to 4 of the other one.
        assert found.table()["forecaster"]["mae"] == pytest.approx(16 / 7)

    def test_several_forecasters_stand_beside_each_other(self):
        found = backtest({"a": Spy(), "b": Spy(levels=())}, series_set())
        assert list(found.forecasts) == ["a", "b", "seasonal_naive", "drift"]

    def test_unknown_models_are_told_the_known_ones(self):
        with pytest.raises(ValueError, match="No model 'x'.*drift"):
            backtest(Spy(), series_set()).scores("x")

    def test_it_prints_a_table(self):
        lines = str(backtest(Spy(), series_set(), windows=2)).splitlines()
        assert lines[0] == "Backtest: 2 series, 2 origins, 4 steps each, season of 3"
        names = ["mase", "smape", "rmse", "mae", "wql", "coverage", "seconds"]
        assert lines[1].split() == names
        models = [line.split()[0] for line in lines[2:5]]
        assert models == ["forecaster", "seasonal_naive", "drift"]
        assert len({len(line) for line in lines[1:5]}) == 1
        assert "80 %" in lines[5]

    def test_columns_have_a_row_for_every_value(self):
        data = series_set()
        found = backtest(Spy(), data, windows=2, step=3)
        columns = found.to_columns()
        assert {len(x) for x in columns.values()} == {3 * 2 * 2 * HORIZON * 2}
        cells = zip(*columns.values(), strict=True)
        rows = [dict(zip(columns, row, strict=True)) for row in cells]
        for row in rows:
            series, channel = int(row["unique_id"][1]), int(row["channel"])
            assert row["y"] == data.values[series][row["ds"], channel]
            assert row["ds"] == row["origin"] + row["step"] - 1
        last = [r for r in rows if r["model"] == "forecaster" and r["step"] == 4]
        assert {round(row["y"] - row["mean"], 6) for row in last} == {4}
        assert {round(row["q0.9"] - row["mean"], 6) for row in last} == {8}

    def test_columns_know_the_time(self):
        start = np.datetime64("2024-01-01T00:00:00")
        values = [np.arange(60.0)]
        data = SeriesSet(["a"], values, [start], frequency="h")
        found = backtest(Spy(), data, windows=1)
        columns = found.to_columns()
        assert columns["ds"][0] == start + np.timedelta64(56, "h")

    def test_frames(self):
        pandas = pytest.importorskip("pandas")
        frame = backtest(Spy(), series_set(), windows=1).to_frame()
        assert isinstance(frame, pandas.DataFrame)
        assert set(frame["model"]) == {"forecaster", "seasonal_naive", "drift"}

    @pytest.mark.parametrize("by", ["step", "window"])
    def test_plots(self, by, tmp_path):
        found = backtest(Spy(), series_set(), windows=2)
        figure = found.plot("mae", by)
        (axes,) = figure.axes
        lines = {line.get_label().split(",")[0]: line for line in axes.lines}
        assert set(lines) == set(found.forecasts)
        drawn = list(lines["forecaster"].get_ydata())
        expected = {"step": [1, 2, 3, 4], "window": [2.5, 2.5]}[by]
        assert drawn == pytest.approx(expected)
        figure.savefig(tmp_path / "backtest.png")

    def test_plots_of_what_is_not_there(self):
        found = backtest(Spy(), series_set())
        with pytest.raises(ValueError, match="No model has the score 'mse'.*mase"):
            found.plot("mse")
        with pytest.raises(ValueError, match="`by` must be one of"):
            found.plot(by="series")


class TestArguments:
    @pytest.mark.parametrize("name", ["windows", "step", "horizon", "season"])
    @pytest.mark.parametrize("value", [0, -1, 1.5, True])
    def test_numbers_are_positive_integers(self, name, value):
        with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
            backtest(Spy(), series_set(), **{name: value})

    def test_a_series_that_is_too_short_is_named(self):
        with pytest.raises(ValueError, match="Series 's1' has 13 steps.* need 14 or"):
            backtest(Spy(), series_set((14, 13)))

    def test_the_shortest_series_will_do(self):
        backtest(Spy(), series_set((14, 14)))

    def test_no_series_at_all(self):
        with pytest.raises(ValueError, match="no series to backtest"):
            backtest(Spy(), SeriesSet([], [], []))

    def test_unknown_baselines_are_told_the_known_ones(self):
        with pytest.raises(ValueError, match="Unknown baseline 'theta'.*auto_ets"):
            backtest(Spy(), series_set(), baselines=["theta"])

    def test_a_name_is_used_once(self):
        with pytest.raises(ValueError, match="may not be called 'drift'"):
            backtest({"drift": Spy()}, series_set())

    def test_one_baseline_needs_no_list(self):
        found = backtest(Spy(), series_set(), baselines="drift")
        assert list(found.forecasts) == ["forecaster", "drift"]

    def test_baselines_can_be_left_out(self):
        found = backtest(Spy(), series_set(), baselines=())
        assert list(found.forecasts) == ["forecaster"]

    def test_the_shape_of_forecasts_is_checked(self):
        class Wrong(Spy):
            def predict(self, history, horizon=None):
                found = super().predict(history, horizon)
                return SimpleNamespace(mean=found.mean[:, 1:], quantiles={})

        with pytest.raises(ValueError, match=r"shape \(2, 4, 2\); got \(2, 3, 2\)"):
            backtest(Wrong(), series_set())

    def test_a_forecast_that_is_no_number_is_refused(self):
        class Broken(Spy):
            def predict(self, history, horizon=None):
                found = super().predict(history, horizon)
                found.mean[0, 0] = np.nan
                return found

        with pytest.raises(ValueError, match="Forecast nan at"):
            backtest(Broken(), series_set()).table()

    def test_arrays_are_read(self):
        found = backtest(Spy(), np.arange(40.0), windows=1)
        assert found.actual[0, 0, :, 0].tolist() == [36, 37, 38, 39]

    def test_the_season_is_that_of_the_frequency(self):
        start = np.datetime64("2024-01-01T00:00:00")
        data = SeriesSet(["a"], [np.arange(99.0)], [start], frequency="h")
        assert backtest(Spy(season=1), data).season == 24
        assert backtest(Spy(), data).season == SEASON
        assert backtest(Spy(), data, season=2).season == 2


def test_what_is_known_keeps_the_rest():
    data = series_set(frequency=None, static=[[1.0], [2.0]], names=["a", "b"])
    known = known_at(data, -5, 2)
    assert known.ids == data.ids and known.names == ["a", "b"]
    assert known.static.tolist() == [[1.0], [2.0]]
    assert not np.shares_memory(known.static, data.static)


@pytest.mark.slow
def test_a_forecaster_of_ours_is_backtested():
    from tasks.forecasting import Forecaster

    hours = np.arange(120)
    random = np.random.default_rng(0)
    values = 10 + np.sin(hours * np.pi / 3)[:, None] + random.normal(0, 0.1, (120, 2))
    forecaster = Forecaster(6, 12, channels=2, units=4, season=6, layer="ind_rnn")
    before = [w.copy() for w in forecaster.model.get_weights()]
    fit = {"epochs": 2, "verbose": 0}
    found = backtest(forecaster, values, windows=2, fit=fit, refit=True)
    assert found.forecasts["forecaster"].mean.shape == (2, 1, 6, 2)
    assert found.forecasts["forecaster"].levels == found.forecasts["drift"].levels
    assert "forecaster" in str(found)
    after = forecaster.model.get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))

"""Methods to measure others against, by name."""

import builtins

import numpy as np
import pytest

from tasks.data.series import SeriesSet
from tasks.forecast import naive
from tasks.forecast.baselines import BASELINES, NAIVE, baseline_forecast, check_baseline

CLASSICAL = [name for name in BASELINES if name not in NAIVE]


def two_series(channels=2):
    time = np.arange(36)[:, None]
    random = np.random.default_rng(0)
    values = [
        10 + 3 * np.sin(2 * np.pi * time / 6) + random.normal(0, 0.3, (36, channels)),
        20 + 0.5 * time[:30] + random.normal(0, 0.3, (30, channels)),
    ]
    return SeriesSet(["season", "trend"], values, [0, 0])


@pytest.mark.parametrize("name", NAIVE)
def test_naive_ones_are_those_of_naive(name):
    history = two_series()
    mean, quantiles = baseline_forecast(name, history, 4, 6, (0.1, 0.9))
    expected = naive.naive_quantiles(name, history.values, 4, 6, (0.1, 0.9))
    assert (mean == expected[0]).all()
    assert (quantiles[0.9] == expected[1][0.9]).all()


@pytest.fixture
def statsforecast():
    return pytest.importorskip("statsforecast")


@pytest.mark.parametrize("name", CLASSICAL)
class TestClassical:
    def test_it_is_what_statsforecast_says_of_each_channel(self, name, statsforecast):
        from statsforecast import models

        history = two_series()
        levels = (0.05, 0.5, 0.9)
        mean, quantiles = baseline_forecast(name, history, 4, 6, levels)
        assert mean.shape == quantiles[0.9].shape == (2, 4, 2)
        model = {"auto_ets": models.AutoETS, "auto_arima": models.AutoARIMA}[name]
        y = history.values[1][:, 1].copy()
        answer = model(season_length=6).forecast(y=y, h=4, level=[80, 90])
        assert mean[1, :, 1] == pytest.approx(np.asarray(answer["mean"]))
        low = np.asarray(answer["lo-90"])
        assert quantiles[0.05][1, :, 1] == pytest.approx(low)
        high = np.asarray(answer["hi-80"])
        assert quantiles[0.9][1, :, 1] == pytest.approx(high)
        assert (quantiles[0.5] == mean).all()

    def test_it_needs_no_levels(self, name, statsforecast):
        mean, quantiles = baseline_forecast(name, two_series(1), 4, 6)
        assert mean.shape == (2, 4, 1) and quantiles == {}

    def test_missing_values_are_refused(self, name, statsforecast):
        history = two_series()
        history.values[1][3] = np.nan
        with pytest.raises(ValueError, match="series 'trend' has 2"):
            baseline_forecast(name, history, 4)

    def test_without_statsforecast_one_line_says_how_to_get_it(self, name, monkeypatch):
        real = builtins.__import__

        def missing(module, *args, **kwargs):
            if module.startswith("statsforecast"):
                raise ImportError(module)
            return real(module, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", missing)
        with pytest.raises(ImportError, match="pip install statsforecast") as caught:
            check_baseline(name)
        assert "\n" not in str(caught.value)


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(ValueError, match="Unknown baseline 'arima'.*auto_arima"):
        baseline_forecast("arima", two_series(), 4)

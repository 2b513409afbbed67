"""Forecasts as answers: what they hold, print, plot and export."""

import json

import numpy as np
import pytest

from tasks.data.series import SeriesSet
from tasks.forecast.result import Forecast

RANDOM = np.random.default_rng(0)
LEVELS = (0.1, 0.5, 0.9)


def make(count=3, channels=1, horizon=4, levels=LEVELS, frequency="h", steps=20):
    start = np.datetime64("2024-01-01T00") if frequency else 0
    history = SeriesSet(
        [f"shop {i}" for i in range(count)],
        [RANDOM.normal(10, 1, (steps + i, channels)) for i in range(count)],
        [start] * count,
        frequency,
    )
    mean = RANDOM.normal(10, 1, (count, horizon, channels))
    quantiles = {q: mean + 4 * (q - 0.5) for q in levels}
    return Forecast(history, mean, quantiles, mean[None] + np.zeros((5, 1, 1, 1)), 6)


def test_items_are_forecasts_of_one_series():
    forecast = make()
    assert len(forecast) == 3 == len(list(forecast))
    one = forecast[1]
    assert one.ids == ["shop 1"] and len(one) == 1
    np.testing.assert_array_equal(one.mean[0], forecast.mean[1])
    np.testing.assert_array_equal(one.quantiles[0.9][0], forecast.quantiles[0.9][1])
    assert one.samples.shape == (5, 1, 4, 1)
    assert forecast[-1].ids == ["shop 2"] and len(forecast[:2]) == 2


def test_an_item_that_is_not_there_is_an_error():
    with pytest.raises(IndexError):
        make()[3]


def test_times_follow_the_history():
    times = make().times(1)
    assert times[0] == np.datetime64("2024-01-01T21")
    assert make(frequency=None).times(0).tolist() == [20, 21, 22, 23]


def test_seasonal_naive_repeats_the_last_season():
    forecast = make()
    history = forecast.history.values[2]
    np.testing.assert_array_equal(forecast.seasonal_naive[2], history[-6:-2])


def test_intervals_lie_between_their_quantiles():
    forecast = make()
    low, high = forecast.interval(0.8)
    np.testing.assert_array_equal(low, forecast.quantiles[0.1])
    np.testing.assert_array_equal(high, forecast.quantiles[0.9])


def test_intervals_that_are_not_there_name_those_that_are():
    with pytest.raises(ValueError, match="0.025.*0.1, 0.5, 0.9"):
        make().interval(0.95)


def test_quantiles_are_kept_in_their_order():
    forecast = make(levels=(0.9, 0.1, 0.5))
    assert list(forecast.quantiles) == [0.1, 0.5, 0.9]


def test_a_dict_of_it_is_plain():
    one = json.loads(json.dumps(make()[0].to_dict()))
    assert one["times"][0] == "2024-01-01T20:00:00"
    assert len(one["mean"]) == 4 and list(one["quantiles"]) == ["0.1", "0.5", "0.9"]
    assert len(json.loads(json.dumps(make().to_dict()))["series"]) == 3


def test_columns_have_a_row_for_each_step():
    forecast = make(channels=2)
    columns = forecast.to_columns()
    assert list(columns)[:4] == ["unique_id", "ds", "0", "0-q0.1"]
    assert {len(column) for column in columns.values()} == {12}
    np.testing.assert_array_equal(columns["1"][4:8], forecast.mean[1, :, 1])
    assert columns["unique_id"][4:8].tolist() == ["shop 1"] * 4


def test_a_single_channel_is_called_as_in_long_frames():
    assert list(make().to_columns())[2:4] == ["y", "y-q0.1"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_read_again(library):
    pytest.importorskip(library)
    forecast = make()
    series = SeriesSet.from_any(forecast.to_frame(library))
    assert series.ids == forecast.ids and series.frequency == "h"
    np.testing.assert_allclose(series.values[1], forecast.mean[1])


def test_one_series_prints_its_steps():
    text = str(make()[0])
    assert "shop 0" in text and "2024-01-01T20:00:00" in text and "[" in text
    assert "interval of 80 %" in text


def test_many_series_print_the_first_ones():
    text = str(make(count=30, horizon=12))
    assert text.startswith("30 series, 12 steps of h") and "... 22 more series" in text


def test_points_print_without_intervals():
    text = str(make(levels=()))
    assert "[" not in text and "interval" not in text


def test_nothing_prints():
    history = SeriesSet([], [], [])
    assert str(Forecast(history, np.zeros((0, 3, 1)))) == "(no series)"


def test_plots_show_history_intervals_and_seasonal_naive():
    pytest.importorskip("matplotlib")
    figure = make(channels=2).plot("shop 1", channel=1)
    (axes,) = figure.axes
    assert len(axes.lines) == 3 and len(axes.collections) == 1
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["history", "interval of 80 %", "seasonal naive", "forecast"]


@pytest.mark.parametrize("frequency", ["min", "h", "D", "MS", None])
def test_dates_below_plots_do_not_overlap(frequency):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = make(horizon=48, frequency=frequency, steps=216).plot()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = figure.axes[0].get_xticklabels()
    boxes = [x.get_window_extent(canvas.get_renderer()) for x in labels if x.get_text()]
    boxes.sort(key=lambda box: box.x0)
    assert len(boxes) > 2
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))


@pytest.mark.parametrize("options", [{"series": "x"}, {"series": 9}, {"channel": 4}])
def test_plots_of_what_is_not_there_are_refused(options):
    with pytest.raises(ValueError, match="There is no"):
        make().plot(**options)


def test_plain_values_of_several_series_have_their_ids():
    forecast = make()
    found = forecast.to_dict()["series"]
    assert [one["id"] for one in found] == forecast.ids and len(found) > 1
    assert "id" not in forecast[0].to_dict()


@pytest.mark.parametrize("level", [0, 1, 80])
def test_intervals_have_levels_between_0_and_1(level):
    with pytest.raises(ValueError, match=f"between 0 and 1.*{level}"):
        make().interval(level)


def test_shapes_must_fit():
    forecast = make()
    with pytest.raises(ValueError, match="`mean` must have the shape"):
        Forecast(forecast.history, forecast.mean[0])
    with pytest.raises(ValueError, match=r"Quantile 0.5 must"):
        Forecast(forecast.history, forecast.mean, {0.5: forecast.mean[:, :2]})
    with pytest.raises(ValueError, match="`samples` must"):
        Forecast(forecast.history, forecast.mean, samples=forecast.mean)

"""Steps of time: parsed, counted, and found in time stamps."""

import numpy as np
import pytest

from tasks.data.frequency import Frequency, infer_frequency


def stamps(*texts):
    return np.array(texts, "datetime64[s]")


@pytest.mark.parametrize(
    "text, count, unit",
    [
        ("h", 1, "h"),
        ("15min", 15, "min"),
        ("H", 1, "h"),
        ("M", 1, "ME"),
        ("2W", 2, "W"),
    ],
)
def test_texts_are_parsed(text, count, unit):
    assert Frequency.parse(text) == Frequency(count, unit)


@pytest.mark.parametrize("text", ["", "0h", "fortnight", "-1h", "1.5h", "5"])
def test_no_frequencies_are_refused(text):
    with pytest.raises(ValueError, match="Unknown frequency"):
        Frequency.parse(text)


@pytest.mark.parametrize("text", ["h", "15min", "D", "MS", "2QE", "YS"])
def test_parsing_undoes_writing(text):
    assert str(Frequency.parse(text)) == text


@pytest.mark.parametrize(
    "text, season",
    [("h", 24), ("15min", 96), ("D", 7), ("MS", 12), ("QS", 4), ("YS", 1), ("7h", 1)],
)
def test_the_season_is_a_day_a_week_or_a_year(text, season):
    assert Frequency.parse(text).season == season


@pytest.mark.parametrize(
    "text, start",
    [
        ("h", "2024-02-28T22:00"),
        ("30min", "2024-02-28T22:30"),
        ("W", "2024-02-28"),
        ("MS", "2023-11-01"),
        ("ME", "2023-11-30"),
        ("QE", "2023-12-31"),
        ("2YS", "2020-01-01"),
    ],
)
def test_times_are_found_again(text, start):
    frequency = Frequency.parse(text)
    times = frequency.times(np.datetime64(start), 30)
    assert (frequency.positions(times, times[0]) == np.arange(30)).all()
    assert infer_frequency([times]) == frequency


def test_month_ends_follow_the_length_of_months():
    times = Frequency.parse("ME").times(np.datetime64("2024-01-31T06:00"), 3)
    assert (
        times == stamps("2024-01-31T06:00", "2024-02-29T06:00", "2024-03-31T06:00")
    ).all()


def test_gaps_do_not_hide_the_step():
    times = stamps("2024-01-01T00:00", "2024-01-01T02:00", "2024-01-01T05:00")
    assert str(infer_frequency([times])) == "h"


def test_weekdays_are_days_with_gaps():
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    assert str(infer_frequency([days[np.is_busday(days)]])) == "D"


def test_series_share_one_step():
    first = stamps("2024-01-01T00:00", "2024-01-01T02:00")
    second = stamps("2024-01-01T00:00", "2024-01-01T03:00")
    assert str(infer_frequency([first, second])) == "h"


@pytest.mark.parametrize("day", ["15", "28"])
def test_months_may_be_counted_from_any_day(day):
    months = np.arange("2024-01", "2024-12", dtype="datetime64[M]").astype(str)
    times = stamps(*(f"{month}-{day}" for month in months))
    found = infer_frequency([times])
    assert str(found) == "MS" and (found.times(times[0], 11) == times).all()


def test_each_series_may_have_a_day_of_its_own():
    first, second = ("2024-01-15", "2024-02-15"), ("2024-01-02", "2024-03-02")
    assert str(infer_frequency([stamps(*first), stamps(*second)])) == "MS"


def test_four_weeks_are_no_month():
    times = stamps("2024-01-15", "2024-02-12", "2024-03-11")
    assert str(infer_frequency([times])) == "4W"


def test_months_with_a_gap():
    times = stamps("2024-01-01", "2024-02-01", "2024-05-01")
    assert str(infer_frequency([times])) == "MS"


def test_irregular_times_are_refused():
    times = stamps("2024-01-01T00:00:00", "2024-01-01T01:00:07", "2024-01-01T02:00:01")
    with pytest.raises(ValueError, match="no common step"):
        infer_frequency([times])


def test_single_times_say_nothing():
    with pytest.raises(ValueError, match="give `frequency`"):
        infer_frequency([stamps("2024-01-01")])


def test_times_between_steps_are_named():
    with pytest.raises(ValueError, match="00:30:00"):
        Frequency.parse("h").positions(
            stamps("2024-01-01T00:30"), np.datetime64("2024-01-01T00:00")
        )


def test_a_wrong_day_of_the_month_is_no_step():
    with pytest.raises(ValueError, match="2024-02-02"):
        Frequency.parse("MS").positions(
            stamps("2024-02-02"), np.datetime64("2024-01-01")
        )

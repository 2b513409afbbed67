"""Columns of times: zones, numbers, and what is no time."""

import numpy as np
import pytest

from tasks.data.times import times_of


def texts(*cells):
    return np.array(cells, object)


def test_texts_without_a_zone_are_what_they_say():
    found = times_of(texts("2024-01-31", "2024-02-01 12:30:00"), "ds")
    wanted = np.array(["2024-01-31", "2024-02-01T12:30"], "datetime64[s]")
    np.testing.assert_array_equal(found, wanted)


def test_slashes_may_stand_where_the_year_comes_first():
    assert times_of(texts("2024/01/31"), "ds")[0] == np.datetime64("2024-01-31")


@pytest.mark.parametrize("cell", ["01/31/2024", "31.01.2024", "soon", "2024-13-01"])
def test_other_texts_are_refused(cell):
    with pytest.raises(ValueError, match="'ds' must hold dates"):
        times_of(texts("2024-01-01", cell), "ds")


@pytest.mark.parametrize("zone", ["+02:00", "+0200", "+02"])
def test_hours_of_a_zone_are_those_of_utc(zone):
    found = times_of(texts(f"2024-06-01T00:00{zone}", f"2024-06-01T01:00{zone}"), "ds")
    assert found[0] == np.datetime64("2024-05-31T22:00")


def test_zones_behind_utc_are_ahead_of_it_in_numbers():
    found = times_of(texts("2024-06-01 20:00-04:30", "2024-06-01 21:00-04:30"), "ds")
    assert found[0] == np.datetime64("2024-06-02T00:30")


def test_days_of_a_zone_are_those_of_its_calendar():
    cells = ("2024-03-30T00:00+01:00", "2024-03-31T00:00+01:00")
    found = times_of(texts(*cells, "2024-04-01T00:00+02:00"), "ds")
    assert found.astype("datetime64[h]").astype(str).tolist() == [
        "2024-03-30T00",
        "2024-03-31T00",
        "2024-04-01T00",
    ]


def test_a_known_frequency_decides_on_the_clock():
    cell = texts("2024-06-01T00:00+02:00")
    assert times_of(cell, "ds", "h")[0] == np.datetime64("2024-05-31T22:00")
    assert times_of(cell, "ds", "MS")[0] == np.datetime64("2024-06-01")


def test_z_is_utc():
    found = times_of(texts("2024-06-01T00:00:00Z", "2024-06-01T01:00:00Z"), "ds")
    assert found[1] == np.datetime64("2024-06-01T01:00")


def test_some_times_with_a_zone_are_not_enough():
    with pytest.raises(ValueError, match="with a time zone and times without"):
        times_of(texts("2024-06-01T00:00Z", "2024-06-01T01:00"), "ds")


@pytest.mark.parametrize(
    "column",
    [
        texts("2024-01-01", ""),
        texts("2024-01-01", None),
        np.array(["2024-01-01", "NaT"], "datetime64[ns]"),
        np.array([1.0, np.nan]),
    ],
)
def test_rows_without_a_time_are_refused(column):
    with pytest.raises(ValueError, match="'ds' has rows without a time"):
        times_of(column, "ds")


@pytest.mark.parametrize(
    "column",
    [
        texts("2024-01-01 00:00:00.5"),
        np.array(["2024-01-01T00:00:00.5"], "datetime64[ms]"),
    ],
)
def test_fractions_of_seconds_are_refused(column):
    with pytest.raises(ValueError, match="fractions of seconds"):
        times_of(column, "ds")


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64", object])
def test_whole_numbers_of_any_kind_are_counted(dtype):
    found = times_of(np.array([3, 4, 6]).astype(dtype), "ds")
    assert found.dtype == "int64" and found.tolist() == [3, 4, 6]


@pytest.mark.parametrize("value", [0.5, np.inf])
def test_other_numbers_are_refused(value):
    with pytest.raises(ValueError, match="dates or whole numbers"):
        times_of(np.array([1.0, value]), "ds")


@pytest.mark.parametrize("dtype", ["int64", object])
def test_dates_in_disguise_are_refused(dtype):
    column = np.array([20240130, 20240131, 20240201]).astype(dtype)
    with pytest.raises(ValueError, match="look like dates, such as 20240130"):
        times_of(column, "ds")


def test_years_are_whole_numbers():
    assert times_of(np.array([2023, 2024]), "ds").tolist() == [2023, 2024]

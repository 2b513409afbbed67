"""Cycles of the clock and the calendar."""

import numpy as np
import pytest

from tasks.data.calendar_features import CYCLES, calendar_features, calendar_for
from tasks.data.frequency import Frequency

HOURS = np.arange("2024-01-01", "2024-02-01", dtype="datetime64[h]")


def test_every_cycle_is_a_point_on_the_circle():
    features = calendar_features(HOURS, CYCLES)
    assert features.shape == (len(HOURS), 8)
    radii = np.hypot(features[:, ::2], features[:, 1::2])
    np.testing.assert_allclose(radii, 1.0)


@pytest.mark.parametrize("cycle, period", [("day", 24), ("week", 168)])
def test_cycles_come_back_after_their_period_and_not_before(cycle, period):
    features = calendar_features(HOURS, [cycle])
    np.testing.assert_allclose(features[period:], features[:-period], atol=1e-12)
    apart = np.abs(features[1:period] - features[0]).max(1)
    assert apart.min() > 0.01


def test_days_and_weeks_begin_at_midnight_and_on_monday():
    sine, cosine = calendar_features(HOURS[:1], ["day", "week"])[0].reshape(2, 2).T
    np.testing.assert_allclose(sine, 0.0, atol=1e-12)
    np.testing.assert_allclose(cosine, 1.0)


def test_leap_years_are_whole_cycles():
    ends = np.array(["2024-12-31T23:59:59", "2023-12-31T23:59:59"], "datetime64[s]")
    np.testing.assert_allclose(
        calendar_features(ends, ["year"]), [[0, 1], [0, 1]], atol=1e-6
    )


def test_cycles_fit_the_frequency():
    assert calendar_for(Frequency.parse("h")) == ["day", "week", "year"]
    assert calendar_for(Frequency.parse("MS")) == ["year"]
    assert calendar_for(None) == []


def test_unknown_cycles_are_refused():
    with pytest.raises(ValueError, match="moon"):
        calendar_features(HOURS, ["moon"])

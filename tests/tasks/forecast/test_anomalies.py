"""Scores of values by how far they lie from what was foretold."""

import numpy as np
import pytest

from tasks.data.series import SeriesSet
from tasks.forecast.anomalies import anomalies_of

LEVELS = [0.1, 0.5, 0.9]


class Foretells:
    """Foretells the same median and quantiles for every step."""

    def __init__(self, below=8.0, median=10.0, above=14.0, head="quantiles"):
        self.options = {"quantiles": LEVELS, "head": head, "context_length": 3}
        self.answer = (below, median, above)

    def next_steps(self, series, origins, batch_size):
        count = sum(map(len, origins))
        return tuple(np.full((count, series.channels), v) for v in self.answer)


def found(values, forecaster=None, limit=None):
    series = SeriesSet.from_any(values)
    return anomalies_of(forecaster or Foretells(), series, limit)


def test_scores_count_distances_to_the_quantiles():
    scores = found([0.0, 0, 0, 10, 14, 18, 8, 4]).scores[0][:, 0]
    np.testing.assert_allclose(scores[3:], [0, 1, 2, 1, 3])
    assert np.isnan(scores[:3]).all()


def test_values_from_the_limit_on_are_anomalies_and_the_worst_comes_first():
    result = found([[10.0] * 4 + [26, 10, 30], [10.0] * 3 + [4.0]])
    assert len(result) == 3
    rows = list(result)
    assert [(r["id"], r["time"], r["score"]) for r in rows] == [
        ("0", 6, 5.0),
        ("0", 4, 4.0),
        ("1", 3, 3.0),
    ]
    assert len(found([10.0] * 4 + [26, 10, 30], limit=4.5)) == 1


def test_missing_values_have_no_score():
    scores = found([10.0] * 4 + [np.nan, 10]).scores[0][:, 0]
    assert np.isnan(scores[4]) and scores[5] == 0


def test_a_width_of_zero_gives_a_finite_score():
    sure = Foretells(10.0, 10.0, 10.0)
    scores = found([10.0] * 4 + [10.5], sure).scores[0][:, 0]
    assert scores[3] == 0 and np.isfinite(scores[4]) and scores[4] > 1000


def test_short_series_are_scored_from_their_last_step():
    scores = found([10.0, 14.0]).scores[0][:, 0]
    assert np.isnan(scores[0]) and scores[1] == 1.0


def test_points_are_refused():
    with pytest.raises(ValueError, match="head='mae'"):
        found([1.0] * 5, Foretells(head="mae"))


def test_it_prints():
    text = str(found([10.0] * 4 + [26.0] * 12))
    assert text.startswith("12 anomalies") and "... 4 more" in text


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_limits_that_are_none_are_refused(limit):
    with pytest.raises(ValueError, match="`limit` must be a positive number"):
        found([1.0] * 5, limit=limit)


def test_it_plots_by_names():
    pytest.importorskip("matplotlib")
    anomalies = found([10.0] * 4 + [26.0, 10])
    assert anomalies.plot("0", "0").axes[0].get_title() == "0, 0"
    for wrong in ({"series": "x"}, {"series": 3}, {"channel": "x"}):
        with pytest.raises(ValueError, match="There is no"):
            anomalies.plot(**wrong)


def test_it_plots():
    pytest.importorskip("matplotlib")
    above, below = found([10.0] * 4 + [26.0, 10]).plot().axes
    assert len(above.lines) == 2 and len(below.lines) == 2

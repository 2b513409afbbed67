"""What a forecaster would have said in the past: scores, backtests, anomalies."""

from tasks.data.windows import origins_of
from tasks.forecast.anomalies import anomalies_of
from tasks.forecast.backtest import backtest
from tasks.forecast.checks import check_batch_size, check_enough, check_horizon
from tasks.forecast.options import whole
from tasks.forecast.predictive import in_shape
from tasks.forecast.scaling import Scaling
from tasks.forecast.scores import score_windows


class Hindsight:
    """The part of `tasks.forecasting.Forecaster` that looks back."""

    def evaluate(
        self,
        data,
        stride=1,
        horizon=None,
        transformed=False,
        levels=None,
        batch_size=512,
    ):
        """Scores forecasts from every place of some series, beside seasonal naive.

        Args:
            data: See `fit`. A window is scored for each place from which the whole
                horizon lies inside, after the first `context_length` steps; a series
                too short for that has one window.
            stride: Steps from one window to the next.
            horizon: Number of steps to score, up to that of the forecaster.
            transformed: Whether to score transformed values instead of those of the
                data; with `transform="standard"`, scores are those of standardised
                data, as papers on long horizons give them.
            levels: Levels of the quantiles to score, those of the forecaster by
                default; none, `[]`, is faster.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            Dict of floats: `"mse"`, `"mae"`, `"smape"`, `"mase"` of the forecasts'
            means (see `tasks.metrics.forecasts`); `"naive_mse"`, `"naive_mae"` and
            `"naive_mase"` of the seasonal naive forecast; `"skill"`, 1 less the ratio
            of the two MASE (of the two MAE where there is no MASE): 0 is as good as
            seasonal naive, 1 perfect. With a distribution also `"wql"` and
            `"coverage_<percent>"` for each central interval.

        Raises:
            ValueError: If the data cannot be read, are empty or do not fit, or an
                argument is out of range.
        """
        horizon = check_horizon(horizon, self.options["horizon"])
        check_batch_size(batch_size)
        stride = whole("stride", stride)
        series = check_enough(self.read(data))
        context = self.options["context_length"]
        origins = [origins_of(n, context, horizon)[::stride] for n in series.lengths]
        asked = (series, origins, horizon, batch_size, transformed, levels)
        values, mean, quantiles = self._forecast_from(*asked)
        season = self.options["season"]
        return score_windows(values, origins, mean, quantiles, season)

    def _forecast_from(
        self, series, origins, horizon, batch_size, transformed=False, levels=None
    ):
        """Values, and means and quantiles `(windows, horizon, channels)`."""
        untrained = not self.scaling.fitted
        if untrained:
            # For these data alone: training finds its own.
            self.scaling.fit(series)
        try:
            values = self.scaling.forth(series) if transformed else series.values
            windows = self._windows(series, batch_size, origins)
            predictive = self._predictive(transformed)
            answer = predictive.answer(windows, batch_size, levels=levels)
        finally:
            if untrained:
                self.scaling = Scaling(self.options["transform"])
        shape = (len(windows.origins), self.options["channels"])
        return values, *(in_shape(part, shape, horizon) for part in answer[:2])

    def next_steps(self, series, origins, batch_size=512):
        """Lowest, middle and highest quantile of the step after each place.

        Args:
            series: `SeriesSet`.
            origins: List of arrays of places, one a series.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            Three arrays `(places, channels)`.
        """
        *_, quantiles = self._forecast_from(series, origins, 1, batch_size)
        levels = list(quantiles)
        middle = min(levels, key=lambda level: abs(level - 0.5))
        return tuple(quantiles[q][:, 0] for q in (levels[0], middle, levels[-1]))

    def backtest(self, data, **options):
        """Forecasts the past from several places, beside simple methods.

        Args:
            data: See `fit`.
            **options: See `tasks.forecast.backtest.backtest`: `windows`, `step`,
                `horizon`, `refit`, `baselines`, `season` and `fit`.

        Returns:
            `tasks.forecasting.Backtest`: prints a table, and plots.
        """
        return backtest(self, data, **options)

    def detect_anomalies(self, data, limit=None, batch_size=512):
        """Finds values that the steps before them did not lead to expect.

        Each value is held against its distribution, as foretold from the step before.

        Args:
            data: See `fit`. The first `context_length` steps of a series are only read.
            limit: Score from which a value is an anomaly, a positive number; 3 by
                default, three times as far from the median as the outermost quantile on
                its side.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            `tasks.forecasting.Anomalies`: scores `(time, channels)` of each series,
            which plot.

        Raises:
            ValueError: If the forecaster gives points without a spread, the data do
                not fit, or an argument is out of range.
        """
        check_batch_size(batch_size)
        series = check_enough(self.read(data))
        return anomalies_of(self, series, limit, batch_size)

"""Values as a model likes them: transformed on the way in, and back on the way out."""

import json

import numpy as np

TRANSFORMS = (None, "standard", "log", "box_cox")
_LARGEST = 700.0  # of what is raised to the power of e


class Scaling:
    """A transform of values, and the standardisation of covariates, fitted on data.

    `"standard"` subtracts the mean of each channel in the training data and divides by
    its standard deviation; `"log"` takes logarithms; `"box_cox"` takes
    $(y^\\lambda - 1) / \\lambda$ with the $\\lambda$ of each channel that makes the
    data most likely normal. Covariates and static features are standardised; where a
    covariate is missing it is given its mean, and a column of its own says so.

    Args:
        transform: One of `TRANSFORMS`.

    Reference:
        - Box and Cox, [An analysis of transformations](
          https://doi.org/10.1111/j.2517-6161.1964.tb00553.x), 1964
    """

    def __init__(self, transform=None):
        if transform not in TRANSFORMS:
            raise ValueError(
                f"`transform` must be one of {TRANSFORMS}. Received: {transform!r}"
            )
        self.transform = transform
        self.fitted = False
        self.parameters = {}

    @property
    def linear(self):
        """Whether means go through it unchanged."""
        return self.transform in (None, "standard")

    def fit(self, series):
        """Finds the parameters on a `SeriesSet`.

        Raises:
            ValueError: If `"log"` or `"box_cox"` meets a value that is not positive.
        """
        self._check_positive(series)
        rows = np.concatenate(series.values)
        if self.transform == "standard":
            self.parameters["mean"] = _or_zero(rows, np.nanmean)
            self.parameters["std"] = _or_one(rows)
        if self.transform == "box_cox":
            self.parameters["power"] = [_box_cox_power(column) for column in rows.T]
        groups = {
            "static": series.static,
            "past": None if series.past is None else np.concatenate(series.past),
            "future": None if series.future is None else np.concatenate(series.future),
        }
        for name, rows in groups.items():
            if rows is not None:
                self.parameters[f"{name}_mean"] = _or_zero(rows, np.nanmean)
                self.parameters[f"{name}_std"] = _or_one(rows)
        self.fitted = True

    def _check_positive(self, series):
        if self.transform not in ("log", "box_cox"):
            return
        for name, values in zip(series.ids, series.values, strict=True):
            if np.any(values <= 0):
                raise ValueError(
                    f'transform="{self.transform}" needs positive values; series '
                    f"{name!r} has {np.nanmin(values)}. Add a constant, or take "
                    'transform="standard".'
                )

    def forth(self, series):
        """Transformed values of a `SeriesSet`: list of arrays `(time, channels)`."""
        self._check_positive(series)
        return [self._forth(values) for values in series.values]

    def _forth(self, values):
        if self.transform is None:
            return values
        if self.transform == "standard":
            mean, std = (np.array(self.parameters[n]) for n in ("mean", "std"))
            return (values - mean) / std
        if self.transform == "log":
            return np.log(values)
        powers = self.parameters["power"]
        columns = [_box_cox(y, p) for y, p in zip(values.T, powers, strict=True)]
        return np.stack(columns, -1)

    def back(self, values):
        """Undoes the transform of an array `(..., channels)`."""
        values = np.asarray(values, np.float64)
        if self.transform is None:
            return values
        if self.transform == "standard":
            mean, std = (np.array(self.parameters[n]) for n in ("mean", "std"))
            return values * std + mean
        if self.transform == "log":
            return np.exp(np.minimum(values, _LARGEST))
        powers = self.parameters["power"]
        parts = [_inverse_box_cox(values[..., i], p) for i, p in enumerate(powers)]
        return np.stack(parts, -1)

    def covariates(self, name, arrays):
        """Standardised `"past"` or `"future"` covariates, with what is missing said.

        Args:
            name: `"past"` or `"future"`.
            arrays: List of arrays `(time, n)`.

        Returns:
            List of arrays `(time, n + 1)`.
        """
        mean, std = (np.array(self.parameters[f"{name}_{x}"]) for x in ("mean", "std"))
        result = []
        for array in arrays:
            gone = np.isnan(array)
            array = np.where(gone, 0.0, (array - mean) / std)
            result.append(np.concatenate([array, gone.any(1, keepdims=True)], 1))
        return result

    def static(self, rows):
        """Standardised static features `(series, n)`."""
        mean, std = (np.array(self.parameters[f"static_{x}"]) for x in ("mean", "std"))
        return (rows - mean) / std

    def text(self):
        """All of it as text, which `from_text` reads."""
        state = {"transform": self.transform, "fitted": self.fitted}
        return json.dumps({**state, "parameters": self.parameters}, indent=1) + "\n"

    @classmethod
    def from_text(cls, text):
        """Makes a `Scaling` from what `text` wrote."""
        state = json.loads(text)
        scaling = cls(state["transform"])
        scaling.fitted, scaling.parameters = state["fitted"], state["parameters"]
        return scaling


def _or_zero(rows, statistic):
    """A statistic of each column, 0 where it has no values; a list."""
    known = ~np.isnan(rows).all(0)
    return [
        float(statistic(c)) if k else 0.0 for c, k in zip(rows.T, known, strict=True)
    ]


def _or_one(rows):
    """Standard deviation of each column, 1 where nothing varies; a list."""
    spread = _or_zero(rows, np.nanstd)
    return [s if s > 0 else 1.0 for s in spread]


def _box_cox(values, power):
    if power == 0:
        return np.log(values)
    return np.expm1(power * np.log(values)) / power


def _inverse_box_cox(values, power):
    if power == 0:
        return np.exp(np.minimum(values, _LARGEST))
    # Below the smallest value that a power can give there is nothing to go back to.
    inside = np.maximum(power * values, -1 + 1e-12)
    return np.exp(np.minimum(np.log1p(inside) / power, _LARGEST))


def _box_cox_power(values):
    """The power, to a twentieth, that makes the values most likely normal."""
    logs = np.log(values[~np.isnan(values)])
    if len(logs) < 3 or logs.std() == 0:
        return 1.0
    logs = logs - logs.mean()  # of values relative to their geometric mean
    best, result = -np.inf, 1.0
    for power in np.round(np.arange(-1, 2.01, 0.05), 2):
        changed = logs if power == 0 else np.expm1(power * logs) / power
        variance = changed.var()
        # The Jacobian is 1 on this scale.
        if variance > 0 and -np.log(variance) > best:
            best, result = -np.log(variance), float(power)
    return result

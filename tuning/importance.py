"""How much each parameter has mattered among the trials of a search."""

import numpy as np

# Fewer trials say nothing about so many parameters.
LEAST = 8
_INACTIVE = -1.0


def importances(trials, objective, seed=0):
    """Says how much worse a forest guesses scores without a parameter's values.

    A random forest learns scores from settings; then each parameter's values are
    shuffled, and the loss of accuracy is what the parameter was worth. It tells what
    has mattered within this search, not what would matter elsewhere.

    Args:
        trials: List of `tuning.records.Record`.
        objective: `tuning.objectives.Objective`.
        seed: Decides the forest.

    Returns:
        Dict from name to a share, which sum to 1, the largest first; empty with fewer
        than eight trials that are done, or when all scored alike.

    Reference:
        - Breiman, [Random forests](https://doi.org/10.1023/A:1010933404324), 2001
    """
    done = [r for r in trials if r.status == "done"]
    names, inputs = encoded(done)
    scores = np.array([objective.sign * r.score for r in done], "float64")
    if len(done) < LEAST or not names or np.ptp(scores) == 0:
        return {}
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    # Ranks: one collapsed trial must not be all that the forest sees.
    ranks = np.argsort(np.argsort(scores)).astype("float64")
    forest = RandomForestRegressor(200, min_samples_leaf=2, random_state=seed)
    forest.fit(inputs, ranks)
    found = permutation_importance(
        forest, inputs, ranks, n_repeats=10, random_state=seed
    )
    worth = np.maximum(found.importances_mean, 0.0)
    if worth.sum() == 0:
        return {}
    shares = dict(zip(names, (worth / worth.sum()).tolist(), strict=True))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def encoded(records):
    """Settings as numbers.

    Args:
        records: List of `tuning.records.Record`.

    Returns:
        Names of the parameters that differ, and an array `(trials, parameters)` of
        float64: numbers as they are, anything else by its place in the order of texts,
        -1 where a parameter did not matter.
    """
    names, columns = [], []
    for name in dict.fromkeys(n for r in records for n in r.values):
        values = [r.values.get(name, _Nothing) for r in records]
        if len({repr(value) for value in values}) > 1:
            names.append(name)
            columns.append(_numbers(values))
    shape = (len(records), 0)
    return names, np.stack(columns, 1) if columns else np.zeros(shape)


class _Nothing:
    """Stands where a parameter has no value."""


def _numbers(values):
    there = [v for v in values if v is not _Nothing]
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in there):
        return np.array([_INACTIVE if v is _Nothing else v for v in values], float)
    order = sorted({repr(v) for v in there})
    return np.array(
        [_INACTIVE if v is _Nothing else order.index(repr(v)) for v in values], float
    )

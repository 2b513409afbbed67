"""Pictures of a search: what was tried, what came of it, what mattered."""

import numpy as np

from tuning.result import shown

_CURVES = 12
_TICKS, _GAP = 8, 0.05
_WIDE = 10


def figure(trials, objective, shares):
    """Draws four pictures of a search.

    Args:
        trials: List of `tuning.records.Record`.
        objective: `tuning.objectives.Objective`.
        shares: Dict of the parameters' importance.

    Returns:
        `matplotlib.figure.Figure`: the objective against the trial; parallel
        coordinates; importance; learning curves.
    """
    # Not pyplot: it would keep the figure, and look for a screen.
    from matplotlib.figure import Figure

    page = Figure(figsize=(14, 10), layout="constrained")
    grid = page.add_gridspec(2, 2, width_ratios=(1, 1.4))
    draw_trials(page.add_subplot(grid[0, 0]), trials, objective)
    draw_parallel(page.add_subplot(grid[0, 1]), trials, objective)
    draw_importance(page.add_subplot(grid[1, 0]), shares)
    draw_curves(page.add_subplot(grid[1, 1]), trials, objective)
    return page


def draw_trials(axes, trials, objective):
    """The objective of each trial, and the best so far."""
    axes.set(title="Objective", xlabel="trial", ylabel=objective.name)
    done = [(int(r.name), r.score) for r in trials if r.status == "done"]
    failed = [int(r.name) for r in trials if r.status == "failed"]
    if done:
        numbers, scores = zip(*done, strict=True)
        best = objective.sign * np.maximum.accumulate(objective.sign * np.array(scores))
        axes.plot(numbers, scores, "o", color="tab:blue", label="trial")
        axes.step(numbers, best, where="post", color="tab:orange", label="best so far")
        if failed:
            worst = min(scores) if objective.sign > 0 else max(scores)
            axes.plot(failed, [worst] * len(failed), "x", color="tab:red")
            axes.plot([], [], "x", color="tab:red", label="failed")
        axes.legend()
    axes.xaxis.get_major_locator().set_params(integer=True)


def draw_parallel(axes, trials, objective):
    """Each trial as a line through its settings to its score."""
    from matplotlib import colormaps

    from tuning.importance import encoded

    axes.set_title("Settings of each trial, coloured by its score")
    done = [r for r in trials if r.status == "done"]
    names, inputs = encoded(done)
    if len(done) < 2 or not names:
        return _say(axes, "too few trials that differ")
    scores = np.array([r.score for r in done])
    columns = np.column_stack([*map(_by_magnitude, inputs.T), scores])
    low, high = columns.min(0), columns.max(0)
    places = (columns - low) / np.where(high > low, high - low, 1)
    colours = places[:, -1] if objective.sign > 0 else 1 - places[:, -1]
    for number in np.argsort(colours):
        colour = colormaps["viridis"](colours[number])
        axes.plot(places[number], color=colour, alpha=0.7, linewidth=1.2)
    for x, name in enumerate(names):
        axes.axvline(x, color="0.8", linewidth=0.8, zorder=0)
        _tick_values(axes, x, [r.values.get(name) for r in done], places[:, x])
    axes.set_yticks([])
    labels = [*names, objective.name]
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    for place, value in ((0, low[-1]), (1, high[-1])):
        axes.text(len(names) + 0.05, place, shown(float(value)), fontsize=7)
    return None


def _by_magnitude(values):
    """Numbers that span magnitudes, such as learning rates, by their logarithm."""
    if values.min() > 0 and values.max() > _WIDE * values.min():
        return np.log10(values)
    return values


def _tick_values(axes, x, values, places):
    pairs = {round(float(p), 6): v for p, v in zip(places, values, strict=True)}
    ordered = sorted(pairs.items())
    gaps = [b[0] - a[0] for a, b in zip(ordered, ordered[1:], strict=False)]
    if len(ordered) > _TICKS or (gaps and min(gaps) < _GAP):
        ordered = [ordered[0], ordered[-1]]
    for place, value in ordered:
        text = "-" if value is None else shown(value)
        axes.text(x + 0.03, place, text, fontsize=7, color="0.3")


def draw_importance(axes, shares):
    """A bar for each parameter."""
    axes.set(title="Importance of each parameter", xlabel="share")
    if not shares:
        return _say(axes, "too few trials to tell")
    names = list(shares)[::-1]
    axes.barh(names, [shares[name] for name in names], color="tab:blue")
    return None


def draw_curves(axes, trials, objective):
    """The score of the best trials after each epoch."""
    done = [r for r in trials if r.status == "done" and r.curve]
    done.sort(key=lambda r: -objective.sign * r.score)
    key = _curve_name(done, objective)
    axes.set(title="Learning curves, best trials", xlabel="epoch", ylabel=key or "")
    if key is None:
        return _say(axes, "no curves")
    for record in done[:_CURVES]:
        values = record.curve.get(key, [])
        axes.plot(range(1, len(values) + 1), values, ".-", label=f"trial {record.name}")
    axes.legend(fontsize=7, ncols=2)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return None


def _curve_name(records, objective):
    names = dict.fromkeys(name for r in records for name in r.curve)
    wanted = f"val_{objective.name}"
    if wanted in names:
        return wanted
    return next((n for n in names if n.startswith("val_")), next(iter(names), None))


def _say(axes, text):
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])

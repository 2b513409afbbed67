"""The options of a forecaster: their defaults, and what they must be."""

from numbers import Integral

from tasks.data.calendar_features import CYCLES
from tasks.data.frequency import Frequency
from tasks.forecast.heads import DECILES

OPTIONS = dict(
    channels=1,
    architecture="segment",
    layer="gru",
    units=128,
    num_layers=1,
    layer_options={},
    head="quantiles",
    quantiles=DECILES,
    median_leads=False,
    normalization="instance",
    normalized_loss=True,
    loss_horizons=(),
    transform=None,
    segment_length=None,
    dropout=0.1,
    season=1,
    frequency=None,
    calendar=(),
    static_size=0,
    past_size=0,
    future_size=0,
    samples=100,
    season_copies=False,
    columns={},
)


def checked_options(options):
    """Options with plain values; those that can be told from others filled in.

    Raises:
        ValueError: If one is out of range, or two do not go together.
    """
    for name in ("horizon", "context_length", "channels", "season", "samples"):
        options[name] = whole(name, options[name])
    for name in ("static_size", "past_size", "future_size"):
        options[name] = whole(name, options[name], least=0)
    if options["segment_length"] is not None:
        options["segment_length"] = whole("segment_length", options["segment_length"])
    if options["frequency"] is not None:
        options["frequency"] = str(Frequency.parse(options["frequency"]))
    _check_calendar(options)
    if options["head"] == "negative_binomial" and (
        options["normalization"] not in ("scale", None)
        or options["transform"] is not None
    ):
        raise ValueError(
            'head="negative_binomial" is for counts as they are: it needs '
            'normalization="scale" or None, and no transform.'
        )
    if options["season_copies"] and (
        options["architecture"] == "autoregressive"
        or options["head"] == "negative_binomial"
        or options["context_length"] < options["season"]
    ):
        raise ValueError(
            "`season_copies` needs a context of one season or more, and another "
            'architecture than "autoregressive", another head than '
            '"negative_binomial".'
        )
    if options["median_leads"] and (
        options["architecture"] == "autoregressive"
        or options["head"] != "quantiles"
        or 0.5 not in options["quantiles"]
    ):
        raise ValueError(
            '`median_leads` needs head="quantiles" with 0.5 among its levels, and '
            'another architecture than "autoregressive".'
        )
    _check_loss_horizons(options)
    if options["segment_length"] is None:
        season, most = options["season"], min(options["context_length"], 48)
        length = season if 1 < season <= most else min(12, options["horizon"])
        options["segment_length"] = min(length, options["context_length"])
    options["quantiles"] = [float(level) for level in options["quantiles"]]
    options["calendar"] = list(options["calendar"])
    options["layer_options"] = dict(options["layer_options"])
    options["columns"] = dict(options["columns"])
    options["loss_horizons"] = [int(steps) for steps in options["loss_horizons"]]
    return options


def whole(name, value, least=1):
    """An integer of any kind as `int`.

    Raises:
        ValueError: If it is none, or smaller than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        kind = "a positive integer" if least == 1 else f"an integer from {least} on"
        raise ValueError(f"`{name}` must be {kind}. Received: {value!r}")
    return int(value)


def _check_calendar(options):
    names = options["calendar"]
    if isinstance(names, str) or not set(names) <= set(CYCLES):
        raise ValueError(
            f"`calendar` must be a list of some of {CYCLES}. Received: {names!r}"
        )
    if names and options["frequency"] is None:
        raise ValueError('`calendar` needs a `frequency`, such as "h".')


def _check_loss_horizons(options):
    horizons, most = list(options["loss_horizons"]), options["horizon"]
    if not all(isinstance(n, int) and 1 <= n <= most for n in horizons):
        raise ValueError(
            f"`loss_horizons` are numbers of steps from 1 to {most}. "
            f"Received: {horizons!r}"
        )
    if horizons and (
        max(horizons) < most or options["architecture"] == "autoregressive"
    ):
        raise ValueError(
            f"`loss_horizons` must reach the whole horizon, {most} steps, and is not "
            f'for architecture="autoregressive". Received: {horizons!r}'
        )


def model_sizes(options):
    """Options as the model is built with: with the sizes of all that it is told."""
    past, future = (options[n] + (options[n] > 0) for n in ("past_size", "future_size"))
    future += 2 * len(options["calendar"])
    return {**options, "past_size": past, "future_size": future}


def sizes_of(series):
    """Those options that a `SeriesSet` decides, a dict of integers."""
    return {
        "channels": series.channels,
        "static_size": 0 if series.static is None else series.static.shape[1],
        "past_size": 0 if not series.past else series.past[0].shape[1],
        "future_size": 0 if not series.future else series.future[0].shape[1],
    }

"""The arguments of a search that can be judged by themselves."""

import os

from tuning.errors import SearchError, nearest

ALGORITHMS = ("random", "hyperband", "bayesian", "grid")


def check_algorithm(name):
    """Refuses an unknown algorithm."""
    if name not in ALGORITHMS:
        raise SearchError(
            f"Unknown algorithm {name!r}.{nearest(name, ALGORITHMS)} "
            f"Algorithms: {', '.join(ALGORITHMS)}"
        )


def check_numbers(
    trials, algorithm, max_time, keep, reruns, workers, address, trials_per_process
):
    whole = {"trials": (trials, 1), "keep": (keep, 1), "reruns": (reruns, 0)}
    whole["workers"] = (workers, 0 if address else 1)
    whole["trials_per_process"] = (trials_per_process, 1)
    for name, (value, least) in whole.items():
        if name.startswith("trials") and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SearchError(
                f"`{name}` must be a whole number from {least} up. Received: {value!r}"
            )
    if trials is None and algorithm != "grid" and max_time is None:
        raise SearchError(
            "`trials=None` needs `max_time`, or algorithm='grid', which has an end."
        )
    if max_time is not None and not max_time > 0:
        raise SearchError(f"`max_time` must be above 0. Received: {max_time!r}")


def check_data(train, validation):
    for name, data in (("train", train), ("validation", validation)):
        if data is None:
            raise SearchError(f"`{name}` is None; a search needs both kinds of data.")
        if hasattr(data, "__next__"):
            raise SearchError(
                f"`{name}` can be read only once, and every trial reads it: give "
                f"list({name})."
            )
        if isinstance(data, os.PathLike) and not os.path.exists(data):
            raise SearchError(f"`{name}`: there is no file {os.fspath(data)}.")
    if train is validation or _same_file(train, validation):
        raise SearchError(
            "`validation` is the training data: the search would find what overfits."
        )


def _same_file(*data):
    if not all(isinstance(d, str | os.PathLike) and os.path.exists(d) for d in data):
        return False
    return os.path.samefile(*data)


def check_sendable(strategy):
    if strategy is not None:
        raise SearchError(
            "A strategy cannot be sent to workers: use `workers=1` with it and no "
            "`trials_per_process`, or several machines that `tuning.join` with a "
            "strategy of their own."
        )

"""Speed, memory and scores of the forecaster beside neuralforecast's LSTM and DeepAR.

Same sizes, same data (ETTh1, seven channels as seven series, 96 hours in and out),
float32, Adam, processes of their own that take turns. Training is a number of steps on
windows drawn at random, of a model that is built and warm; prediction starts from many
histories as a user has them, and ends in their forecasts. `--growth` times our own with
more series and longer horizons instead, `--scores` trains all of them for as many steps
and scores them on every test window of ETTh1.

The peer lives in a folder of its own:

    pip install --target PEER neuralforecast
    python benchmarks/forecasting.py --data-dir DIR --peer PEER
"""

import argparse
import itertools
import statistics
from dataclasses import replace
from pathlib import Path

from forecasting_contestants import (
    KINDS,
    Size,
    peer_prediction,
    peer_training,
    zoo_prediction,
    zoo_training,
)
from harness import RESULTS, load, race, write

# A peer that learns from every step of the horizon, nearly as ours does.
ALL_STEPS = "neuralforecast, h_train=horizon"
# Ours with as much work as a peer does that feeds back means instead of drawn paths.
ONE_PATH = "zoo, one path"
TASKS = {
    "training": (zoo_training, peer_training),
    "prediction": (zoo_prediction, peer_prediction),
}


def compare(size, rounds):
    """Rates, ratios and memory of all contestants."""
    found = {}
    for task, (ours, theirs) in TASKS.items():
        done = size.windows * size.steps if task == "training" else size.histories
        for kind in KINDS:
            contestants = {
                "zoo": (ours, size, kind),
                "neuralforecast": (theirs, size, kind),
            }
            if (task, kind) == ("training", "deepar"):
                contestants[ALL_STEPS] = (theirs, size, kind, size.horizon)
            if (task, kind) == ("prediction", "deepar"):
                contestants[ONE_PATH] = (ours, size, kind, None, None, 1)
            results = race(contestants, rounds, seconds=0)
            for result in results.values():
                result["rate"] = done / statistics.median(result["times"])
            faster = {
                f"{name} / {peer}": results[name]["rate"] / results[peer]["rate"]
                for name, peer in itertools.product(results, results)
                if name.startswith("zoo") and not peer.startswith("zoo")
            }
            found[f"{task} {kind}"] = {"results": results, "faster": faster, **load()}
            print_comparison(f"{task} {kind}", found[f"{task} {kind}"])
    return found


def print_comparison(name, found):
    for contestant, result in found["results"].items():
        rate, memory = result["rate"], result["memory"]
        print(
            f"{name:18} {contestant:{len(ALL_STEPS)}} {rate:9.0f} a second (median), "
            f"peak {memory:5.0f} MB, first call {result['first_call']:.1f} s"
        )
    for pair, faster in found["faster"].items():
        print(f"{name:18} {pair}: {faster:.2f}", flush=True)


def growth(size, rounds):
    """Our own times with 10 to 10,000 series, and with horizons from 24 to 768."""
    import numpy as np

    random = np.random.default_rng(0)
    found = {"series": {}, "horizon": {}}
    for count in (10, 100, 1000, 10_000):
        series = list(random.normal(size=(count, 3 * size.context)).cumsum(1))
        found["series"][count] = grown(size, rounds, series, size.horizon)
    few = list(random.normal(size=(100, size.context + 1536)).cumsum(1))
    for horizon in (24, 96, 384, 768):
        found["horizon"][horizon] = grown(size, rounds, few, horizon)
    for name, rows in found.items():
        for value, row in rows.items():
            print(
                f"{name} {value:6}: {row['training_rate']:8.0f} windows/s, "
                f"{row['prediction_rate']:8.0f} forecasts/s, {row['memory']:6.0f} MB",
                flush=True,
            )
    return found


def grown(size, rounds, series, horizon):
    results = race(
        {
            "training": (zoo_training, size, "lstm", series, horizon),
            "prediction": (zoo_prediction, size, "lstm", series, horizon),
        },
        rounds,
        seconds=0,
    )
    train, predict = (
        statistics.median(results[t]["times"]) for t in ("training", "prediction")
    )
    return {
        "training_rate": size.windows * size.steps / train,
        "prediction_rate": len(series) / predict,
        "memory": max(result["memory"] for result in results.values()),
    }


def plot(name, found):
    """Bars of the rates, ours beside the peer's, drawn on Agg."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for axes, (title, part) in zip(
        figure.subplots(1, len(found)), found.items(), strict=True
    ):
        results = part["results"]
        rates = [result["rate"] for result in results.values()]
        names = [name.replace(", ", ",\n") for name in results]
        ours = [name.startswith("zoo") for name in results]
        axes.bar(names, rates, color=["#2166ac" if our else "#999999" for our in ours])
        ratios = " and ".join(f"{x:.2f}" for x in part["faster"].values())
        axes.set_title(f"{title}: {ratios} ×", fontsize=9)
        axes.tick_params(axis="x", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supylabel("windows a second")
    path = RESULTS / f"{name}.png"
    figure.savefig(path, dpi=120)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--peer", default="", help="folder with neuralforecast in it")
    parser.add_argument("--rounds", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--steps", type=int, default=10, help="of a turn of training")
    parser.add_argument("--histories", type=int, default=512)
    parser.add_argument("--growth", action="store_true", help="our own growth instead")
    parser.add_argument("--scores", action="store_true", help="scores on ETTh1 instead")
    parser.add_argument("--score-steps", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="one turn, tiny sizes")
    parser.add_argument("--name", default="forecasting", help="of the result's files")
    args = parser.parse_args()
    size = Size(args.data_dir, args.peer, steps=args.steps, histories=args.histories)
    if args.quick:
        tiny = dict(units=8, layers=1, horizon=24, windows=16, samples=5)
        size = replace(size, steps=1, histories=8, **tiny)
        args.rounds = 1
    if not args.growth and not (Path(size.peer) / "neuralforecast").is_dir():
        parser.error("--peer needs a folder with neuralforecast, see the file's head")
    if args.growth:
        content = {"growth": growth(size, args.rounds)}
        print("written:", write(f"{args.name}_growth", content))
    elif args.scores:
        from forecasting_scores import score_all

        content = {"scores": score_all(size, args.score_steps)}
        print("written:", write(f"{args.name}_scores", content))
    else:
        content = compare(size, args.rounds)
        print("written:", write(args.name, content), plot(args.name, content))


if __name__ == "__main__":
    main()

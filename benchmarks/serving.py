"""What a model serves: requests a second, and how long the slowest one in 100 waits.

A request is a text, a series, a picture or a recording in, an answer for people out.
Each shipped model is asked in a process of its own, one request at a time and 32 at a
time, until the time is up; all shapes have been seen before.

Then each task is asked beside the PyTorch peer of its own benchmark, both untrained and
of one size, in turns; see `serving_pairs.py`. Whose packages or data are not given is
left out. Writes `results/serving.json`.

    python benchmarks/serving.py [--seconds 20] [--rounds 3] [--data-dir DIR]
        [--peer FOLDER_OF_NEURALFORECAST] [--peer-python PYTHON_OF_JOEYNMT] [task ...]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from harness import load, peak_memory, started, write

ROOT = Path(__file__).parents[1]
MODELS = {
    "ner": "ner_lstm_crf.wnut17_en",
    "text_classification": "text_classification_lstm.sst2_en",
    "forecasting": "forecasting_lstm.m4_hourly",
    "language_modeling": "language_model_lstm.tiny_shakespeare_chars",
    "translation": "translation_lstm_attention.multi30k_en_de",
    "captioning": "captioning_lstm_attention.flickr8k_en",
    "speech_recognition": "speech_recognition_lstm_ctc.fsdd_en",
}
BATCHES = (1, 32)
SENTENCES = [
    "Ada Lovelace lived in London.",
    "A quiet film that trusts its actors, and they repay it in every scene.",
    "Two children are playing football on the beach near the old harbour.",
    "An old man is reading a newspaper in front of a small shop in Paris.",
]
HOURS = 24 * 14
TOKENS = 50


def requests(task, batch, number):
    """So many different requests, the same at each call."""
    if task == "forecasting":
        hours = np.arange(HOURS)
        return [
            10 + np.sin((hours + number + row) * np.pi / 12) + 0.01 * row
            for row in range(batch)
        ]
    if task == "captioning":
        drawn = np.random.default_rng(number % 8)
        return list(drawn.integers(0, 256, (batch, 160, 160, 3), "uint8"))
    if task == "speech_recognition":
        time = np.arange(8000 // 2)
        return [
            np.sin(time * (0.05 + 0.01 * ((number + row) % 8))).astype("float32")
            for row in range(batch)
        ]
    return [SENTENCES[(number + row) % len(SENTENCES)] for row in range(batch)]


def answer(model, task, asked):
    """Asks a model as a server would."""
    if task == "language_modeling":
        return model.generate(asked, max_tokens=TOKENS, seed=1)
    if task == "speech_recognition":
        return model.predict(asked, rate=8000)
    return model.predict(asked)


def serve(task, batch, seconds):
    """Asks for some time; returns a dict of what was measured."""
    import zoo

    begun_at = time.perf_counter()
    model = zoo.load(MODELS[task])
    for number in range(2 * len(SENTENCES)):
        answer(model, task, requests(task, batch, number))
    ready, times = time.perf_counter() - begun_at, []
    while sum(times) < seconds:
        asked = requests(task, batch, len(times))
        begun = time.perf_counter()
        answer(model, task, asked)
        times.append(time.perf_counter() - begun)
    return {**told(times, batch), "ready_s": ready, "memory_mb": peak_memory()}


def told(times, batch):
    """What the times of calls say."""
    return {
        "calls": len(times),
        "requests_per_second": batch * len(times) / sum(times),
        "median_ms": 1e3 * float(np.median(times)),
        "p99_ms": 1e3 * float(np.percentile(times, 99)),
    }


def beside(contestants, batch, seconds, rounds):
    """What ours and a peer serve, asked in turns, each for so many seconds a turn."""
    running = started(contestants)
    times = {name: [] for name in running}
    for _ in range(rounds):
        for name, contestant in running.items():
            own = []
            while sum(own) < seconds:
                own.append(contestant.time(0))
            times[name] += own
    found = {
        name: {**told(times[name], batch), "memory_mb": contestant.stop()}
        for name, contestant in running.items()
    }
    ours, theirs = (one["requests_per_second"] for one in found.values())
    return {"contestants": found, "times as many": ours / theirs, **load()}


def measured(task, batch, seconds):
    """`serve` in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--serve", task, f"{batch}"]
        + ["--seconds", f"{seconds}"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600 + 20 * seconds,
    )
    return json.loads(process.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--data-dir", help="for the peers of tagger and forecaster")
    parser.add_argument("--peer", help="folder with neuralforecast in it")
    parser.add_argument("--peer-python", help="Python that has joeynmt")
    given = parser.parse_args()
    if given.serve:
        task, batch = given.serve
        print(json.dumps(serve(task, int(batch), given.seconds)))
        return
    results = {}
    for turn in range(given.rounds):
        for task in given.tasks or MODELS:
            for batch in BATCHES:
                found = {**measured(task, batch, given.seconds), **load()}
                rounds = results.setdefault(task, {}).setdefault(f"batch {batch}", [])
                rounds.append(found)
                print(
                    f"{turn + 1}: {task}, batch {batch}: "
                    f"{found['requests_per_second']:.1f} requests/s, "
                    f"p99 {found['p99_ms']:.0f} ms",
                    flush=True,
                )
    content = {
        "models": MODELS,
        "best": best(results),
        "rounds": results,
        "beside peers": beside_peers(given),
    }
    print(write("serving", content))


def beside_peers(given):
    """Every task beside its peer; see `serving_pairs.pairs`."""
    from serving_pairs import pairs

    found = {}
    for task, contestants in pairs(given, TOKENS).items():
        if given.tasks and task not in given.tasks:
            continue
        for batch in BATCHES:
            what = (contestants(batch), batch, given.seconds, given.rounds)
            found.setdefault(task, {})[f"batch {batch}"] = one = beside(*what)
            for name, rate in one["contestants"].items():
                print(
                    f"{task}, batch {batch}: {name} "
                    f"{rate['requests_per_second']:.1f} requests/s, "
                    f"p99 {rate['p99_ms']:.0f} ms"
                )
            print(f"    {one['times as many']:.2f} times as many", flush=True)
    return found


def best(results):
    """The best round of each: others may have used the machine, too."""
    return {
        task: {
            batch: max(rounds, key=lambda found: found["requests_per_second"])
            for batch, rounds in batches.items()
        }
        for task, batches in results.items()
    }


if __name__ == "__main__":
    main()

"""How training grows: with replicas on one machine, and, on paper, on slices of TPUs.

The first part trains the same batches on one logical CPU and on two, in turns. Two
logical CPUs share the machine's cores, so this measures what sharing costs, not what a
second machine brings. The second part asks the TPU's compiler, without a TPU: how large
a language model may be before a chip refuses it, and what each chip of a slice has to
do. It wants `pip install '.[tpu]'`, and takes some minutes.

    python benchmarks/scaling.py             # written to results/scaling.json
"""

import argparse
import json
import os
from statistics import median

ROWS, LENGTH = 64, 64
TASKS = ("text_classification", "forecasting")
SLICES = ("1x1", "2x2", "16x16")
VOCABULARY, STEP = 8000, 256


# === Replicas on one machine ===


def trainer(task, replicas):
    """A function that trains an epoch of a task on so many logical CPUs."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [one] * replicas)

    import pipeline

    import tasks.task
    from tasks.fitting import Fitting
    from tasks.strategies import strategy
    from tasks.tpu.untrained import untrained

    found = []

    class Held(Fitting):
        """Is kept where it should train."""

        def run(self, callbacks, resume, verbose):
            found.append(self)

    tasks.task.Fitting = Held
    with strategy("cpu", verbose=False).scope():
        made = untrained(task, {})
    data = {"text_classification": pipeline.labelled, "forecasting": pipeline.waves}
    options = {"windows_per_epoch": 8 * ROWS} if task == "forecasting" else {}
    made.fit(data[task](made)[: 8 * ROWS], batch_size=ROWS, epochs=1, **options)
    (fitting,) = found
    assert fitting.replicas == replicas
    fitting.model.make_train_function()
    batches = iter(fitting.dataset.repeat())

    def run():
        for _ in range(fitting.steps):
            logs = fitting.model.train_function(batches)
        float(logs["loss"])

    return run


def replicas(rounds, seconds):
    """Dict from tasks to seconds of an epoch, on one logical CPU and on two."""
    from harness import race, ratio

    found = {}
    for task in TASKS:
        times = race({n: (trainer, task, n) for n in (1, 2)}, rounds, seconds)
        found[task] = {
            "seconds_an_epoch": {str(n): median(times[n]["times"]) for n in (1, 2)},
            "two_to_one": ratio(times, 2, 1),
            "memory_mb": {str(n): times[n]["memory"] for n in (1, 2)},
        }
        print(task, found[task], flush=True)
    return found


# === On paper ===


def train(units, topology, rows, chip="v5e"):
    """What the compiler says of a step of a language model's training."""
    from tasks.tpu.check import check

    (found,) = check(
        "language_modeling",
        chip,
        [topology],
        ["jax"],
        rows,
        LENGTH,
        {"units": units, "embedding_dim": units, "vocabulary": VOCABULARY},
        ["train"],
    )
    wanted = (
        "topology",
        "batch",
        "fits",
        "needed_bytes",
        "available_bytes",
        "trainable_bytes",
        "compile_seconds",
        "flops",
        "bytes accessed",
        "collectives",
        "all_reduce_bytes",
        "collectives_in_loops",
        "memory_padding",
    )
    kept = {"units": units, **{k: found[k] for k in wanted if k in found}}
    print(kept, flush=True)
    return kept


def largest(topology="1x1", rows=ROWS, low=8192, high=12288):
    """The largest language model of one layer that a chip trains: `(it, the next)`.

    `units` is searched by halves, in steps of 256; `low` has to fit, `high` must not.
    """
    fits, does_not = train(low, topology, rows), train(high, topology, rows)
    assert fits["fits"] and not does_not["fits"], (low, high)
    while does_not["units"] - fits["units"] > STEP:
        middle = (fits["units"] + does_not["units"]) // (2 * STEP) * STEP
        found = train(middle, topology, rows)
        fits, does_not = (found, does_not) if found["fits"] else (fits, found)
    return fits, does_not


def paper(units):
    """What one chip, four and 256 have to do, for one batch and for larger ones."""
    fits, does_not = largest()
    return {
        "chip": "v5e",
        "model": "language_modeling: one ZoneoutLSTM, embedding of its size, Adam",
        "vocabulary": VOCABULARY,
        "rows": ROWS,
        "length": LENGTH,
        "largest": {"fits": fits, "does_not": does_not},
        "units": units,
        "same_batch": [train(units, name, 2048) for name in SLICES],
        "same_rows_a_chip": [
            train(units, name, ROWS * chips_of(name)) for name in SLICES
        ],
    }


def chips_of(topology):
    """Number of chips of a slice."""
    rows, columns = map(int, topology.split("x"))
    return rows * columns


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=("replicas", "paper"), help="both by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument(
        "--units", type=int, default=1024, help="of the model on slices"
    )
    parser.add_argument("--name", default="scaling", help="of the file of results")
    args = parser.parse_args()
    from harness import RESULTS, load, write

    path = RESULTS / f"{args.name}.json"
    content = {}
    if path.is_file():  # what the other part has found is kept
        kept = json.loads(path.read_text())
        content = {k: kept[k] for k in ("replicas", "paper") if k in kept}
    if args.part != "paper":
        begun = load()
        found = replicas(args.rounds, args.seconds)
        content["replicas"] = {"rows": ROWS, "load_at_begin": begun, "tasks": found}
    packages = ["tensorflow", "keras"]
    if args.part != "replicas":
        content["paper"] = paper(args.units)
        packages += ["jax", "libtpu"]
    print("written:", write(args.name, content, packages))


if __name__ == "__main__":
    main()

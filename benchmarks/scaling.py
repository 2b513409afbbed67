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
CHIP, SLICES = "v5e", ("1x1", "2x2", "16x16")
VOCABULARY, STEP = 8000, 256
MODEL = {
    "what": "language_modeling: embedding, ZoneoutLSTM, softmax; Adam, float32",
    "vocabulary": VOCABULARY,
    "length": LENGTH,
    "chip": CHIP,
}
KEPT = (
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


def replicas(tasks, rounds, seconds):
    """Dict from tasks to seconds of an epoch, on one logical CPU and on two."""
    from harness import race, ratio

    found = {}
    for task in tasks:
        times = race({n: (trainer, task, n) for n in (1, 2)}, rounds, seconds)
        found[task] = {
            "seconds_an_epoch": {str(n): median(times[n]["times"]) for n in (1, 2)},
            "two_to_one": ratio(times, 2, 1),
            "memory_mb": {str(n): times[n]["memory"] for n in (1, 2)},
        }
        print(task, found[task], flush=True)
    return found


# === On paper ===


def train(units, topologies, rows):
    """What the compiler says of a step of a language model's training, dicts."""
    from tasks.tpu.check import check

    options = {"units": units, "embedding_dim": units, "vocabulary": VOCABULARY}
    asked = (["jax"], rows, LENGTH, options, ["train"])
    found = []
    for one in check("language_modeling", CHIP, topologies, *asked):
        kept = {k: one[k] for k in KEPT if k in one}
        found.append({"units": units, **kept})
        print(found[-1], flush=True)
    return found


def slices(units):
    """What each chip has to do: of one batch, and with the same rows on each chip."""
    same = train(units, SLICES, ROWS * chips_of(SLICES[-1]))
    each = [train(units, [name], ROWS * chips_of(name))[0] for name in SLICES[:-1]]
    return {
        "units": units,
        "same_batch": same,
        # The largest slice has so many rows a chip in either case.
        "same_rows_a_chip": [*each, same[-1]],
    }


def chips_of(topology):
    """Number of chips of a slice."""
    rows, columns = map(int, topology.split("x"))
    return rows * columns


def expected(sizes):
    """The largest `units`, a multiple of 256, by a line through what was compiled.

    Memory grows in a line with the bytes of the weights, as gradients and the moments
    of Adam do.
    """
    (x, y), (x2, y2) = ((s["trainable_bytes"], s["needed_bytes"]) for s in sizes[-2:])
    slope = (y2 - y) / (x2 - x)
    most, units = sizes[-1]["available_bytes"], sizes[-1]["units"]
    while y + slope * (4 * parameters(units + STEP) - x) <= most:
        units += STEP
    return units


def parameters(units):
    """Numbers of the language model: an embedding, an LSTM, a softmax."""
    return 2 * VOCABULARY * units + VOCABULARY + 8 * units**2 + 4 * units


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--part",
        choices=("replicas", "slices", "largest", "limit"),
        nargs="+",
        default=["replicas", "slices", "largest", "limit"],
        help="all by default; what others have found is kept",
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--units", type=int, default=256, help="of the model on slices")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1024, 2048], help="for the line"
    )
    parser.add_argument("--name", default="scaling", help="of the file of results")
    args = parser.parse_args()
    from harness import RESULTS, load, write

    packages = ["tensorflow", "keras"]
    path = RESULTS / f"{args.name}.json"
    for part in args.part:
        if part == "replicas":
            begun = load()
            found = replicas(args.tasks, args.rounds, args.seconds)
            found = {"rows": ROWS, "load_at_begin": begun, "tasks": found}
        elif part == "slices":
            found = slices(args.units)
        elif part == "largest":
            sizes = [train(units, ["1x1"], ROWS)[0] for units in args.sizes]
            found = {"sizes": sizes, "expected_units": expected(sizes)}
            found["expected_parameters"] = parameters(found["expected_units"])
        else:  # whether the compiler agrees
            units = json.loads(path.read_text())["largest"]["expected_units"]
            found = [train(n, ["1x1"], ROWS)[0] for n in (units, units + 2 * STEP)]
        # What other parts, or other runs, have found is kept.
        content = json.loads(path.read_text()) if path.is_file() else {}
        content = {k: v for k, v in content.items() if k not in ("machine", "versions")}
        content |= {"model": MODEL, part: found}
        if part != "replicas":
            packages = ["tensorflow", "keras", "jax", "libtpu"]
        print("written:", write(args.name, content, packages), flush=True)


if __name__ == "__main__":
    main()

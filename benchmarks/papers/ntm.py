"""Neural Turing Machine on copy, repeat copy and associative recall, beside an LSTM.

The tasks and sizes are those of Graves et al. (2014): 8 bits, lengths up to 20 (copy)
and up to 10 repeated up to 10 times (repeat copy), up to 6 items of 3 vectors of 6 bits
(associative recall); a memory of 128 slots of 20 and an LSTM of 100 units as
controller. Their feed-forward controller of associative recall has 4 heads and 256
units. The memory starts as a constant and training uses Adam, as in Collier and
Beel (2018). The tests go beyond what was trained: copies of up to 120 vectors, and 12
items and more. Success is no wrong bit; everything else is a miss, and stands there as
it came out. Beside it is an LSTM of 256 units, with more weights than the machine.

Where sizes grow (`--curriculum N`), training begins with the smallest, in repeat copy
with one copy, and reaches the longest after N batches: an idea of Zaremba and Sutskever
(2014), not of the machine's authors.

    python benchmarks/papers/ntm.py copy --seeds 1 2 3 --steps 10000

A killed run goes on from its last look; trained models stay in `runs/papers`.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
from experiment import Runs, arguments, axes, band
from ntm_tasks import TASKS

BATCH, TESTED, SOLVED_LOOKS = 16, 64, 6
MODELS = Path("runs") / "papers" / "ntm"
VARIANTS = {
    "NTM, LSTM controller": {"layer": "ntm", "controller": "lstm"},
    "NTM, feed-forward controller": {"layer": "ntm", "controller": "feed_forward"},
    "LSTM": {"layer": "zoneout_lstm"},
    "NTM, feed-forward controller, 4 heads": {
        "layer": "ntm",
        "controller": "feed_forward",
        **{"controller_units": 256, "read_heads": 4, "write_heads": 4},
    },
}
# What tells a variant from its layer; the rest of its options are sizes.
KINDS = ("layer", "controller")
SIZES = {
    "ntm": {"controller_units": 100, "memory_slots": 128, "memory_width": 20},
    "zoneout_lstm": {"units": 256},
}
QUICK = {
    "ntm": {"controller_units": 16, "memory_slots": 16, "memory_width": 8},
    "zoneout_lstm": {"units": 16},
}


def build(task, layer, sizes, rate, **options):
    """A model from bits and mask to logits of bits."""
    import keras

    import zoo

    inputs = keras.Input((None, task.channels))
    mask = keras.Input((None,), dtype="bool")
    options = {**sizes[layer], **options, "return_sequences": True}
    if layer == "ntm":
        logits = zoo.layers.NTM(task.outputs, name="ntm", **options)(inputs, mask=mask)
    else:
        x = zoo.layers.get(layer, **options)(inputs, mask=mask)
        logits = keras.layers.Dense(task.outputs)(x)
    model = keras.Model([inputs, mask], logits)
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=10.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=True,
    )
    return model


def training_batch(task, seed, step, curriculum=0):
    """The same batch for the same seed and step, padded to one of two lengths.

    Sizes grow to the longest over the first `curriculum` steps.
    """
    random = np.random.default_rng((seed, step))
    part = min(1.0, (step + 1) / curriculum) if curriculum else 1.0
    size = task.random_size(random, part)
    longest = task.steps(*task.longest)
    half = (longest + 1) // 2
    time = half if task.steps(*size) <= half else longest
    inputs, mask, targets, scored = task.make(random, BATCH, time, *size)
    # The loss is the mean over the steps that are scored, whatever the padding.
    return [inputs, mask], targets, scored / scored.mean()


def test(model, task, size, time):
    """Errors of a model on sequences of one size that it has not seen."""
    random = np.random.default_rng((2**31, len(size), *size))
    inputs, mask, targets, scored = task.make(random, TESTED, time, *size)
    logits = np.asarray(model.predict_on_batch([inputs, mask]), "float64")
    scored = scored[..., None] > 0
    wrong = ((logits > 0) != (targets > 0.5)) & scored
    # Bits of information, the paper's measure: -log2 of the probability.
    cost = np.logaddexp(0, np.where(targets > 0.5, -logits, logits)) / np.log(2)
    return {
        "wrong_bits": float(wrong.sum((1, 2)).mean()),
        "wrong_part": float(wrong.sum() / (scored & (targets >= 0)).sum()),
        "cost_bits": float(np.where(scored, cost, 0).sum((1, 2)).mean()),
        "perfect": float((~wrong.any((1, 2))).mean()),
    }


class Training:
    """The training of one model, which goes on where it was killed."""

    def __init__(self, path, batch, task, steps, make):
        self.path, self.batch, self.task, self.make = path, batch, task, make
        self.steps, self.every = steps
        self.curves = {"steps": [], "wrong_bits": [], "cost_bits": []}

    def load(self):
        """The model of the last look, or a new one."""
        import keras

        notes = self.path.with_suffix(".json")
        if not (self.path.exists() and notes.exists()):
            return self.make()
        self.curves = json.loads(notes.read_text("utf-8"))
        return keras.models.load_model(self.path)

    def run(self):
        """Trains; returns the model."""
        model = self.load()
        while not self.done():
            start = self.step
            for step in range(start, min(start + self.every, self.steps)):
                model.train_on_batch(*self.batch(step))
            longest = self.task.longest
            found = test(model, self.task, longest, self.task.steps(*longest))
            self.curves["steps"].append(step + 1)
            for name in ("wrong_bits", "cost_bits"):
                self.curves[name].append(found[name])
            self.save(model)
            shown = ", ".join(f"{k} {v:.4g}" for k, v in found.items())
            print(f"  step {self.step}: {shown}", flush=True)
        return model

    @property
    def step(self):
        return self.curves["steps"][-1] if self.curves["steps"] else 0

    def done(self):
        """After all steps, or when many looks found no wrong bit."""
        last = self.curves["wrong_bits"][-SOLVED_LOOKS:]
        return self.step >= self.steps or (len(last) == SOLVED_LOOKS and not any(last))

    def save(self, model):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        model.save(self.path)
        self.path.with_suffix(".json").write_text(json.dumps(self.curves), "utf-8")


def one_run(training):
    """Trains, tests beyond what was trained, and returns scores and curves."""
    task, model = training.task, training.run()
    time = max(task.steps(*size) for size in task.tests)
    tests = {size: test(model, task, size, time) for size in task.tests}
    scores = {}
    for size, found in tests.items():
        name = "x".join(map(str, size))
        scores |= {f"{k}_at_{name}": v for k, v in found.items()}
    return {
        **scores,
        "steps": training.step,
        "parameters": model.count_params(),
        **{f"curve_{name}": values for name, values in training.curves.items()},
    }


def plot(name, task, found):
    """Learning curves, and errors against the size of the test."""
    figure, (left, right) = axes(2)
    labels = ["x".join(map(str, size)) for size in task.tests]
    for k, (variant, runs) in enumerate(found.items()):
        band(left, runs, "curve_steps", "curve_cost_bits", variant, f"C{k}")
        for run in runs:
            wrong = [run["result"][f"wrong_part_at_{label}"] for label in labels]
            right.plot(labels, wrong, "o-", color=f"C{k}", linewidth=0.8)
    left.set(xlabel=f"batches of {BATCH}", ylabel="bits per sequence", yscale="symlog")
    left.set_title(f"{name.replace('_', ' ')}: cost at the longest trained")
    # Below: six variants would hide the curves.
    handles = left.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    right.set(xlabel=task.label, ylabel="part of bits wrong", ylim=(-0.02, 0.6))
    right.axhline(0.5, color="grey", linewidth=0.6, linestyle=":")
    right.set_title("Tests: trained sizes and beyond (each seed)")
    return figure


def memory_picture(model, task, size):
    """Inputs, outputs and where the heads look: the paper's picture of one sequence."""
    from matplotlib.figure import Figure

    time = task.steps(*size)
    inputs, mask, targets, scored = task.make(np.random.default_rng(7), 1, time, *size)
    logits = np.asarray(model.predict_on_batch([inputs, mask]), "float64")
    outputs = scored[..., None] / (1 + np.exp(-logits))
    read, write = model.get_layer("ntm").weightings(inputs)
    panels = {
        "input": inputs[0],
        "wanted": targets[0],
        "output": outputs[0],
        "write weighting": np.asarray(write)[0, :, 0],
        "read weighting": np.asarray(read)[0, :, 0],
    }
    figure = Figure(figsize=(8, 10), layout="constrained")
    heights = [1, 1, 1, 3, 3]
    for axis, (title, values) in zip(
        figure.subplots(5, 1, sharex=True, height_ratios=heights),
        panels.items(),
        strict=True,
    ):
        axis.imshow(values.T, aspect="auto", cmap="gray", interpolation="nearest")
        axis.set_ylabel(title)
    axis.set_xlabel(f"time step ({task.label} {'x'.join(map(str, size))})")
    return figure


def draw_memory(args, task, trainings, runs):
    """Pictures of the first machine's memory, at a trained size and beyond."""
    for training in trainings:
        if training.path.exists() and "ntm" in training.path.stem:
            model = training.load()
            for size in (task.longest, task.tests[len(task.tests) // 2]):
                name = f"{runs.path.stem}_memory_{'x'.join(map(str, size))}.png"
                memory_picture(model, task, size).savefig(
                    runs.path.with_name(name), dpi=100
                )
                print(f"written: {name}", flush=True)
            return


def main():
    parser = arguments(__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--steps", type=int, default=10_000, help="batches at most")
    parser.add_argument("--every", type=int, default=250, help="batches between looks")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument(
        "--curriculum",
        type=int,
        default=0,
        metavar="N",
        help="batches over which sizes grow to the longest (default: all from the "
        "first)",
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=VARIANTS,
        default=["NTM, LSTM controller", "LSTM"],
    )
    args = parser.parse_args()
    task, sizes = TASKS[args.task], SIZES
    if args.quick:
        args.seeds, args.steps, args.every, sizes = args.seeds[:1], 20, 10, QUICK
    runs = Runs(f"ntm_{args.task}", " ".join(__doc__.split()), args)
    trainings = []
    for seed in args.seeds:
        for variant in args.variants:
            options = VARIANTS[variant]
            settings = {
                **{"steps": args.steps, "batch": BATCH},
                **{"learning_rate": args.learning_rate, **sizes[options["layer"]]},
                **{k: v for k, v in options.items() if k not in KINDS},
            }
            if args.curriculum:
                settings["curriculum"] = args.curriculum
                variant += ", sizes grow"
            training = Training(
                MODELS / file_name(args.task, {**options, **settings}, seed),
                partial(training_batch, task, seed, curriculum=args.curriculum),
                task,
                (args.steps, args.every),
                partial(build, task, sizes=sizes, rate=args.learning_rate, **options),
            )
            trainings.append(training)
            runs.run(variant, seed, settings, lambda _, t=training: one_run(t))
    found = {}
    for run in runs.runs:
        found.setdefault(run["variant"], []).append(run)
    runs.save(plot(args.task, task, found))
    draw_memory(args, task, trainings, runs)


def file_name(task, settings, seed):
    words = [task, *(str(value) for value in settings.values()), f"seed{seed}"]
    return "_".join(words) + ".keras"


if __name__ == "__main__":
    main()

"""The adding problem: IndRNN bridges thousands of steps, an LSTM beside it.

A sequence has two rows: numbers from 0 to 1, and marks at two steps, one in each half.
The target is the sum of the two marked numbers, asked for at the end. Answering 1
always has a mean squared error (MSE) of 0.167; below 0.01 the problem counts as
solved. After Le et al. (2015) and Li et al. (2018).

IndRNN's kernels start small (normal, 0.01): units that forget nothing add up all that
comes in. Each batch is new. Training ends when the MSE on 500 other sequences, the same
for all runs of a length, is below 0.01, or when its steps are used up.
"""

import numpy as np
from experiment import Runs, arguments, axes, band
from training import train

BASELINE, SOLVED = 0.167, 0.01
BATCH, UNITS, TESTS = 50, 128, 500
VARIANTS = ("IndRNN", "LSTM")
# Longer sequences take smaller steps: a recurrent weight's effect grows with them.
LEARNING_RATES = {500: 1e-3, 1000: 1e-3, 2000: 5e-4, 5000: 2e-4}
# Step at which the rate begins to fall, to nothing: at the longest the error leaps to
# and fro while the rate stays.
FALLS_FROM = {5000: 5400}


def sequences(random, count, length):
    """Inputs `(count, length, 2)` and targets `(count, 1)`, float32."""
    if length < 2:
        raise ValueError(f"Two marks need at least two steps. Received: {length}")
    inputs = np.zeros((count, length, 2), "float32")
    inputs[..., 0] = random.random((count, length), "float32")
    rows, half = np.arange(count), length // 2
    for low, high in ((0, half), (half, length)):
        inputs[rows, random.integers(low, high, count), 1] = 1
    return inputs, np.sum(inputs[..., 0] * inputs[..., 1], 1, keepdims=True)


def build(variant, length, learning_rate):
    """Two layers of IndRNN, or one of LSTM, that answer at the end.

    Args:
        variant: Of `VARIANTS`.
        length: Steps of a sequence.
        learning_rate: Float, or Keras schedule.
    """
    import keras

    import zoo

    inputs = x = keras.Input((length, 2), batch_size=BATCH)
    if variant == "IndRNN":
        for last in (False, True):
            small = keras.initializers.RandomNormal(stddev=0.01)
            x = zoo.layers.get(
                "ind_rnn",
                units=UNITS,
                time_steps=length,
                long_memory=last,
                kernel_initializer=small,
                return_sequences=not last,
            )(x)
    else:
        x = zoo.layers.get("zoneout_lstm", units=UNITS)(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    optimizer = keras.optimizers.Adam(learning_rate, global_clipnorm=1.0)
    model.compile(optimizer, "mse", jit_compile=True)
    return model


def solve(seed, variant, length, steps, every, learning_rate, falls_from=None):
    """Trains until the problem is solved or the steps are used up."""
    inputs, targets = sequences(np.random.default_rng(10_000), TESTS, length)
    if falls_from is not None:
        learning_rate = falling(learning_rate, falls_from, steps)
    model = build(variant, length, learning_rate)
    random = np.random.default_rng(seed)

    def look(model):
        answers = model.predict(inputs, batch_size=BATCH, verbose=0)
        mse = float(np.mean((answers - targets) ** 2))
        return {"mse": mse}, mse < SOLVED

    def batch():
        return sequences(random, BATCH, length)

    found = train(model, batch, steps, every, look)
    return {"solved": found["stopped"] == "solved", "parameters": _size(model), **found}


def falling(rate, start, end):
    """Schedule: a rate that stays until step `start`, and is 0 at step `end`."""
    from keras.optimizers.schedules import CosineDecay

    # What Keras calls a warm-up may as well stay.
    return CosineDecay(rate, end - start, warmup_target=rate, warmup_steps=start)


def _size(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def plot(found):
    """One plot for each length: test MSE over steps of training."""
    lengths = sorted({length for length, _ in found})
    figure, all_axes = axes(len(lengths), width=4.5)
    for axis, length in zip(all_axes, lengths, strict=True):
        for k, variant in enumerate(VARIANTS):
            runs = found.get((length, variant), [])
            if runs:
                solved = sum(run["result"]["solved"] for run in runs)
                label = f"{variant}: {solved} of {len(runs)} solved"
                band(axis, runs, "curve_steps", "curve_mse", label, f"C{k}")
        axis.axhline(BASELINE, color="black", linewidth=0.8, linestyle=":")
        axis.axhline(SOLVED, color="black", linewidth=0.8)
        axis.set(title=f"T = {length}", xlabel="steps of training", yscale="log")
        axis.set(ylim=(1e-3, 1), xlim=(0, None))
        axis.legend(fontsize=8, loc="upper right")
    all_axes[0].set_ylabel("test MSE (dotted: always 1; line: solved)")
    return figure


def main():
    parser = arguments(__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[500, 1000, 5000])
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--steps", type=int, default=10_000, help="most, of each run")
    args = parser.parse_args()
    every = 100
    if args.quick:
        args.lengths, args.seeds, args.steps, every = [50], args.seeds[:1], 200, 50
    runs = Runs("adding", " ".join(__doc__.split()), args)
    for length in args.lengths:
        for variant in args.variants:
            for seed in args.seeds:
                settings = {
                    "length": length,
                    "steps": args.steps,
                    "every": every,
                    "learning_rate": LEARNING_RATES.get(length, 1e-3),
                }
                if FALLS_FROM.get(length, args.steps) < args.steps:
                    settings["falls_from"] = FALLS_FROM[length]

                def one(seed, variant=variant, settings=settings):
                    return solve(seed, variant, **settings)

                runs.run(variant, seed, settings, one)
    if not args.quick:
        for length in LEARNING_RATES:
            for variant in VARIANTS:
                runs.want(variant, length=length)
    found = {}
    for run in runs.runs:
        key = run["settings"]["length"], run["variant"]
        found.setdefault(key, []).append(run)
    runs.save(plot(found))


if __name__ == "__main__":
    main()

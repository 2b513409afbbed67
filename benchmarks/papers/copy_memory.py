"""Copying memory: ten symbols are shown, and asked for 500 steps later.

Ten symbols of eight, then blanks, then a mark, after which the ten are to be given
back in order: T + 20 steps, as Arjovsky et al. (2016). Who remembers nothing answers
blank until the mark and then guesses, with a cross-entropy of 10 ln 8 / (T + 20) per
step, 0.040 for T = 500, and a recall of 0.125. A recall above 0.99 counts as solved.

Each batch is new; what is measured are 500 other sequences, the same for all runs.

The linear RNN has an orthogonal recurrent kernel at first, which turns the state and
loses nothing, as in Henaff et al. (2016); where that kernel is fixed, only what goes in
and what comes out is learned.
"""

import numpy as np
from experiment import Runs, arguments, axes, band
from training import train

SYMBOLS, SHOWN = 8, 10
BLANK, MARK = 0, SYMBOLS + 1
BATCH, UNITS, TESTS = 50, 128, 500
FIXED = "linear RNN, recurrence fixed"
VARIANTS = ("IndRNN", "LSTM", "QRNN", "linear RNN", FIXED)
# A step of Adam is the same for all weights: small enough for a kernel to stay near
# orthogonal, and large where there is none to spoil.
LEARNING_RATES = {"linear RNN": 3e-4, FIXED: 1e-2}


def sequences(random, count, length):
    """One-hot inputs `(count, length + 20, 10)` and targets `(count, length + 20)`."""
    symbols = random.integers(1, SYMBOLS + 1, (count, SHOWN))
    tokens = np.full((count, length + 2 * SHOWN), BLANK)
    tokens[:, :SHOWN] = symbols
    tokens[:, length + SHOWN - 1] = MARK
    targets = np.full_like(tokens, BLANK)
    targets[:, -SHOWN:] = symbols
    return np.eye(MARK + 1, dtype="float32")[tokens], targets


def guessing(length):
    """Cross-entropy of the best answer without memory."""
    return SHOWN * np.log(SYMBOLS) / (length + 2 * SHOWN)


def build(variant, length, learning_rate):
    """Two layers of IndRNN or QRNN, or one of the others; they answer at every step."""
    import keras

    import zoo

    time = length + 2 * SHOWN
    inputs = x = keras.Input((time, MARK + 1), batch_size=BATCH)
    small = keras.initializers.RandomNormal(stddev=0.1)
    linear = {"activation": "linear", "kernel_initializer": small}
    name, options, depth = {
        "linear RNN": ("simple_rnn", linear, 1),
        FIXED: ("simple_rnn", linear, 1),
        "IndRNN": ("ind_rnn", {"time_steps": time}, 2),
        "QRNN": ("qrnn", {"window": 2, "pooling": "fo"}, 2),
        "LSTM": ("zoneout_lstm", {}, 1),
    }[variant]
    for _ in range(depth):
        layer = zoo.layers.get(name, units=UNITS, return_sequences=True, **options)
        x = layer(x)
    if variant == FIXED:
        layer.recurrent_kernel.trainable = False
    model = keras.Model(inputs, keras.layers.Dense(SYMBOLS + 1)(x))
    model.compile(
        keras.optimizers.Adam(learning_rate, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    return model


def remember(seed, variant, length, steps, every, learning_rate):
    """Trains until the ten symbols come back or the steps are used up."""
    inputs, targets = sequences(np.random.default_rng(10_000), TESTS, length)
    model = build(variant, length, learning_rate)
    random = np.random.default_rng(seed)

    def look(model):
        loss, right = [], []
        for start in range(0, TESTS, BATCH):
            rows = slice(start, start + BATCH)
            logits = model.predict_on_batch(inputs[rows])
            found = log_softmax(logits.astype("float64"))
            there = np.take_along_axis(found, targets[rows, :, None], -1)
            loss.append(-np.mean(there))
            answers = np.argmax(logits[:, -SHOWN:, 1:], -1) + 1
            right.append(np.mean(answers == targets[rows, -SHOWN:]))
        recall = float(np.mean(right))
        return {"cross_entropy": float(np.mean(loss)), "recall": recall}, recall > 0.99

    def batch():
        return sequences(random, BATCH, length)

    found = train(model, batch, steps, every, look)
    return {"solved": found["stopped"] == "solved", **found}


def log_softmax(logits):
    """Logarithms of probabilities."""
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.sum(np.exp(logits), -1, keepdims=True))


def plot(found, length):
    """Cross-entropy and recall over steps of training."""
    figure, (left, right) = axes(2)
    for k, variant in enumerate(VARIANTS):
        runs = found.get(variant, [])
        if runs:
            band(left, runs, "curve_steps", "curve_cross_entropy", variant, f"C{k}")
            band(right, runs, "curve_steps", "curve_recall", variant, f"C{k}")
    left.axhline(guessing(length), color="black", linewidth=0.8, linestyle=":")
    left.set(xlabel="steps of training", ylabel="cross-entropy (dotted: guessing)")
    left.set(yscale="log", title=f"Copying memory, T = {length}")
    right.axhline(1 / SYMBOLS, color="black", linewidth=0.8, linestyle=":")
    right.set(xlabel="steps of training", ylabel="recall of the ten symbols")
    right.set(ylim=(0, 1.02), title="Dotted: guessing")
    right.legend(fontsize=8)
    return figure


def main():
    parser = arguments(__doc__)
    parser.add_argument("--length", type=int, default=500, help="T, of the blanks")
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--steps", type=int, default=5000, help="most, of each run")
    args = parser.parse_args()
    settings = {"length": args.length, "steps": args.steps, "every": 100}
    if args.quick:
        args.seeds = args.seeds[:1]
        settings = {**settings, "length": 20, "steps": 100, "every": 50}
    runs = Runs("copy_memory", " ".join(__doc__.split()), args)
    for seed in args.seeds:
        for variant in args.variants:
            own = {**settings, "learning_rate": LEARNING_RATES.get(variant, 1e-3)}

            def one(seed, variant=variant, own=own):
                return remember(seed, variant, **own)

            runs.run(variant, seed, own, one)
    for variant in VARIANTS:
        runs.want(variant, length=settings["length"])
    found = {}
    for run in runs.runs:
        if run["settings"]["length"] == settings["length"]:
            found.setdefault(run["variant"], []).append(run)
    runs.save(plot(found, settings["length"]))


if __name__ == "__main__":
    main()

"""Zoneout against none and against dropout, on permuted sequences of pixels.

The 8 × 8 digits of scikit-learn are read one pixel at a time, in an order that is
random but the same for all: 64 steps, 10 classes, chance is 0.1. This is Krueger et
al.'s (2017) experiment on permuted MNIST at a size that runs on one core in minutes;
the LSTM and zoneout's rate are theirs (100 units, 0.15).

For every seed, the split into training, validation and test (60, 20, 20 %), the order
of the pixels and the first weights are new, and the same for all variants. The epoch
is chosen on the validation part, and the accuracy on the test part is that of the
chosen epoch.
"""

import numpy as np
from experiment import Runs, arguments, axes, band, spread

VARIANTS = {
    "none": {},
    "zoneout 0.15": {"zoneout_h": 0.15, "zoneout_c": 0.15},
    "recurrent dropout 0.25": {"recurrent_dropout": 0.25},
    "dropout 0.5 of the last output": {"output_dropout": 0.5},
}
BATCH = 64


def digits(seed):
    """Permuted digits: dict from part to `(inputs (n, 64, 1), labels (n,))`."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    order = np.random.default_rng(seed).permutation(data.data.shape[1])
    pixels = (data.data[:, order, None] / 16).astype("float32")
    train, rest, train_y, rest_y = train_test_split(
        pixels, data.target, test_size=0.4, random_state=seed, stratify=data.target
    )

    dev, test, dev_y, test_y = train_test_split(
        rest, rest_y, test_size=0.5, random_state=seed, stratify=rest_y
    )
    return {
        "train": (train, train_y),
        "validation": (dev, dev_y),
        "test": (test, test_y),
    }


def build(units, learning_rate, output_dropout=0.0, **options):
    """An LSTM that reads pixels and names the digit."""
    import keras

    import zoo

    inputs = keras.Input((64, 1))
    x = zoo.layers.get("zoneout_lstm", units=units, **options)(inputs)
    if output_dropout:
        x = keras.layers.Dropout(output_dropout)(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    model.compile(
        keras.optimizers.Adam(learning_rate, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True,
    )
    return model


def train(seed, options, epochs, units, learning_rate):
    """Trains one variant; returns its scores and curves."""
    parts = digits(seed)
    model = build(units, learning_rate, **options)
    random = np.random.default_rng(seed)
    curves = {name: [] for name in ("epochs", "train", "validation", "test")}
    for epoch in range(1, epochs + 1):
        order = random.permutation(len(parts["train"][0]))
        whole = len(order) // BATCH * BATCH  # batches of one shape compile once
        for rows in order[:whole].reshape(-1, BATCH):
            model.train_on_batch(*(x[rows] for x in parts["train"]))
        curves["epochs"].append(epoch)
        for name, (x, y) in parts.items():
            right = np.argmax(model.predict_on_batch(x), -1) == y
            curves[name].append(float(np.mean(right)))
        if epoch % 10 == 0:
            shown = ", ".join(f"{k} {v[-1]:.3f}" for k, v in curves.items())
            print(f"  {shown}", flush=True)
    best = int(np.argmax(curves["validation"]))
    return {
        "test_accuracy": curves["test"][best],
        "validation_accuracy": curves["validation"][best],
        "train_accuracy": curves["train"][best],
        "epoch": best + 1,
        "steps": epochs * (whole // BATCH),
        **{f"curve_{name}": values for name, values in curves.items()},
    }


def plot(found):
    """Curves of accuracy, and the chosen epochs' test accuracy of each seed."""
    figure, (left, right) = axes(2)
    names = list(found)
    for k, (name, runs) in enumerate(found.items()):
        band(left, runs, "curve_epochs", "curve_validation", name, f"C{k}")
        scores = [run["result"]["test_accuracy"] for run in runs]
        right.plot([k] * len(scores), scores, "o", color=f"C{k}", alpha=0.6)
        right.plot([k - 0.25, k + 0.25], [np.mean(scores)] * 2, color=f"C{k}")
    left.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    left.set_title("Permuted digits: seeds thin, median thick")
    left.legend(fontsize=8, loc="lower right")
    labels = [name.replace(" of the", "\nof the") for name in names]
    right.set_xticks(range(len(names)), labels, fontsize=7)
    right.set(ylabel="test accuracy of the chosen epoch", title="Each seed, and mean")
    return figure


def main():
    parser = arguments(__doc__, seeds=(1, 2, 3, 4, 5))
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args()
    settings = {"units": 100, "learning_rate": 2e-3, "epochs": args.epochs}
    if args.quick:
        args.seeds, settings = args.seeds[:1], {**settings, "units": 16, "epochs": 3}
    runs = Runs("permuted_digits", " ".join(__doc__.split()), args)
    found = {name: [] for name in VARIANTS}
    for seed in args.seeds:
        for name, options in VARIANTS.items():

            def one(seed, options=options):
                return train(seed, options, **settings)

            run = runs.run(name, seed, {**settings, "options": options}, one)
            found[name] += [run] if run else []
    for name in VARIANTS:
        runs.want(name)
    found = {name: members for name, members in found.items() if members}
    for name, members in found.items():
        scores = spread([run["result"]["test_accuracy"] for run in members])
        print(f"{name}: {scores}")
    runs.save(plot(found))


if __name__ == "__main__":
    main()

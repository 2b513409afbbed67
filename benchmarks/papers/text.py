"""QRNN and IndRNN against an LSTM on real text: the sentiment of sentences (SST-2).

Two bidirectional layers of 128 units read a sentence of the Stanford Sentiment
Treebank (Socher et al., 2013; 6920 training, 872 validation and 1821 test sentences);
the mean over its words goes to a logistic regression. The words' vectors are learned
from these sentences alone, so that the score says what the layers make of little text.
Naming the class that is more frequent in training scores 0.499; as an anchor,
Tai et al. (2015) had 0.849 with an LSTM and 0.875 with a bidirectional one, on vectors
pretrained on 840 billion words.

The epoch is chosen on the validation sentences. The data are for research and are not
part of this project: `--data-dir` names a folder with `train.tsv`, `dev.tsv` and
`test.tsv`, a sentence and its label a line, with a tab between them.
"""

import time
from collections import Counter
from pathlib import Path

import numpy as np
from experiment import Runs, arguments, axes, band, spread

VARIANTS = {
    "LSTM": ("zoneout_lstm", {}),
    "QRNN": ("qrnn", {"window": 2, "pooling": "fo"}),
    "IndRNN": ("ind_rnn", {}),
}
BATCH, LENGTH = 64, 56
PADDING, UNKNOWN = 0, 1


def read(folder):
    """Sentences of the three parts: lists of (words, label)."""
    parts = {}
    names = {"train": "train", "validation": "dev", "test": "test"}
    for part, name in names.items():
        lines = (Path(folder) / f"{name}.tsv").read_text("utf-8").splitlines()
        pairs = [line.rsplit("\t", 1) for line in lines if line.strip()]
        parts[part] = [(text.split(), int(label)) for text, label in pairs]
    return parts


def vocabulary(sentences, least=2):
    """Numbers of the words that occur at least that often, the most frequent first."""
    counts = Counter(word for words, _ in sentences for word in words)
    kept = sorted((-n, word) for word, n in counts.items() if n >= least)
    return {word: number for number, (_, word) in enumerate(kept, UNKNOWN + 1)}


def encode(sentences, numbers, length):
    """Token ids `(sentences, length)`, and labels; longer sentences lose their end."""
    ids = np.full((len(sentences), length), PADDING, "int32")
    for row, (words, _) in zip(ids, sentences, strict=True):
        found = [numbers.get(word, UNKNOWN) for word in words[:length]]
        row[: len(found)] = found
    return ids, np.array([label for _, label in sentences], "float32")


def build(variant, words, units, learning_rate, dropout):
    """Embedding, two bidirectional layers, mean over valid words, logit."""
    import keras
    from keras import ops

    import zoo

    name, options = VARIANTS[variant]
    ids = keras.Input((LENGTH,), BATCH, dtype="int32")
    mask = ops.not_equal(ids, PADDING)
    x = keras.layers.Embedding(words, 128)(ids)
    for _ in range(2):
        x = keras.layers.Dropout(dropout)(x)
        layer = zoo.layers.get(name, units=units, return_sequences=True, **options)
        x = zoo.layers.Bidirectional(layer)(x, mask=mask)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.GlobalAveragePooling1D()(x, mask=mask)
    model = keras.Model(ids, keras.layers.Dense(1)(x))
    model.compile(
        keras.optimizers.Adam(learning_rate, global_clipnorm=1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        # On a CPU, XLA's random numbers for dropout cost more than two QRNN layers.
        jit_compile=keras.config.backend() == "jax",
    )
    return model


def accuracy(model, ids, labels):
    """Part of the labels that are right; batches are filled up to one shape."""
    padded = np.resize(ids, (-(-len(ids) // BATCH) * BATCH, ids.shape[1]))
    logits = [
        model.predict_on_batch(padded[start : start + BATCH])
        for start in range(0, len(padded), BATCH)
    ]
    answers = np.concatenate(logits)[: len(ids), 0] > 0
    return float(np.mean(answers == labels))


def train(seed, variant, parts, epochs, **options):
    """Trains one variant; returns its scores and curves."""
    numbers = vocabulary(parts["train"])
    arrays = {name: encode(part, numbers, LENGTH) for name, part in parts.items()}
    model = build(variant, len(numbers) + UNKNOWN + 1, **options)
    random = np.random.default_rng(seed)
    curves = {name: [] for name in ("epochs", "validation", "test")}
    ids, labels = arrays["train"]
    spent = []
    for epoch in range(1, epochs + 1):
        order = random.permutation(len(ids))[: len(ids) // BATCH * BATCH]
        start = time.process_time()
        for rows in order.reshape(-1, BATCH):
            model.train_on_batch(ids[rows], labels[rows, None])
        spent.append(time.process_time() - start)
        curves["epochs"].append(epoch)
        for name in ("validation", "test"):
            curves[name].append(accuracy(model, *arrays[name]))
        print(f"  {', '.join(f'{k} {v[-1]:.3f}' for k, v in curves.items())}")
    best = int(np.argmax(curves["validation"]))
    return {
        "test_accuracy": curves["test"][best],
        "validation_accuracy": curves["validation"][best],
        "epoch": best + 1,
        "steps": epochs * (len(ids) // BATCH),
        "cpu_seconds_per_epoch": round(min(spent), 2),
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        **{f"curve_{name}": values for name, values in curves.items()},
    }


def plot(found):
    """Validation accuracy over epochs, and the test accuracy of each seed."""
    figure, (left, right) = axes(2)
    for k, (name, runs) in enumerate(found.items()):
        band(left, runs, "curve_epochs", "curve_validation", name, f"C{k}")
        scores = [run["result"]["test_accuracy"] for run in runs]
        right.plot([k] * len(scores), scores, "o", color=f"C{k}", alpha=0.6)
        right.plot([k - 0.25, k + 0.25], [np.mean(scores)] * 2, color=f"C{k}")
    left.set(xlabel="epoch", ylabel="validation accuracy")
    left.set_title("SST-2: seeds thin, median thick")
    left.legend(fontsize=8, loc="lower right")
    right.set_xticks(range(len(found)), list(found))
    right.set(ylabel="test accuracy of the chosen epoch", title="Each seed, and mean")
    return figure


def main():
    parser = arguments(__doc__)
    parser.add_argument("--data-dir", required=True, help="folder of SST-2")
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    parts = read(args.data_dir)
    settings = {"epochs": args.epochs, "units": 128, "learning_rate": 1e-3}
    settings["dropout"] = 0.5
    if args.quick:
        parts = {name: part[: 10 * BATCH] for name, part in parts.items()}
        args.seeds, settings = args.seeds[:1], {**settings, "units": 16, "epochs": 2}
    runs = Runs("text", " ".join(__doc__.split()), args)
    found = {name: [] for name in VARIANTS}
    for seed in args.seeds:
        for variant in VARIANTS:

            def one(seed, variant=variant):
                return train(seed, variant, parts, **settings)

            run = runs.run(variant, seed, settings, one)
            found[variant] += [run] if run else []
    for name in VARIANTS:
        runs.want(name)
    found = {name: members for name, members in found.items() if members}
    for name, members in found.items():
        scores = spread([run["result"]["test_accuracy"] for run in members])
        print(f"{name}: {scores}")
    runs.save(plot(found))


if __name__ == "__main__":
    main()

"""What the recipes of classifiers share: how they start, training, the card."""

import functools
from collections import Counter
from pathlib import Path

import zoo
from tasks.data.labelled import tokens_of
from tasks.metrics.classification import classification_scores
from tasks.recipes import runs as recipe_runs
from tasks.recipes import tagging
from tasks.recipes.open_text import add_arguments as add_encoder_arguments
from tasks.recipes.open_text import extended_vocabularies, open_text_encoder
from tasks.text_classification import TextClassifier

# What `open_text` makes fits a single layer of this size alone.
ENCODER = {"layer": "zoneout_lstm", "units": 200, "num_layers": 1}
ENCODER_WORDS = {"char_encoder": "cnn", "casing_dim": 8}


def add_arguments(parser, epochs, learning_rate):
    """Adds what all of these recipes take."""
    add_encoder_arguments(parser)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument(
        "--ablation-seeds", type=int, nargs="*", default=[1], help="of other variants"
    )


def start(args, variant, examples, labels, options):
    """An untrained classifier that starts as a variant says.

    Args:
        args: Parsed arguments.
        variant: `tasks.recipes.tagging.Variant`: its stage is `"language_model"` or
            `"parts"` for all of the encoder of open text, `"vectors"` for GloVe's
            vectors alone, `None` for nothing.
        examples: Training examples, for words to add to the vocabulary.
        labels: Names of the classes.
        options: Options of `TextClassifier` that all variants share.
    """
    folders = open_text_encoder(args, variant.vectors)
    first = folders["language_model"]
    tokens = [tokens_of(text) for text, _ in examples]
    words, characters, own_words = extended_vocabularies(first, tokens)
    sizes = {**tagging.encoder_options(first), "own_words": own_words}
    classifier = TextClassifier(
        labels, words, characters, **{**sizes, **options, **variant.options}
    )
    if variant.stage is not None:
        only = ("word_vectors",) if variant.stage == "vectors" else None
        stage = "language_model" if variant.stage == "vectors" else variant.stage
        tagging.load_encoder(classifier, folders[stage], only)
    return classifier


def run(args, recipe, data, options, fit):
    """Trains all variants, and writes the best classifier with its card.

    Args:
        args: Parsed arguments.
        recipe: The recipe's module, with `NAME`, `LABELS`, `VARIANTS`, `FRONT` and
            `EXAMPLES`.
        data: Dict of lists of `(text, label)`: `"train"`, `"dev"` and `"test"`.
        options: Options of `TextClassifier` that all variants share.
        fit: Dict of further arguments of `TextClassifier.fit`.
    """
    output = Path(args.output)
    runs = recipe_runs.Runs(output / "runs")
    train = functools.partial(train_one, args, recipe, data, options, fit)
    recipe_runs.run_variants(runs, recipe.VARIANTS, args, train)
    found = runs.results
    seed = max(args.seeds, key=lambda s: found[f"full/{s}"]["development_accuracy"])
    classifier = zoo.load(runs.folder / "full" / str(seed) / "preset")
    classifier.show_examples(recipe.EXAMPLES)
    recipe_runs.publish(
        recipe.NAME,
        output,
        runs,
        classifier,
        lambda task: task.evaluate(data["test"]),
        front=recipe.FRONT,
        body=Path(recipe.__file__).with_suffix(".md"),
        baseline=frequent_label_baseline(data["train"], data["test"], recipe.LABELS),
        score="accuracy",
        scores=("accuracy", "f1", "calibration_error"),
        percent=True,
    )


def train_one(args, recipe, data, options, fit, variant, folder, seed):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    classifier = start(args, variant, data["train"], recipe.LABELS, options)
    history = classifier.fit(
        data["train"],
        data["dev"],
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=seed,
        verbose=2,
        checkpoint_dir=folder / "state",
        **fit,
    )
    classifier.calibrate(data["dev"])
    classifier.save(folder / "preset")
    best = max(history.history["val_accuracy"])
    return {**classifier.evaluate(data["test"]), "development_accuracy": best}


def frequent_label_baseline(train, test, labels):
    """Scores of giving every text the labels as often as they come in training."""
    counts = Counter(label for _, label in train)
    chances = [counts[label] / len(train) for label in labels]
    truth = [labels.index(label) for _, label in test]
    return classification_scores(truth, [chances] * len(test))

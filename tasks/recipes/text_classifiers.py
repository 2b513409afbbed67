"""What the recipes of classifiers share: training, scores, the card."""

import functools
from collections import Counter
from pathlib import Path

import zoo
from tasks.metrics.classification import classification_scores
from tasks.recipes import runs as recipe_runs


def run(args, recipe, data, fit):
    """Trains all variants, and writes the best classifier with its card.

    Args:
        args: Parsed arguments.
        recipe: The recipe's module, with `NAME`, `LABELS`, `VARIANTS`, `FRONT`,
            `EXAMPLES`, and a function `start(args, variant, data)`.
        data: Dict of lists of `(text, label)`: `"train"`, `"dev"` and `"test"`.
        fit: Dict of further arguments of `TextClassifier.fit`.
    """
    output = Path(args.output)
    runs = recipe_runs.Runs(output / "runs")
    train = functools.partial(train_one, args, recipe, data, fit)
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


def train_one(args, recipe, data, fit, variant, folder, seed):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    classifier = recipe.start(args, variant, data)
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

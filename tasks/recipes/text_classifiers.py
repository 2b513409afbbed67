"""What the recipes of classifiers share: training, scores, the card."""

import functools
from collections import Counter

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
    train = functools.partial(train_one, recipe=recipe, data=data, fit=fit)
    naive = frequent_label_baseline(data["train"], data["test"], recipe.LABELS)
    recipe_runs.run_recipe(
        args,
        recipe,
        data,
        train,
        best=max,
        key="development_accuracy",
        baseline=lambda _: naive,
        score="accuracy",
        scores=("accuracy", "f1", "calibration_error"),
        percent=True,
    )


def train_one(args, variant, folder, seed, *, recipe, data, fit):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    classifier = recipe.start(args, variant, data)
    history = recipe_runs.fit(classifier, args, data, folder, seed, **fit)
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

"""What the recipes of classifiers share: training, scores, the card."""

import functools
from collections import Counter

import zoo
from tasks.metrics.classification import classification_scores
from tasks.recipes import runs as recipe_runs


def run(args, recipe, data, fit, reads=None):
    """Trains all variants, and writes the best classifier with its card.

    Args:
        args: Parsed arguments.
        recipe: The recipe's module, with `NAME`, `LABELS`, `VARIANTS`, `FRONT`,
            `EXAMPLES`, and a function `start(args, variant, data)`.
        data: Dict of lists of `(text, label)`: `"train"`, `"dev"` and `"test"`.
        fit: Dict of further arguments of `TextClassifier.fit`.
        reads: How many tokens of a text a trained classifier reads; as many as in
            training if None.
    """
    train = functools.partial(train_one, recipe=recipe, data=data, fit=fit, reads=reads)
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


def train_one(args, variant, folder, seed, *, recipe, data, fit, reads):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    classifier = recipe.start(args, variant, data)
    recipe_runs.fit(classifier, args, data, folder, seed, **fit)
    if reads is not None:
        # Training on all of the long texts would take twice as long.
        classifier.save(folder / "preset")
        classifier = zoo.load(folder / "preset", max_tokens=reads)
    classifier.calibrate(data["dev"])
    classifier.save(folder / "preset")
    held = classifier.evaluate(data["dev"])["accuracy"]
    return {**classifier.evaluate(data["test"]), "development_accuracy": held}


def frequent_label_baseline(train, test, labels):
    """Scores of giving every text the labels as often as they come in training."""
    counts = Counter(label for _, label in train)
    chances = [counts[label] / len(train) for label in labels]
    truth = [labels.index(label) for _, label in test]
    return classification_scores(truth, [chances] * len(test))

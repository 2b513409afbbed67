"""What the recipes of language models share: training, scores, the card."""

import functools

from tasks.language_modeling import LanguageModel
from tasks.recipes import runs as recipe_runs
from tasks.recipes.ngrams import ngram_scores


def run(args, recipe, data, options, fit):
    """Trains all variants, and writes the best model with its card.

    Args:
        args: Parsed arguments.
        recipe: The recipe's module, with `NAME`, `VARIANTS` (dict from a name to
            options that differ), `SCORE`, `FRONT`, `EXAMPLES` and `ORDER`, the length
            of the baseline's n-grams.
        data: Dict of the texts `"train"`, `"dev"` and `"test"`.
        options: Dict of options of `LanguageModel`, and of `LanguageModel.for_text`.
        fit: Dict of further arguments of `LanguageModel.fit`.
    """
    train = functools.partial(train_one, data=data, options=options, fit=fit)
    recipe_runs.run_recipe(
        args,
        recipe,
        data,
        train,
        best=min,
        key="development_loss",
        baseline=lambda model: baseline(model, data, recipe.ORDER),
        score=recipe.SCORE,
        scores=(recipe.SCORE, "accuracy"),
        percent=False,
    )


def baseline(model, data, order):
    """Scores of n-grams of the model's tokens."""
    train, test = (model.tokenizer.encode(data[part]) for part in ("train", "test"))
    return ngram_scores(train, test, order, len(model.tokenizer), len(data["test"]))


def train_one(args, variant, folder, seed, *, data, options, fit):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    model = LanguageModel.for_text(data["train"], **{**options, **variant})
    history = recipe_runs.fit(model, args, data, folder, seed, **fit)
    model.save(folder / "preset")
    scores = model.evaluate(data["test"])
    return {**scores, "development_loss": min(history.history["val_loss"])}

"""What the recipes of language models share: training, scores, the card."""

import functools
from pathlib import Path

import zoo
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
    output = Path(args.output)
    runs = recipe_runs.Runs(output / "runs")
    train = functools.partial(train_one, args, data, options, fit)
    recipe_runs.run_variants(runs, recipe.VARIANTS, args, train)
    found = runs.results
    seed = min(args.seeds, key=lambda s: found[f"full/{s}"]["development_loss"])
    model = zoo.load(runs.folder / "full" / str(seed) / "preset")
    model.show_examples(recipe.EXAMPLES)
    train_ids, test_ids = (model.tokenizer.encode(data[k]) for k in ("train", "test"))
    recipe_runs.publish(
        recipe.NAME,
        output,
        runs,
        model,
        lambda task: task.evaluate(data["test"]),
        front=recipe.FRONT,
        body=Path(recipe.__file__).with_suffix(".md"),
        baseline=ngram_scores(
            train_ids,
            test_ids,
            recipe.ORDER,
            len(model.tokenizer),
            len(data["test"]),
        ),
        score=recipe.SCORE,
        scores=(recipe.SCORE, "accuracy"),
        percent=False,
    )


def train_one(args, data, options, fit, variant, folder, seed):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    model = LanguageModel.for_text(data["train"], **{**options, **variant})
    history = model.fit(
        data["train"],
        data["dev"],
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=seed,
        verbose=2,
        checkpoint_dir=folder / "state",
        **fit,
    )
    model.save(folder / "preset")
    scores = model.evaluate(data["test"])
    return {**scores, "development_loss": min(history.history["val_loss"])}

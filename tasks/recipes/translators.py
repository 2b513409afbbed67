"""What the recipes of translators share: training, scores, the card."""

import functools

from tasks.metrics.translation import translation_scores
from tasks.recipes import runs as recipe_runs
from tasks.translation import Translator

SCORES = ("bleu", "chrf", "bleu_lowercase", "bleu_greedy")


def run(args, recipe, data, options, fit):
    """Trains all variants, and writes the best translator with its card.

    Args:
        args: Parsed arguments.
        recipe: The recipe's module, with `NAME`, `VARIANTS` (dict from a name to
            options that differ), `FRONT` and `EXAMPLES`.
        data: Dict of lists of pairs: `"train"`, `"dev"` and `"test"`.
        options: Dict of options of `Translator.for_data`.
        fit: Dict of further arguments of `Translator.fit`.
    """
    train = functools.partial(train_one, data=data, options=options, fit=fit)
    recipe_runs.run_recipe(
        args,
        recipe,
        data,
        train,
        best=min,
        key="development_loss",
        baseline=lambda _: copy_baseline(data["test"]),
        score="bleu",
        scores=SCORES,
        percent=False,
    )


def train_one(args, variant, folder, seed, *, data, options, fit):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    translator = Translator.for_data(data["train"], **{**options, **variant})
    history = recipe_runs.fit(translator, args, data, folder, seed, **fit)
    translator.save(folder / "preset")
    best = min(history.history["val_loss"])
    return {**scores_of(translator, data["test"]), "development_loss": best}


def scores_of(translator, pairs):
    """Test scores: with a beam of five, in lower case, and of the greedy choice."""
    sources, targets = map(list, zip(*pairs, strict=True))
    found = [r.text for r in translator.predict(sources)]
    greedy = [r.text for r in translator.predict(sources, beam_width=1)]
    scores = translation_scores(found, targets)
    return {
        **scores,
        "bleu_lowercase": translation_scores(found, targets, True)["bleu"],
        "bleu_greedy": translation_scores(greedy, targets)["bleu"],
        "loss": translator.loss(pairs),
    }


def copy_baseline(pairs):
    """Scores of handing back the source as it is."""
    return translation_scores(*map(list, zip(*pairs, strict=True)))

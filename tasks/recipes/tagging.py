"""What the recipes of taggers share: runs over seeds and variants, scores, cards."""

import functools
import json
import os
import platform
import statistics
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import zoo
from tasks.data.tags import to_bio
from tasks.data.vocabulary import RESERVED, Vocabulary
from tasks.metrics.entities import entity_scores, surface_f1
from tasks.ner import HEAD, NamedEntityTagger
from zoo.cards import Card

# Layers whose first weight has a row for each word.
BY_WORD = ("word_embedding", "word_vectors")


class Variant(NamedTuple):
    """What a tagger of an ablation starts from, and how it is built.

    Attributes:
        stage: The stage of pretraining to go on from; `"vectors"` for word vectors by
            others alone, `None` for nothing.
        vectors: Whether the encoder has word vectors by others at all.
        options: Options of `NamedEntityTagger` that differ.
    """

    stage: str | None
    vectors: bool = True
    options: dict = {}  # noqa: RUF012, read only


def vocabularies_of(folder):
    """The vocabularies a pretrained encoder was made with: words, characters."""
    return tuple(
        Vocabulary.from_text((Path(folder) / f"{name}.txt").read_text("utf-8"))
        for name in ("words", "characters")
    )


def save_encoder(tagger, folder):
    """Writes a tagger's weights and vocabularies the way `pretrain` does."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{layer.name}/{i}": weight
        for layer in tagger.model.layers
        for i, weight in enumerate(layer.get_weights())
    }
    for name, text in tagger.assets().items():
        (folder / name).write_text(text, "utf-8")
    partial = folder / "partial.npz"
    np.savez(partial, **arrays)
    os.replace(partial, folder / "encoder.npz")
    return folder


def encoder_options(folder):
    """The options a tagger must have to go on from a language model."""
    log = json.loads((Path(folder) / "log.json").read_text("utf-8"))
    names = ("embedding_dim", "own_words", "vector_dim", "vector_groups")
    return {name: log["options"][name] for name in names if name in log["options"]}


def load_encoder(tagger, folder, only=None):
    """Gives a tagger those weights of a pretrained encoder that it has use for.

    Vectors of words and of characters go by the word and the character, so the two may
    have different vocabularies. A head comes along if it is one for as many tags.

    Args:
        only: Names of layers to take, all by default.
    """
    folder = Path(folder)
    words, characters = vocabularies_of(folder)
    with np.load(folder / "encoder.npz") as arrays:
        arrays = {name: arrays[name] for name in arrays.files}
    for layer in tagger.model.layers:
        old = layer.get_weights()
        new = [arrays.get(f"{layer.name}/{i}") for i in range(len(old))]
        if not old or any(array is None for array in new):
            continue
        if only is not None and layer.name not in only:
            continue
        if layer.name in BY_WORD:
            new[0] = _matched(old[0], new[0], tagger.features.words, words)
        elif layer.name == "character_encoder":
            new[0] = _matched(old[0], new[0], tagger.features.characters, characters)
        if all(o.shape == n.shape for o, n in zip(old, new, strict=True)):
            layer.set_weights(new)
        elif layer.name not in HEAD:
            raise ValueError(
                f"{folder}: layer '{layer.name}' has another size than the tagger's."
            )


def _matched(old, new, items, known):
    """Rows of `new` at the places that their items have in `old`."""
    table = old.copy()
    table[:RESERVED] = new[:RESERVED]
    # A table may hold the first words of its vocabulary alone.
    kept = items.items[: len(old) - RESERVED]
    there = set(known.items[: len(new) - RESERVED])
    shared = [item for item in kept if item in there]
    table[items.ids(shared)] = new[known.ids(shared)]
    return table


def share_encoder(source, target):
    """Gives a tagger the weights of another one, but for the head."""
    for layer in target.model.layers:
        if layer.name not in HEAD and layer.weights:
            layer.set_weights(source.model.get_layer(layer.name).get_weights())


def learn_parts_of_speech(tagger, examples, **fit):
    """Teaches the encoder of a tagger the parts of speech of words.

    Proper nouns are what names are made of, and a treebank marks them all.

    Args:
        tagger: `NamedEntityTagger`; its encoder is trained in place.
        examples: List of `(tokens, parts_of_speech)`.
        **fit: Arguments of `NamedEntityTagger.fit`.
    """
    examples = as_entities(examples)
    labels = sorted({tag[2:] for _, tags in examples for tag in tags})
    options = {**tagger.options, "labels": labels, "crf": False}
    features = tagger.features
    pupil = NamedEntityTagger(
        words=features.words, characters=features.characters, **options
    )
    share_encoder(tagger, pupil)
    pupil.fit(examples, **fit)
    share_encoder(pupil, tagger)


def as_entities(examples):
    """Parts of speech as tags: each word an entity of its own kind."""
    return [(tokens, [f"B-{part}" for part in parts]) for tokens, parts in examples]


def frequent_tag_baseline(train, test):
    """Scores of giving each word the tag it has most often in training."""
    counts = defaultdict(Counter)
    for tokens, tags in train:
        for token, tag in zip(tokens, tags, strict=True):
            counts[token][tag] += 1
    best = {token: tags.most_common(1)[0][0] for token, tags in counts.items()}
    found = [to_bio([best.get(t, "O") for t in tokens]) for tokens, _ in test]
    gold, texts = [tags for _, tags in test], [tokens for tokens, _ in test]
    scores = entity_scores(gold, found)
    return {
        "f1": scores["f1"],
        "surface_f1": surface_f1(gold, found, texts),
    }


def scores_by_shift(tagger, examples, shifts):
    """F1 on some examples with each shift of the tag `"O"`, see `balance`."""
    scores, applied = [], 0.0
    for shift in shifts:
        tagger.balance(examples, [shift - applied])
        applied = shift
        scores.append(tagger.evaluate(examples)["f1"])
    tagger.balance(examples, [-applied])
    return scores


class Runs:
    """Results of runs, one JSON file; a run that is in it is not done again.

    Args:
        folder: Where `results.json` is kept, and each run's own folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "results.json"
        self.results = {}
        if self.path.exists():
            self.results = json.loads(self.path.read_text("utf-8"))

    def run(self, variant, seed, train):
        """Does a run unless it was done: `train(folder, seed)` returns its scores."""
        key = f"{variant}/{seed}"
        if key not in self.results:
            start = time.time()
            keras.utils.set_random_seed(seed)
            folder = self.folder / variant.replace(" ", "_") / str(seed)
            scores = train(folder, seed)
            scores["seconds"] = round(time.time() - start)
            self.results[key] = scores
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps(self.results, indent=1), "utf-8")
            os.replace(partial, self.path)
            print(f"{key}: f1 {scores['f1']:.4f} in {scores['seconds']} s", flush=True)
            # Each run traces functions of its own; without this they pile up.
            keras.backend.clear_session()
        return self.results[key]

    def summary(self, variant):
        """Mean, standard deviation and values of each score over the seeds."""
        runs = {
            int(key.rpartition("/")[2]): scores
            for key, scores in self.results.items()
            if key.rpartition("/")[0] == variant
        }
        seeds = sorted(runs)
        return {
            name: {
                "mean": round(statistics.mean(runs[s][name] for s in seeds), 4),
                "std": round(_std([runs[s][name] for s in seeds]), 4),
                "seeds": seeds,
                "values": [round(runs[s][name], 4) for s in seeds],
            }
            for name in sorted(set.intersection(*(set(r) for r in runs.values())))
        }

    def variants(self):
        """Names of the variants that have results, in the order they came."""
        return list(dict.fromkeys(key.rpartition("/")[0] for key in self.results))


def run_variants(runs, variants, args, train):
    """Runs all variants: the first with each seed, the others with fewer.

    Args:
        runs: `Runs`.
        variants: Dict from name to `Variant`.
        args: Parsed arguments, with `seeds` and `ablation_seeds`.
        train: Function `(variant, folder, seed)` that returns scores.
    """
    for name, variant in variants.items():
        first = name == next(iter(variants))
        for seed in args.seeds if first else args.ablation_seeds:
            runs.run(name, seed, functools.partial(train, variant))
    print(table(runs))


def _best_first(summary):
    """Names of the scores: those of all entities first, then those of each label."""
    names = ["f1", "precision", "recall", "surface_f1"]
    return names + sorted(set(summary) - {*names, "seconds"})


def _std(values):
    return statistics.stdev(values) if len(values) > 1 else 0.0


def table(runs, scores=("f1", "precision", "recall")):
    """Markdown table of all variants: mean and spread over seeds, in percent."""
    head = ["Variant", *scores, "seeds"]
    rows = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for variant in runs.variants():
        summary = runs.summary(variant)
        count = len(summary[scores[0]]["seeds"])
        cells = [_percent(summary[score], count) for score in scores]
        rows.append(f"| {variant} | {' | '.join(cells)} | {count} |")
    return "\n".join(rows)


def _percent(score, count):
    mean = f"{100 * score['mean']:.1f}"
    return mean if count == 1 else f"{mean} ± {100 * score['std']:.1f}"


def hardware():
    """One line about this machine."""
    return (
        f"{os.cpu_count()} CPU cores ({platform.machine()}), no accelerator; "
        f"Keras {keras.__version__} on {keras.backend.backend()}"
    )


def publish(name, output, runs, tagger, examples, train, test, front, body):
    """Saves a tagger as a preset, with a card that holds all results.

    Args:
        name: Name of the model, and of the folder inside of `output`.
        output: Folder of the recipe's run, with the tagger of each seed.
        runs: `Runs`; the variant `"full"` is the one to publish.
        tagger: The tagger to publish.
        examples: Inputs whose answers are saved along.
        train, test: Examples, for the baseline and a last check.
        front: Dict of front matter that the results do not give.
        body: Path of the card's text; `{table}` is where the results go, `{shipped}`
            the test F1 of this tagger.

    Returns:
        The folder.
    """
    tagger.show_examples(examples)
    baseline = frequent_tag_baseline(train, test)
    summary = runs.summary("full")
    data = {
        "name": name,
        "task": tagger.task,
        "metrics": {k: summary[k] for k in _best_first(summary)},
        "baseline": {k: round(v, 4) for k, v in baseline.items()},
        "parameters": int(tagger.model.count_params()),
        "size_bytes": 0,
        "command": f"zoo train {name} --data-dir DIR",
        "hardware": hardware(),
        "seconds": int(sum(r["seconds"] for r in runs.results.values())),
        **front,
    }
    shown = f"{100 * tagger.evaluate(test)['f1']:.1f}"
    text = body.read_text("utf-8").replace("{table}", table(runs))
    text = text.replace("{shipped}", shown)
    folder = Path(output) / name
    # Twice: the size is known once the folder is there.
    for _ in range(2):
        tagger.save(folder, card=Card.build(data, text), float16=True)
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        data["size_bytes"] = sum(sizes)
    saved = zoo.load(folder).evaluate(test)["f1"]
    print(f"{folder}: f1 {saved:.4f} in half precision, {data['size_bytes']} bytes")
    return folder

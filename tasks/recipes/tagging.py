"""What the recipes of taggers share: encoders that move on, scores, cards."""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zoo
from tasks.data.tags import to_bio
from tasks.data.vocabulary import RESERVED, Vocabulary
from tasks.metrics.entities import entity_scores, surface_f1
from tasks.ner import NamedEntityTagger
from tasks.recipes import runs as recipe_runs
from tasks.recipes.weight_mean import mean_of

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
        elif layer.name not in NamedEntityTagger.head:
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
        if layer.name not in NamedEntityTagger.head and layer.weights:
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


def mean_of_seeds(runs, seeds, evaluate):
    """Scores the tagger whose weights are the mean of those of all seeds.

    Args:
        runs: `Runs`, with the variant `"full"` of each seed.
        seeds: Two seeds or more, which began with the same weights.
        evaluate: Function from a tagger to its scores.

    Returns:
        Its scores, and the folder of its preset.
    """
    title = f"mean of the weights of seeds {', '.join(map(str, seeds))}"

    def average(folder, _):
        presets = (runs.folder / "full" / str(seed) / "preset" for seed in seeds)
        tagger = mean_of(map(zoo.load, presets))
        tagger.save(folder / "preset")
        return evaluate(tagger)

    scores = runs.run(title, 0, average)
    return scores, runs.folder / title.replace(" ", "_") / "0" / "preset"


def publish(name, output, runs, tagger, examples, train, test, front, body):
    """Saves a tagger as a preset, with a card that holds all results.

    Args:
        name, output, runs, front, body: See `tasks.recipes.runs.publish`.
        tagger: The tagger to publish.
        examples: Inputs whose answers are saved along.
        train, test: Examples, for the baseline and a last check.

    Returns:
        The folder.
    """
    tagger.show_examples(examples)
    return recipe_runs.publish(
        name,
        output,
        runs,
        tagger,
        lambda task: task.evaluate(test),
        front=front,
        body=body,
        baseline=frequent_tag_baseline(train, test),
        score="f1",
        scores=("f1", "precision", "recall"),
        percent=True,
    )

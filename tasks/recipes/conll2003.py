"""Tagger for English news: CoNLL-2003, persons, locations, organisations, others.

It starts from the encoder of open text (GloVe's vectors, a language model, then parts
of speech), and learns to tag; words of the training set that the encoder does not know
get vectors of their own. The best epoch is chosen on the development set (`eng.testa`),
and so is what is shipped: a seed, or the mean of the weights of all. The test set
(`eng.testb`) is scored once for each. Scores follow conlleval.

Data: folder conll2003 in --data-dir, and those of the encoder: wnut17, btc_ner,
tatoeba_en_de, wikitext2_partial, ud_english_ewt, glove_50d_5k. The text of CoNLL-2003
is Reuters', for research only, and so is this model.
"""

import functools
from pathlib import Path

import keras

import zoo
from tasks.data.ner import examples_from
from tasks.recipes import tagging
from tasks.recipes.open_text import add_arguments as add_encoder_arguments
from tasks.recipes.open_text import (
    extended_vocabularies,
    open_text_encoder,
    start_variant,
)
from tasks.recipes.runs import Runs, run_variants
from tasks.recipes.runs import add_arguments as add_run_arguments
from tasks.recipes.tagging import Variant

NAME = "ner_lstm_crf.conll2003_en"
LABELS = ["LOC", "MISC", "ORG", "PER"]
# What a tagger starts from, and its options; the first one is shipped.
VARIANTS = {
    "full": Variant("parts"),
    "softmax, no CRF": Variant("parts", options={"crf": False}),
    "plain LSTM, no zoneout": Variant(
        "parts", options={"zoneout_h": 0.0, "zoneout_c": 0.0}
    ),
    "GloVe, not pretrained": Variant("vectors"),
    "GloVe, not pretrained, no characters": Variant(
        "vectors", options={"char_encoder": None}
    ),
    "pretrained, no GloVe": Variant("parts", vectors=False),
    "no GloVe, not pretrained": Variant(None, vectors=False),
}
# Options of the taggers, and of their training.
OPTIONS = {"own_word_dropout": 0.3}
FIT = {"ema": 0.998}
EXAMPLES = [
    "EU rejects German call to boycott British lamb.",
    "Ada Lovelace was born in London.",
    "SOCCER - JAPAN GET LUCKY WIN, CHINA IN SURPRISE DEFEAT.",
]


def add_arguments(parser):
    add_encoder_arguments(parser)
    add_run_arguments(parser, VARIANTS, 16, 2e-3)


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    output, folder = Path(args.output), Path(args.data_dir) / "conll2003"
    parts = {"train": "eng.train", "dev": "eng.testa", "test": "eng.testb"}
    data = {part: examples_from(folder / name) for part, name in parts.items()}
    runs = Runs(output / "runs")
    train = functools.partial(train_one, data=data)
    run_variants(runs, VARIANTS, args, train)
    shipped = best_on_development(runs, args.seeds, data)
    finish(output, runs, data, shipped)


def best_on_development(runs, seeds, data):
    """Folder of the preset that is best there: of a seed, or of their mean."""
    key, found = "development_f1", {}
    for seed in seeds:
        score = runs.results[f"full/{seed}"][key]
        found[runs.folder / "full" / str(seed) / "preset"] = score
    if len(seeds) > 1:

        def evaluate(tagger):
            best = tagger.evaluate(data["dev"])["f1"]
            return {**tagger.evaluate(data["test"]), key: best}

        scores, folder = tagging.mean_of_seeds(runs, seeds, evaluate)
        found[folder] = scores[key]
    return max(found, key=found.get)


def train_one(args, variant, folder, seed, *, data):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    folders = open_text_encoder(args, variant.vectors)
    first = folders["language_model"]
    tokens = [tokens for tokens, _ in data["train"]]
    *vocabularies, own_words = extended_vocabularies(first, tokens)
    # Heads begin alike for all seeds, so that the mean of their weights makes sense.
    keras.utils.set_random_seed(0)
    options = {**OPTIONS, "own_words": own_words}
    tagger = start_variant(variant, LABELS, folders, vocabularies, **options)
    history = tagger.fit(
        data["train"],
        data["dev"],
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=seed,
        verbose=2,
        resume_dir=folder / "state",
        **FIT,
    )
    tagger.save(folder / "preset")
    best = max(history.history["val_f1"])
    return {**tagger.evaluate(data["test"]), "development_f1": best}


def finish(output, runs, data, shipped):
    """Writes the tagger in the folder `shipped` as a preset, with its card."""
    front = {
        "architecture": "bidirectional ZoneoutLSTM over words, characters and "
        "word shapes, CRF",
        "language": "en",
        "data": ["CoNLL-2003"],
        "data_licence": "research use only: Reuters RCV1 (CoNLL-2003); the encoder: "
        "CC BY 2.0 (Tatoeba), CC BY-SA (WikiText-2, UD English EWT), CC BY 4.0 "
        "(WNUT-17, Broad Twitter), PDDL (GloVe)",
        "licence": "research use only",
        "intended_use": "research on, and teaching of, entities in English news",
        "limits": "English news of 1996; other text is tagged worse",
    }
    tagging.publish(
        NAME,
        output,
        runs,
        zoo.load(shipped),
        EXAMPLES,
        data["train"],
        data["test"],
        front,
        Path(__file__).with_name("conll2003.md"),
    )

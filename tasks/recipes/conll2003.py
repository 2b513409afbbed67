"""Tagger for English news: CoNLL-2003, persons, locations, organisations, others.

Two stages: a language model in both directions on plain text, then tagging. The best
epoch is chosen on the development set (`eng.testa`); the test set (`eng.testb`) is
scored once for each seed. Scores follow conlleval.

Data: folders conll2003, imdb, tatoeba_en_de, wikitext2_partial, ud_english_ewt and
glove_50d_5k in --data-dir. The text of CoNLL-2003 is Reuters', for research only, and
so is this model.
"""

from pathlib import Path

import keras

from tasks.data.ner import examples_from
from tasks.ner import NamedEntityTagger
from tasks.recipes import tagging
from tasks.recipes.pretrain import glove_words, pretrain

NAME = "ner_lstm_crf.conll2003_en"
LABELS = ["LOC", "MISC", "ORG", "PER"]
CORPORA = ["conll2003", "wikitext", "wikitext_test", "ewt", "imdb", "tatoeba"]
FULL = {"zoneout_h": 0.05, "zoneout_c": 0.15}
VARIANTS = {
    "full": {},
    "softmax, no CRF": {"crf": False},
    "no characters": {"char_encoder": None},
    "no pretraining": {"encoder": False},
    "plain LSTM, no zoneout": {"zoneout_h": 0.0, "zoneout_c": 0.0},
}
EXAMPLES = [
    "EU rejects German call to boycott British lamb .".split(),
    "Ada Lovelace was born in London .".split(),
    "SOCCER - JAPAN GET LUCKY WIN , CHINA IN SURPRISE DEFEAT .".split(),
]


def add_arguments(parser):
    parser.add_argument("--passes", type=int, default=1, help="over the plain text")
    parser.add_argument(
        "--limit", type=int, default=2_000_000, help="most tokens of one corpus"
    )
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--ablation-seeds", type=int, nargs="*", default=[1], help="of other variants"
    )


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    output, data_dir = Path(args.output), Path(args.data_dir)
    encoder = pretrain(
        CORPORA,
        data_dir,
        output / "encoder",
        passes=args.passes,
        limit=args.limit,
        extra_words=glove_words(data_dir),
    )
    folder = data_dir / "conll2003"
    parts = {"train": "eng.train", "dev": "eng.testa", "test": "eng.testb"}
    data = {part: examples_from(folder / name) for part, name in parts.items()}
    runs = tagging.Runs(output / "runs")

    def train(variant):
        return lambda folder, seed: train_one(
            VARIANTS[variant], seed, data, encoder, args, folder
        )

    for variant in VARIANTS:
        for seed in args.seeds if variant == "full" else args.ablation_seeds:
            runs.run(variant, seed, train(variant))
    print(tagging.table(runs))
    finish(output, runs, data, args)


def train_one(variant, seed, data, encoder, args, folder):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    options = {**FULL, **variant}
    pretrained = options.pop("encoder", True)
    words, characters = tagging.vocabularies_of(encoder)
    tagger = NamedEntityTagger(LABELS, words, characters, **options)
    if pretrained:
        tagging.load_encoder(tagger, encoder)
    history = tagger.fit(
        data["train"],
        data["dev"],
        epochs=args.epochs,
        learning_rate=2e-3,
        seed=seed,
        verbose=2,
        checkpoint_dir=folder / "state",
    )
    tagger.save(folder / "preset")
    best = max(history.history.get("val_f1", [0.0]))
    return {**tagger.evaluate(data["test"]), "development_f1": best}


def finish(output, runs, data, args):
    """Writes the first seed's tagger as a preset, with its card."""
    import zoo

    tagger = zoo.load(output / "runs" / "full" / str(args.seeds[0]) / "preset")
    tagger.show_examples(EXAMPLES)
    baseline = tagging.frequent_tag_baseline(data["train"], data["test"])
    front = {
        "architecture": "bidirectional ZoneoutLSTM over words, characters and "
        "word shapes, CRF",
        "language": "en",
        "data": ["CoNLL-2003"],
        "data_licence": "research use only: Reuters RCV1 (CoNLL-2003) and IMDB reviews "
        "grant no redistribution of their text; CC BY-SA (WikiText-2, UD English EWT), "
        "CC BY 2.0 (Tatoeba), PDDL (GloVe)",
        "licence": "research use only",
        "intended_use": "research on, and teaching of, entities in English news",
        "baseline": {k: round(v, 4) for k, v in baseline.items()},
        "command": f"zoo train {NAME} --data-dir DIR",
        "limits": "English news of 1996; other text is tagged worse",
    }
    body = Path(__file__).with_name("conll2003.md").read_text("utf-8")
    card = tagging.make_card(NAME, tagger, runs, "full", front=front, body=body)
    tagger.save(output / NAME, card=card, float16=True)
    keras.backend.clear_session()
    saved = zoo.load(output / NAME).evaluate(data["test"])
    print(f"{output / NAME}: f1 {saved['f1']:.4f} after saving in half precision")

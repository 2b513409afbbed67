"""Tagger for noisy English text: WNUT-17, emerging and rare entities.

Three stages: a language model in both directions on open text; tagging of tweets (the
Broad Twitter Corpus, with its kinds of entities renamed to those of WNUT-17) together
with WNUT-17; then WNUT-17 alone. Settings were chosen on the development set; the
shipped model is trained on training and development set together, for a number of
epochs fixed beforehand.

Data: folders wnut17, btc_ner, tatoeba_en_de, wikitext2_partial, ud_english_ewt and
glove_50d_5k in --data-dir.
"""

import json
from pathlib import Path

import keras

from tasks.data.ner import examples_from
from tasks.ner import NamedEntityTagger
from tasks.recipes import tagging
from tasks.recipes.pretrain import pretrain

NAME = "ner_lstm_crf.wnut17_en"
LABELS = ["corporation", "creative-work", "group", "location", "person", "product"]
CORPORA = ["tatoeba", "wikitext", "wikitext_test", "ewt", "wnut17", "btc"]
# What the Broad Twitter Corpus calls an organisation is most often a team or a band.
BTC_LABELS = {"PER": "person", "LOC": "location", "ORG": "group"}
FULL = {"zoneout_h": 0.05, "zoneout_c": 0.15}
VARIANTS = {
    "full": {},
    "softmax, no CRF": {"crf": False},
    "no characters": {"char_encoder": None},
    "no pretraining": {"encoder": False},
    "no tweets before": {"tweets": False},
    "plain LSTM, no zoneout": {"zoneout_h": 0.0, "zoneout_c": 0.0},
}
EXAMPLES = [
    "Ada Lovelace was born in London.",
    "just saw @taylorswift13 at the Apple store in Chicago :)",
    "Is the new Samsung Galaxy better than an iPhone?",
    "RT if you watched Game of Thrones last night!!",
]


def add_arguments(parser):
    parser.add_argument("--passes", type=int, default=3, help="over the open text")
    parser.add_argument("--tweet-epochs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--ablation-seeds", type=int, nargs="*", default=[1], help="of other variants"
    )
    parser.add_argument(
        "--development", action="store_true", help="score on the development set only"
    )


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    output, data_dir = Path(args.output), Path(args.data_dir)
    encoder = encoder_folder(output, data_dir, args.passes)
    data = read_data(data_dir)
    if args.development:
        data["test"], data["final"] = data["dev"], data["train"]
    runs = tagging.Runs(output / ("development" if args.development else "runs"))

    def train(variant):
        return lambda folder, seed: train_one(
            VARIANTS[variant], seed, data, encoder, args, folder
        )

    for variant in VARIANTS:
        for seed in args.seeds if variant == "full" else args.ablation_seeds:
            runs.run(variant, seed, train(variant))
    print(tagging.table(runs))
    if not args.development:
        finish(output, runs, data, args)


def encoder_folder(output, data_dir, passes):
    """The pretrained encoder; made if it is not there yet."""
    with open(data_dir / "glove_50d_5k" / "glove-50d-5k.json", encoding="utf-8") as f:
        common = list(json.load(f))
    return pretrain(
        CORPORA, data_dir, output / "encoder", passes=passes, extra_words=common
    )


def read_data(data_dir):
    folder = data_dir / "wnut17"
    data = {
        "train": examples_from(folder / "wnut17train.conll"),
        "dev": examples_from(folder / "emerging.dev.conll"),
        "test": examples_from(folder / "emerging.test.annotated"),
    }
    tweets = examples_from(data_dir / "btc_ner" / "btc.train")
    data["tweets"] = [(tokens, [_renamed(t) for t in tags]) for tokens, tags in tweets]
    data["final"] = data["train"] + data["dev"]
    return data


def _renamed(tag):
    return tag if tag == "O" else tag[:2] + BTC_LABELS[tag[2:]]


def train_one(variant, seed, data, encoder, args, folder):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    options = {**FULL, **variant}
    pretrained, tweets = options.pop("encoder", True), options.pop("tweets", True)
    words, characters = tagging.vocabularies_of(encoder)
    tagger = NamedEntityTagger(LABELS, words, characters, **options)
    if pretrained:
        tagging.load_encoder(tagger, encoder)
    common = dict(seed=seed, verbose=2, batch_size=32)
    if tweets:
        tagger.fit(
            data["tweets"] + data["final"],
            epochs=args.tweet_epochs,
            learning_rate=2e-3,
            checkpoint_dir=folder / "tweets",
            **common,
        )
    tagger.fit(
        data["final"],
        epochs=args.epochs,
        learning_rate=1e-3,
        checkpoint_dir=folder / "state",
        **common,
    )
    tagger.save(folder / "preset")
    return tagger.evaluate(data["test"])


def finish(output, runs, data, args):
    """Writes the first seed's tagger as a preset, with its card."""
    import zoo

    tagger = zoo.load(output / "runs" / "full" / str(args.seeds[0]) / "preset")
    tagger.show_examples(EXAMPLES)
    baseline = tagging.frequent_tag_baseline(data["final"], data["test"])
    front = {
        "architecture": "bidirectional ZoneoutLSTM over words, characters (CNN) and "
        "word shapes, CRF",
        "language": "en",
        "data": ["WNUT-17", "Broad Twitter Corpus"],
        "data_licence": "CC BY 4.0 (WNUT-17, Broad Twitter Corpus), CC BY 2.0 (Tatoeba),"
        " CC BY-SA (WikiText-2, UD English EWT), PDDL (GloVe)",
        "licence": "Apache-2.0",
        "intended_use": "entities in short, noisy English text: tweets, comments, posts",
        "baseline": {k: round(v, 4) for k, v in baseline.items()},
        "command": f"zoo train {NAME} --data-dir DIR",
        "limits": "English; creative works, products and groups are often missed",
    }
    body = Path(__file__).with_name("wnut17.md").read_text("utf-8")
    card = tagging.make_card(NAME, tagger, runs, "full", front=front, body=body)
    tagger.save(output / NAME, card=card, float16=True)
    keras.backend.clear_session()
    saved = zoo.load(output / NAME).evaluate(data["test"])
    print(f"{output / NAME}: f1 {saved['f1']:.4f} after saving in half precision")

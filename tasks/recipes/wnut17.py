"""Tagger for noisy English text: WNUT-17, emerging and rare entities.

Four stages: a language model in both directions on open text, beside GloVe's vectors;
parts of speech (UD English EWT); tagging of tweets (the Broad Twitter Corpus, with its
kinds of entities renamed to those of WNUT-17) together with WNUT-17; then WNUT-17
alone. Seeds differ in the last stage, the stages before it are done once. Settings were
chosen on the development set; the shipped model is trained on training and development
set together, for a number of epochs fixed beforehand.

Data: folders wnut17, btc_ner, tatoeba_en_de, wikitext2_partial, ud_english_ewt and
glove_50d_5k in --data-dir.
"""

import functools
import json
from pathlib import Path

import zoo
from tasks.data.ner import examples_from
from tasks.recipes import tagging
from tasks.recipes.open_text import add_arguments as add_encoder_arguments
from tasks.recipes.open_text import open_text_encoder, start_variant
from tasks.recipes.runs import Runs, run_variants
from tasks.recipes.runs import add_arguments as add_run_arguments
from tasks.recipes.tagging import Variant

NAME = "ner_lstm_crf.wnut17_en"
LABELS = ["corporation", "creative-work", "group", "location", "person", "product"]
# What the Broad Twitter Corpus calls an organisation is most often a team or a band.
BTC_LABELS = {"PER": "person", "LOC": "location", "ORG": "group"}
# What a tagger starts from, and its options; the first one is shipped.
VARIANTS = {
    "full": Variant("tweets"),
    "softmax, no CRF": Variant("tweets", options={"crf": False}),
    "plain LSTM, no zoneout": Variant(
        "tweets", options={"zoneout_h": 0.0, "zoneout_c": 0.0}
    ),
    "pretrained without tweets": Variant("parts"),
    "GloVe, not pretrained": Variant("vectors"),
    "GloVe, not pretrained, no characters": Variant(
        "vectors", options={"char_encoder": None}
    ),
    "pretrained, no GloVe": Variant("tweets", vectors=False),
    "no GloVe, not pretrained": Variant(None, vectors=False),
}
SHIFTS = [0.0, -0.25, -0.5, -0.75, -1.0, -1.5, -2.0]
EXAMPLES = [
    "Ada Lovelace was born in London.",
    "just saw @taylorswift13 at the Apple store in Chicago :)",
    "Is the new Samsung Galaxy better than an iPhone?",
    "RT if you watched Game of Thrones last night!!",
]


def add_arguments(parser):
    add_encoder_arguments(parser)
    parser.add_argument("--tweet-epochs", type=int, default=4)
    add_run_arguments(parser, VARIANTS, 6, 1e-3)
    parser.add_argument(
        "--development", action="store_true", help="score on the development set only"
    )


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    output, data_dir = Path(args.output), Path(args.data_dir)
    data = read_data(data_dir)
    if args.development:
        data["test"], data["final"] = data["dev"], data["train"]
    runs = Runs(output / ("development" if args.development else "runs"))
    train = functools.partial(train_one, data=data)
    run_variants(runs, VARIANTS, args, train)
    if not args.development:
        finish(output, runs, data, args)


def pretrained(args, data, vectors):
    """Folders of the encoder after each stage of pretraining, made where missing."""
    folders = open_text_encoder(args, vectors)
    name = "tweets" if vectors else "tweets_no_vectors"
    folders["tweets"] = Path(args.output) / name
    if not (folders["tweets"] / "encoder.npz").exists():
        tagger = start_variant(Variant("parts"), LABELS, folders)
        tagger.fit(
            data["tweets"] + data["train"],
            epochs=args.tweet_epochs,
            learning_rate=2e-3,
            seed=0,
            verbose=2,
            resume_dir=folders["tweets"] / "state",
        )
        tagging.save_encoder(tagger, folders["tweets"])
    return folders


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


def choose_shift(args, data):
    """The shift of `NamedEntityTagger.balance`, by cross-validation.

    A tagger that has the development set to learn from is less careful than one that
    has not. So each half of it chooses for a tagger that learned from the other half;
    the shift with the best mean F1 is taken.
    """
    path = Path(args.output) / "shift.json"
    if not path.exists():
        first = next(iter(VARIANTS.values()))
        folders = pretrained(args, data, first.vectors)
        halves, scores = (data["dev"][::2], data["dev"][1::2]), []
        for held, other in (halves, halves[::-1]):
            tagger = start_variant(first, LABELS, folders)
            learn(tagger, data["train"] + other, 0, args)
            scores.append(tagging.scores_by_shift(tagger, held, SHIFTS))
        mean = [sum(pair) / 2 for pair in zip(*scores, strict=True)]
        best = SHIFTS[mean.index(max(mean))]
        found = {"shift": best, "shifts": SHIFTS, "f1": mean, "folds": scores}
        path.write_text(json.dumps(found, indent=1), "utf-8")
        print(f"shift of the outside tag: {best}; development F1 {mean}", flush=True)
    return json.loads(path.read_text("utf-8"))["shift"]


def learn(tagger, examples, seed, args, resume_dir=None):
    tagger.fit(
        examples,
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=seed,
        verbose=2,
        resume_dir=resume_dir,
    )


def train_one(args, variant, folder, seed, *, data):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    shift = choose_shift(args, data)
    folders = pretrained(args, data, variant.vectors)
    tagger = start_variant(variant, LABELS, folders)
    learn(tagger, data["final"], seed, args, folder / "state")
    tagger.balance(data["final"], [shift])
    tagger.save(folder / "preset")
    return tagger.evaluate(data["test"])


def finish(output, runs, data, args):
    """Writes the first seed's tagger as a preset, with its card."""
    front = {
        "architecture": "bidirectional ZoneoutLSTM over words, characters and "
        "word shapes, CRF",
        "language": "en",
        "data": ["WNUT-17", "Broad Twitter Corpus"],
        "data_licence": "CC BY 4.0 (WNUT-17, Broad Twitter), CC BY 2.0 (Tatoeba),"
        " CC BY-SA (WikiText-2, UD English EWT), PDDL (GloVe)",
        "licence": "Apache-2.0",
        "intended_use": "entities in short, noisy English text: tweets and comments",
        "limits": "English; misses many creative works, products and groups",
    }
    tagging.publish(
        NAME,
        output,
        runs,
        zoo.load(runs.folder / "full" / str(args.seeds[0]) / "preset"),
        EXAMPLES,
        data["final"],
        data["test"],
        front,
        Path(__file__).with_name("wnut17.md"),
    )

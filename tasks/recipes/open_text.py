"""The encoder that taggers start from: a language model, then parts of speech.

Everything it reads may be shipped with attribution: Tatoeba, WikiText-2 (validation and
test part), UD English EWT, and the training text of WNUT-17 and of the Broad Twitter
Corpus, with GloVe for the vectors of the 5,050 most frequent words.
"""

from pathlib import Path

from tasks.data.corpora import read_conllu
from tasks.ner import NamedEntityTagger
from tasks.recipes import tagging
from tasks.recipes.pretrain import glove_words, pretrain

CORPORA = ["tatoeba", "wikitext", "wikitext_test", "ewt", "wnut17", "btc"]
# The same in all taggers that start from it.
OPTIONS = {"zoneout_h": 0.05, "zoneout_c": 0.15}
TREEBANK = "ud_english_ewt/en_ewt-ud-train.conllu"


def add_arguments(parser):
    parser.add_argument(
        "--encoder",
        default="runs/open_text_en",
        metavar="DIR",
        help="pretrained encoder, shared by recipes (default: %(default)s)",
    )
    parser.add_argument("--passes", type=int, default=2, help="over the open text")
    parser.add_argument("--parts-epochs", type=int, default=3, help="on the treebank")


def open_text_encoder(args):
    """Does both stages where they are not done yet.

    Args:
        args: Parsed arguments: `data_dir` and those of `add_arguments`.

    Returns:
        Dict of folders: `"language_model"`, and `"parts"` of speech.
    """
    data_dir, output = Path(args.data_dir), Path(args.encoder)
    first = pretrain(
        CORPORA,
        data_dir,
        output / "language_model",
        passes=args.passes,
        decay_passes=args.passes + 1,
        extra_words=glove_words(data_dir),
    )
    second = output / "parts"
    if not (second / "encoder.npz").exists():
        words, characters = tagging.vocabularies_of(first)
        tagger = NamedEntityTagger([], words, characters, **OPTIONS)
        tagging.load_encoder(tagger, first)
        tagging.learn_parts_of_speech(
            tagger,
            read_conllu(data_dir / TREEBANK),
            epochs=args.parts_epochs,
            learning_rate=2e-3,
            seed=0,
            verbose=2,
            checkpoint_dir=second / "state",
        )
        tagging.save_encoder(tagger, second)
    return {"language_model": first, "parts": second}

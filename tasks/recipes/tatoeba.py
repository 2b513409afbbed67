"""Translator of everyday sentences, English to German (Tatoeba).

Of sentences that have several translations, all are learned from; the split goes by the
English sentence, so that no part of it has a sentence of another one: 2,000 English
sentences to choose the epoch by, 2,000 to score once for each seed.

Data: folder tatoeba_en_de in --data-dir (deu.txt). CC BY 2.0.
"""

import sys
from pathlib import Path
from zlib import crc32

from tasks.recipes import runs, translators

NAME = "translation_lstm_attention.tatoeba_en_de"
OPTIONS = dict(
    vocabulary_size=3000,
    units=192,
    embedding_dim=96,
    dropout=0.1,
    label_smoothing=0.1,
    encoder_options={"zoneout_h": 0.05, "zoneout_c": 0.1},
    decoder_options={"zoneout_h": 0.05, "zoneout_c": 0.1},
)
FIT = dict(batch_size=128)
# Options that differ; the first one is shipped.
VARIANTS = {
    "full": {},
    "no attention": {"attention": None},
    "no zoneout": {"encoder_options": {}, "decoder_options": {}},
}
HELD_OUT = 2000
EXAMPLES = [
    "Where is the station?",
    "I have never seen such a beautiful garden.",
    "Tom didn't know that Mary was ill.",
]
FRONT = {
    "architecture": "ZoneoutLSTM encoder in both directions, attentive ZoneoutLSTM "
    "decoder",
    "language": "en, de",
    "data": ["Tatoeba"],
    "data_licence": "CC BY 2.0 (tatoeba.org, manythings.org/anki)",
    "licence": "Apache-2.0",
    "intended_use": "short everyday sentences, from English to German",
    "limits": "longer sentences, rare words and special fields; addresses people with "
    "du, Sie or ihr as it comes",
}


def add_arguments(parser):
    runs.add_arguments(parser, VARIANTS, epochs=8, learning_rate=3e-3)


def run(args):
    """Trains the translators; `args.output` holds state, results and the preset."""
    path = Path(args.data_dir) / "tatoeba_en_de" / "deu.txt"
    with open(path, encoding="utf-8") as file:
        pairs = [tuple(line.rstrip("\n").split("\t")[:2]) for line in file]
    translators.run(args, sys.modules[__name__], split(pairs), OPTIONS, FIT)


def split(pairs):
    """Parts by the English sentence; of those held out, one translation each."""
    # An order that depends on nothing but the sentences.
    distinct = sorted({source for source, _ in pairs}, key=_place)
    parts = dict.fromkeys(distinct[:HELD_OUT], "test")
    parts |= dict.fromkeys(distinct[HELD_OUT : 2 * HELD_OUT], "dev")
    found = {"train": [], "dev": [], "test": []}
    seen = set()
    for source, target in pairs:
        part = parts.get(source, "train")
        if part == "train" or source not in seen:
            found[part].append((source, target))
        seen.add(source)
    return found


def _place(sentence):
    return crc32(sentence.encode("utf-8")), sentence
